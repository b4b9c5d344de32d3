"""The keys that act on containers, and those that open a screen about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from engine.model import ContainerSummary
from tui.deck import welcome
from tui.deck.actions import Actions, Verb
from tui.deck.engine_link import Link
from tui.deck.screens.confirm import Confirm
from tui.deck.selection import Selection
from tui.deck.store import Store
from tui.deck.terminal import in_terminal
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

FLASH = 0.6  # seconds
NEED_ONE = frozenset(
    [
        "start_stop",
        "restart",
        "pause",
        "kill",
        "remove",
        "turn",
        "undo",
        "shell",
        "attach",
        "details",
        "inspect",
        "limits",
        "mark",
        "chart",
    ]
)
"""Actions that mean nothing without a container."""


class ActingScreen(Screen[None]):
    """A screen with selected containers; subclasses show them."""

    def __init__(self, link: Link, store: Store, selection: Selection, actions: Actions) -> None:
        super().__init__()
        self._link = link
        self._store = store
        self._selection = selection
        self._actions = actions

    @property
    def deck(self) -> DeckApp:
        """The app, as what it is."""
        return cast("DeckApp", self.app)

    def sync(self) -> None:
        """Show what store and selection have now."""
        raise NotImplementedError

    def current(self) -> ContainerSummary | None:
        """The selected container."""
        return self._store.containers.get(self._selection.current)

    def _targets(self) -> list[ContainerSummary]:
        """What an acting key acts on; nothing where it is refused, with the reason said."""
        if self.deck.refuses():
            return []
        containers = self._store.containers
        targets = [containers[id] for id in self._selection.targets() if id in containers]
        if not targets:
            self.notify("there is no container selected", severity="warning")
        return targets

    def action_start_stop(self) -> None:
        for target in self._targets():
            self._actions.act("start" if _at_rest(target) else "stop", target.id)

    def action_restart(self) -> None:
        for target in self._targets():
            self._actions.act("restart", target.id)

    def action_pause(self) -> None:
        for target in self._targets():
            self._actions.act("unpause" if target.state.status == "paused" else "pause", target.id)

    def action_kill(self) -> None:
        self._confirmed("kill", [target for target in self._targets() if not _at_rest(target)], "Kill {}?")

    def action_remove(self) -> None:
        self._confirmed("remove", self._targets(), "Remove {} with what it changed and wrote?")

    def _confirmed(self, verb: Verb, targets: list[ContainerSummary], question: str) -> None:
        if not targets:
            return
        names = ", ".join(harmless(target.name) for target in targets[:5])
        names += f" and {len(targets) - 5} more" if len(targets) > 5 else ""
        running = sum(1 for target in targets if not _at_rest(target))
        text = question.format(names)
        if verb == "remove" and running:
            text += (
                "\nIt is running and will be killed."
                if len(targets) == 1
                else f"\n{running} of them run and will be killed."
            )

        def answered(yes: bool | None) -> None:
            if yes:
                self._selection.marked.clear()
                for target in targets:
                    self._actions.act(verb, target.id)

        self.app.push_screen(Confirm(text, verb), answered)

    def action_turn(self, up: bool) -> None:
        container = self.current()
        if container is None or self.deck.refuses():
            return
        gauge = self._selection.gauge
        if self._actions.turn(container.id, gauge, up):
            self._flash(container.id, True)
            self.set_timer(FLASH, lambda: self._flash(container.id, False))
        else:
            end = "it has no limit" if up else "it cannot be lower"
            self.notify(f"{container.name}: {gauge}: {end}", timeout=2)

    def _flash(self, id: str, on: bool) -> None:
        (self._selection.flashing.add if on else self._selection.flashing.discard)(id)
        self.sync()

    def action_undo(self) -> None:
        container = self.current()
        if container is not None and not self.deck.refuses():
            self._actions.undo(container.id)

    def action_shell(self) -> None:
        self._in_terminal(["exec", "-it"], ["sh"])

    def action_attach(self) -> None:
        self._in_terminal(["attach"], [])

    def _in_terminal(self, verb: list[str], command: list[str]) -> None:
        container = self.current()
        if container is None or self.deck.refuses():
            return
        if container.state.status != "running":
            self.notify(f"{container.name} does not run; s starts it", severity="warning")
            return
        in_terminal(self.app, self.deck.instance, [*verb, container.id, *command])
        self._actions.catch_up()

    def action_revive(self) -> None:
        if not self.deck.refuses():
            self._link.revive()

    def action_end_welcome(self) -> None:
        if not self.deck.refuses():
            for id in welcome.ours(self._store.containers.values()):
                self._actions.act("remove", id)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that mean nothing now are not there."""
        if action == "revive":
            return bool(self._store.gone)
        if action == "suspects":
            return self._store.pressing.blame is not None
        if action == "end_welcome":
            return bool(welcome.ours(self._store.containers.values()))
        return action not in NEED_ONE or bool(self._selection.current)

    # ── other screens ───────────────────────────────────────────────────────────────────────────────────────

    def action_details(self, tab: str = "overview") -> None:
        container = self.current()
        if container is not None:
            from tui.deck.screens.details import DetailsScreen

            self.app.push_screen(DetailsScreen(self._link, self._store, container.id, tab))

    def action_chart(self) -> None:
        """Chart the marked containers, or the selected one."""
        ids = self._selection.targets()
        if ids:
            from tui.deck.chart.past import LivePast
            from tui.deck.screens.chart import MOST, ChartScreen

            ids = ids[:MOST]
            past = LivePast(self._link, self._store, ids)
            self.app.push_screen(ChartScreen(past, self._store, ids, self.called))

    def called(self, id: str) -> str:
        """What a container is called."""
        container = self._store.containers.get(id)
        return container.name if container else id[:12]

    def action_inspect(self) -> None:
        self.action_details("inspect")

    def action_limits(self) -> None:
        container = self.current()
        if container is not None:
            from tui.deck.screens.limits import LimitsScreen

            self.app.push_screen(LimitsScreen(self._link, self._store, container.id))

    def action_images(self) -> None:
        from tui.deck.screens.images import ImagesScreen

        self.app.push_screen(ImagesScreen(self._link, self._store))

    def action_suspects(self) -> None:
        """Of the selected one where it is a victim of others, else of the one that the banner names."""
        verdicts = self._store.snapshot.verdicts if self._store.snapshot else {}
        mine = [blame for blame in verdicts.get(self._selection.current, []) if blame.cause != "itself"]
        blame = mine[0] if mine else self._store.pressing.blame
        if blame is None:
            self.notify("nobody waits for anything that lasts", timeout=3)
            return
        from tui.deck.screens.suspects import SuspectsScreen

        suspect = blame.suspects[0].id if blame.suspects else ""
        self.app.push_screen(SuspectsScreen(self._link, self._store, blame.id, blame.resource, suspect))

    def action_new(self) -> None:
        if not self.deck.refuses():
            from tui.deck.screens.new import NewScreen

            self.app.push_screen(NewScreen(self._link, self._store), self._made)

    def _made(self, id: str | None) -> None:
        """Select what was made, as soon as it is there."""
        if id:
            self._selection.wanted = id


def _at_rest(container: ContainerSummary) -> bool:
    return container.state.status in ("created", "exited", "dead")
