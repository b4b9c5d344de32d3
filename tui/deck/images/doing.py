"""What the keys of the images view do: each asks what it needs, and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.client import context
from engine.errors import BadRequest
from engine.model import Pruned
from tui.deck.images import works
from tui.deck.images.listing import Entry
from tui.deck.jobs.job import Job, Verb
from tui.deck.screens.confirm import Confirm
from tui.deck.screens.prompt import Ask, Prompt
from tui.presentation.images import HOST, tidy
from tui.presentation.quantities import size
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.screens.images import ImagesScreen

T = TypeVar("T")
Read = Callable[[Mapping[str, str]], T]
FORMATS = ("docker-archive", "oci-archive")
PULL = "[REGISTRY/]NAME[:TAG] or NAME@DIGEST, such as debian:12 or registry.lan:5000/team/web:3"


class Doing:
    """The verbs of one images screen."""

    def __init__(self, screen: ImagesScreen) -> None:
        self._screen = screen

    def _start(self, verb: Verb, subject: str, work: Callable[[Job], str]) -> None:
        self._screen.follow(self._screen.deck.jobs.start(verb, subject, work))

    def _ask(
        self, title: str, verb: str, asks: Sequence[Ask], read: Read[T], then: Callable[[T], object]
    ) -> None:
        def answered(answer: T | None) -> None:
            if answer is not None:
                then(answer)

        self._screen.app.push_screen(Prompt(title, verb, asks, read), answered)

    def pull(self) -> None:
        """Fetch an image by name."""
        client = self._screen.client

        def then(name: str) -> None:
            self._start("pull", tidy(name), lambda job: works.pull(client, job, name))

        self._ask("pull an image", "pull", (Ask("name", "name", PULL),), lambda a: a["name"], then)

    def push(self, entry: Entry) -> None:
        """Send an image to a registry, by the name it has or another."""
        client = self._screen.client
        if self._is_host(entry):
            return

        def then(name: str) -> None:
            to = "" if name == entry.name else name
            self._start("push", tidy(name), lambda job: works.push(client, job, entry.ref, to))

        asks = (
            Ask(
                "name", "name", "REGISTRY/NAME[:TAG]: where it goes, and what it is called there", entry.name
            ),
        )
        self._ask(f"push {entry.title}", "push", asks, lambda a: a["name"], then)

    def load(self) -> None:
        """Take images, or a root file system, from a file."""
        client = self._screen.client

        def then(answer: tuple[Path, str]) -> None:
            path, name = answer
            if name:
                self._start("import", path.name, lambda job: works.import_rootfs(client, job, path, name))
            else:
                self._start("load", path.name, lambda job: works.load(client, job, path))

        asks = (
            Ask("path", "file", "an archive of images, an OCI layout's folder, or a root file system's tar"),
            Ask(
                "name", "name", "of a root file system, such as debian:12; images bring theirs", optional=True
            ),
        )
        self._ask("load from a file", "load", asks, lambda a: (existing(a["path"]), a["name"]), then)

    def save(self, entry: Entry) -> None:
        """Write an image to a file that other engines read."""
        client = self._screen.client
        if self._is_host(entry):
            return

        def then(answer: tuple[Path, str]) -> None:
            path, format = answer
            self._start("save", entry.title, lambda job: works.save(client, job, entry.ref, path, format))

        name = "".join(c if c.isalnum() or c in ".-" else "-" for c in entry.title)
        asks = (
            Ask("path", "file", "where to write it", str(Path.cwd() / f"{name}.tar")),
            Ask("format", "format", "docker-archive for `docker load`, oci-archive for podman and skopeo",
                FORMATS[0], FORMATS),
        )  # fmt: skip
        self._ask(f"save {entry.title}", "save", asks, _target, then)

    def build(self) -> None:
        """Build an image from a folder with a Containerfile."""
        client = self._screen.client

        def then(answer: tuple[Path, str]) -> None:
            folder, name = answer
            self._start(
                "build", tidy(name) or folder.name, lambda job: works.build(client, job, folder, name)
            )

        asks = (
            Ask("path", "folder", "with a Containerfile or Dockerfile, and what it copies"),
            Ask("name", "name", "what to call the image, such as web:2; empty: it gets none", optional=True),
        )
        self._ask("build from a folder", "build", asks, _folder, then)

    def _is_host(self, entry: Entry) -> bool:
        """Whether it is the built-in image, which is said."""
        if entry.image.id == HOST:
            self._screen.notify("host is this machine itself: it is not stored", severity="warning")
        return entry.image.id == HOST

    def tag(self, entry: Entry) -> None:
        """Give an image one more name."""
        screen = self._screen
        if self._is_host(entry):
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
        if self._is_host(entry):
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


def _target(answers: Mapping[str, str]) -> tuple[Path, str]:
    path, format = Path(answers["path"]).expanduser(), answers["format"]
    if format not in FORMATS:
        raise BadRequest(f"{format!r} is no format", f"choose {' or '.join(FORMATS)}")
    if path.exists():
        raise BadRequest(f"{path} exists already", "choose another name")
    if not path.parent.is_dir():
        raise BadRequest(f"there is no folder {path.parent}", "choose a folder that exists")
    return path, format


def _folder(answers: Mapping[str, str]) -> tuple[Path, str]:
    folder = existing(answers["path"])
    context.find_containerfile(folder)
    return folder, answers["name"]


def existing(text: str) -> Path:
    """A path that was typed; raises BadRequest where nothing is there."""
    path = Path(text).expanduser()
    if not path.exists():
        raise BadRequest(f"there is no {path}", "type the path of a file on this machine")
    return path
