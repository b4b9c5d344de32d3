"""What the keys of the changes tab do to a private layer: each asks first, and tells with figures what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from engine.errors import TiffinError
from engine.model import ContainerSummary, ImageSummary, LayerSnapshot
from tui.deck.changes import draw
from tui.deck.changes.tree import Tally
from tui.deck.screens.choice import Choice
from tui.deck.screens.confirm import Confirm
from tui.deck.screens.prompt import Ask, Prompt
from tui.deck.store import ALIVE
from tui.presentation.images import tidy
from tui.presentation.quantities import size
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.details.changes import Changes

T = TypeVar("T")
GRACE = 1.0  # seconds that a running one has to end: what it would still write is thrown away anyway


class Doing:
    """Resets, commits and keeps the private layer of a tab's container."""

    def __init__(self, tab: Changes) -> None:
        self._tab = tab

    @property
    def _name(self) -> str:
        container = self._tab.subject.container
        return container.name if container else self._tab.subject.id[:12]

    @property
    def _runs(self) -> bool:
        container = self._tab.subject.container
        return container is not None and container.state.status in (*ALIVE, "restarting")

    def _do(self, doing: str, work: Callable[[], T], said: Callable[[T, float], str]) -> None:
        """Do one thing at a time, and say what came of it."""
        tab = self._tab

        def timed() -> tuple[T, float]:
            began = monotonic()
            return work(), monotonic() - began

        def done(answer: tuple[T, float]) -> None:
            tab.outcome(said(*answer), "running")
            tab.action_again()

        def failed(error: TiffinError) -> None:
            tab.outcome(str(error), "failed")

        if tab.asking.ask("layer", timed, done, failed):
            tab.outcome(f"{doing} {harmless(self._name)} …", "waiting")
        else:
            tab.notify("wait until the last thing is done", severity="warning")

    def reset(self) -> None:
        """Throw the layer away, after a question that says what is lost.

        One that runs is stopped for it, and started again only where that is wanted: its program may be what
        made the mess.
        """
        tab, name, runs = self._tab, self._name, self._runs
        tally, container = tab.tally, tab.subject.container
        if container is None:
            return
        question = f"Reset {harmless(name)} to {harmless(tidy(container.image))}?\n"
        question += f"Thrown away: {draw.amount(tally)}" + (
            f", {size(tally.written)} written." if tally.paths else "."
        )
        question += "\nIt runs, and is stopped for this." if runs else ""
        question += "\nIts volumes, logs and snapshots stay."

        def answered(way: str | None) -> None:
            if way:
                self._reset(container, tally, runs, start=way == "y" and runs)

        ways = (("y", "reset, start again"), ("s", "reset, leave stopped")) if runs else (("y", "reset"),)
        tab.app.push_screen(Choice(question, ways), answered)

    def _reset(self, container: ContainerSummary, tally: Tally, runs: bool, *, start: bool) -> None:
        client = self._tab.subject.link.client

        def work() -> None:
            if runs and not start:
                client.stop(container.id, GRACE)
            client.reset(container.id, restart=start, grace=GRACE if start else None)

        def said(_: None, took: float) -> str:
            lost = f"{draw.amount(tally)}, {size(tally.written)}"
            told = f"{container.name} is as its image again in {took:.2f} s: {lost} thrown away"
            return told + (" · it runs again" if start else " · nothing else was touched")

        self._do("resetting", work, said)

    def commit(self) -> None:
        """Make an image of the container, named by its user."""
        tab, name = self._tab, self._name
        tally, container, client = tab.tally, tab.subject.container, tab.subject.link.client
        if container is None:
            return
        base = tidy(container.image)

        def answered(answers: Mapping[str, str] | None) -> None:
            if not answers:
                return

            def said(image: ImageSummary, took: float) -> str:
                return (
                    f"{', '.join(map(tidy, image.names)) or image.id} is made in {took:.1f} s: {base} and one layer"
                    f" of {draw.amount(tally)} · o shows it"
                )

            self._do(
                "committing",
                lambda: client.commit(container.id, answers["name"], message=answers["message"]),
                said,
            )

        asks = (
            Ask(
                "name", "image name", f"such as {base.partition(':')[0]}:mine; who has that name now loses it"
            ),
            Ask("message", "message", "what was changed, for the image's history", optional=True),
        )
        note = f"{draw.amount(tally)} become a layer on top of {base}." + (
            "\nIt stands still meanwhile." if self._runs else ""
        )
        tab.app.push_screen(Prompt(f"commit {name}", "commit", asks, dict, note), answered)

    def snapshot(self) -> None:
        """Keep a copy of the layer as it is now."""
        tab, client = self._tab, self._tab.subject.link.client

        def answered(answers: Mapping[str, str] | None) -> None:
            if answers is None:
                return

            def said(snapshot: LayerSnapshot, took: float) -> str:
                return (
                    f"snapshot {snapshot.name} of {self._name} in {took:.2f} s: {snapshot.files} files,"
                    f" {size(snapshot.size)} · B goes back to it"
                )

            id = tab.subject.id
            self._do(
                "keeping",
                lambda: client.snapshot_create(id, answers["name"], note=answers["note"]),
                said,
            )

        asks = (
            Ask("name", "name", "letters, digits, _ . and -; empty: a number", optional=True),
            Ask("note", "note", "what for", optional=True),
        )
        tab.app.push_screen(Prompt(f"snapshot of {self._name}", "keep", asks, dict), answered)

    def snapshots(self) -> None:
        """Show what was kept; one that is chosen is put back."""
        from tui.deck.screens.snapshots import SnapshotsScreen

        tab, client, runs = self._tab, self._tab.subject.link.client, self._runs

        def chosen(snapshot: LayerSnapshot | None) -> None:
            if snapshot is None:
                return
            tally = tab.tally
            question = f"Put {harmless(self._name)} back to snapshot {harmless(snapshot.name)}?\n"
            question += (
                f"What it has now is thrown away: {draw.amount(tally)}, {size(tally.written)} written."
            )
            question += "\nIt runs: it is stopped, and started again." if runs else ""

            def answered(yes: bool | None) -> None:
                if yes:
                    self._do(
                        "rolling back",
                        lambda: client.rollback(
                            tab.subject.id, snapshot.name, restart=runs, grace=GRACE if runs else None
                        ),
                        lambda _, took: (
                            f"{self._name} is as in snapshot {snapshot.name} again in {took:.2f} s"
                        ),
                    )

            tab.app.push_screen(Confirm(question, "roll back"), answered)

        tab.app.push_screen(SnapshotsScreen(tab.subject), chosen)
