"""What the keys of the images view do: each asks what it needs, and tells what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadRequest
from engine.model import Pruned
from tui.deck.images import works
from tui.deck.images.listing import Entry
from tui.deck.screens.confirm import Confirm
from tui.deck.screens.prompt import Ask, Prompt
from tui.presentation.images import HOST, tidy
from tui.presentation.quantities import size
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.screens.images import ImagesScreen

PULL = "[REGISTRY/]NAME[:TAG] or NAME@DIGEST, such as debian:12 or registry.lan:5000/team/web:3"


class Doing:
    """The verbs of one images screen."""

    def __init__(self, screen: ImagesScreen) -> None:
        self._screen = screen

    def pull(self) -> None:
        """Fetch an image by name."""
        client = self._screen.client

        def answered(answers: Mapping[str, str] | None) -> None:
            if answers:
                name = answers["name"]
                self._screen.follow(
                    self._screen.deck.jobs.start(
                        "pull", tidy(name), lambda job: works.pull(client, job, name)
                    )
                )

        self._screen.app.push_screen(
            Prompt("pull an image", "pull", (Ask("name", "name", PULL),), dict), answered
        )

    def load(self) -> None:
        """Take an image, or a root file system, from a file."""
        client = self._screen.client

        def answered(answers: tuple[Path, str] | None) -> None:
            if answers:
                path, name = answers
                self._screen.follow(
                    self._screen.deck.jobs.start(
                        "import", path.name, lambda job: works.import_rootfs(client, job, path, name)
                    )
                )

        asks = (
            Ask("path", "file", "a .tar, plain or compressed with gzip, zstd or xz"),
            Ask("name", "name", "such as debian:12"),
        )
        self._screen.app.push_screen(Prompt("load from a file", "load", asks, _archive), answered)

    def tag(self, entry: Entry) -> None:
        """Give an image one more name."""
        screen = self._screen
        if entry.image.id == HOST:
            screen.notify("host is this machine itself: it has one name", severity="warning")
            return
        client = screen.client

        def answered(answers: Mapping[str, str] | None) -> None:
            if answers:
                name = answers["name"]
                screen.deck.actions.attempt(
                    lambda: client.image_tag(entry.ref, name),
                    f"{entry.title} is {tidy(name)} too",
                    then=screen.action_again,
                )

        asks = (Ask("name", "name", "one more name for it; who has that name now loses it"),)
        screen.app.push_screen(Prompt(f"tag {entry.title}", "tag", asks, dict), answered)

    def prune(self) -> None:
        """Ask the engine what is in no use, say what that would free, and remove it."""
        screen, client = self._screen, self._screen.client

        def told(unused: Pruned) -> None:
            if not unused.images:
                screen.notify("every image is in use or has none to give back: there is nothing to clean up")
                return
            shown = ", ".join(tidy(harmless(name)) for name in unused.images[:6])
            more = f" and {len(unused.images) - 6} more" if len(unused.images) > 6 else ""
            frees = size(unused.reclaimed)
            question = f"Remove every image that no container uses?\n{shown}{more}\nThis frees {frees}."

            def answered(yes: bool | None) -> None:
                if yes:
                    screen.ask_engine("prune", lambda: client.prune(all_images=True), done)

            screen.app.push_screen(Confirm(question, "clean up"), answered)

        def done(pruned: Pruned) -> None:
            screen.notify(f"{len(pruned.images)} images removed, {size(pruned.reclaimed)} freed")
            screen.action_again()

        screen.ask_engine("prune", lambda: client.prune(all_images=True, dry=True), told)

    def remove(self, entry: Entry) -> None:
        """Take a name away, and with the last one the image."""
        screen = self._screen
        if entry.image.id == HOST:
            screen.notify("host is this machine itself: it cannot be removed", severity="warning")
            return
        last = len(entry.image.names) <= 1
        title = harmless(entry.title)
        if entry.users and last:
            names = ", ".join(harmless(user.name) for user in entry.users)
            screen.notify(f"{title} is in use by {names}; remove them first", severity="warning")
            return
        room = entry.space.own if entry.space else entry.image.size
        question = (
            f"Remove {title} and its {size(room)}?"
            if last
            else f"Remove the name {title}? The image stays, as {harmless(_others(entry))}."
        )
        client = screen.client

        def answered(yes: bool | None) -> None:
            if yes:
                screen.deck.actions.attempt(
                    lambda: client.image_remove(entry.ref),
                    f"{entry.title} is removed",
                    then=screen.action_again,
                )

        screen.app.push_screen(Confirm(question, "remove"), answered)


def _others(entry: Entry) -> str:
    return ", ".join(tidy(name) for name in entry.image.names if name != entry.name)


def _archive(answers: Mapping[str, str]) -> tuple[Path, str]:
    return existing(answers["path"]), answers["name"]


def existing(text: str) -> Path:
    """A path that was typed; raises BadRequest where nothing is there."""
    path = Path(text).expanduser()
    if not path.exists():
        raise BadRequest(f"there is no {path}", "type the path of a file on this machine")
    return path
