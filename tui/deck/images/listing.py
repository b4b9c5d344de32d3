"""The images as rows: a row a name, with what is known of each, and their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from engine.model import ContainerSummary, ImageCheck, ImageSummary
from tui.deck.draw.columns import Column
from tui.deck.store import ALIVE
from tui.deck.theme import Ink
from tui.presentation import checks
from tui.presentation.images import HOST, Space, age, short_id, tidy
from tui.presentation.quantities import ABSENT, size
from tui.presentation.text import harmless


class Entry(msgspec.Struct, frozen=True):
    """One row. What the engine has not told yet is None."""

    name: str  # "name:tag", or "" for an image without a name
    image: ImageSummary
    check: ImageCheck | None = None
    space: Space | None = None
    users: tuple[ContainerSummary, ...] = ()
    now: float = 0.0
    again: bool = False  # another name of the image in a row above

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.image.id, self.name

    @property
    def ref(self) -> str:
        """What the engine knows it by."""
        return self.name or self.image.id

    @property
    def title(self) -> str:
        """What it is called on screen."""
        return tidy(self.name) if self.name else f"<no name> {short_id(self.image.id)}"


def entries(
    images: Iterable[ImageSummary],
    found: dict[str, ImageCheck],
    spaces: dict[str, Space],
    containers: Iterable[ContainerSummary],
    now: float,
) -> list[Entry]:
    """A row for each name of each image."""
    users: dict[str, list[ContainerSummary]] = {}
    for container in containers:
        users.setdefault(container.image_id, []).append(container)
    return [
        Entry(
            name,
            image,
            found.get(image.id),
            spaces.get(image.id),
            tuple(users.get(image.id, ())),
            now,
            place > 0,
        )
        for image in images
        for place, name in enumerate(image.names or [""])
    ]


def matching(found: Sequence[Entry], text: str) -> list[Entry]:
    """Those that have all words of `text` in what they show."""
    words = text.lower().split()
    return [entry for entry in found if all(word in _text(entry) for word in words)]


def _text(entry: Entry) -> str:
    check = entry.check
    about = (
        f"{checks.distribution(check)} {checks.library(check)} {checks.WORDS[check.verdict]}" if check else ""
    )
    users = " ".join(user.name for user in entry.users)
    return f"{entry.title} {entry.image.id} {about} {users}".lower()


def arranged(found: Iterable[Entry], column: str, descending: bool) -> list[Entry]:
    """In the order of one column, and of their names where that is the same."""
    value = BY_KEY[column].value
    return sorted(sorted(found, key=_name_order), key=value, reverse=descending)


def _name_order(entry: Entry) -> tuple[bool, str]:
    return (not entry.name, entry.title)


# ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────

Cell = tuple[str, Ink]
VERDICTS: dict[str, Ink] = {
    "fits": "running", "emulated": "waiting", "refused": "failed", "unreadable": "failed",
}  # fmt: skip
UNTOLD: Cell = ("…", "muted")


def _title(entry: Entry) -> Cell:
    return harmless(entry.title), "text" if entry.name else "muted"


def _distribution(entry: Entry) -> Cell:
    return (harmless(checks.distribution(entry.check)), "text") if entry.check else UNTOLD


def _libc(entry: Entry) -> Cell:
    return (harmless(checks.library(entry.check)), "muted") if entry.check else UNTOLD


def _kernel(entry: Entry) -> Cell:
    if entry.check is None:
        return UNTOLD
    refused = entry.check.verdict == "refused" and bool(entry.check.packaged.kernel)
    return harmless(checks.kernel(entry.check)), "failed" if refused else "muted"


def _here(entry: Entry) -> Cell:
    check = entry.check
    return (
        (f"{checks.GLYPH[check.verdict]} {checks.WORDS[check.verdict]}", VERDICTS[check.verdict])
        if check
        else UNTOLD
    )


def _told(entry: Entry, tell: Callable[[ImageCheck], str]) -> str:
    return tell(entry.check) if entry.check else ""


def _own(entry: Entry) -> Cell:
    return (size(entry.space.own), "text") if entry.space else (ABSENT, "muted")


def _shared(entry: Entry) -> Cell:
    return (size(entry.space.shared), "muted") if entry.space else (ABSENT, "muted")


def _size(entry: Entry) -> Cell:
    if entry.image.id == HOST:
        return ABSENT, "muted"
    return size(entry.image.size), "muted" if entry.again else "text"


def _users(entry: Entry) -> Cell:
    if not entry.users:
        return ABSENT, "muted"
    alive = sum(1 for user in entry.users if user.state.status in ALIVE)
    names = " ".join(harmless(user.name) for user in entry.users)
    return f"{len(entry.users)} {names}", "running" if alive else "muted"


def _made(entry: Entry) -> Cell:
    return age(entry.image, entry.now), "muted"


def _own_bytes(entry: Entry) -> int:
    return entry.space.own if entry.space else entry.image.size


COLUMNS: tuple[Column[Entry], ...] = (
    Column("name", "NAME", 24, 0, _title, lambda e: _name_order(e), False, 44),
    Column("distribution", "DISTRIBUTION", 13, 2, _distribution, lambda e: _told(e, checks.distribution), False, 32),
    Column("libc", "C LIBRARY", 10, 5, _libc, lambda e: _told(e, checks.library), False, 14),
    Column("kernel", "LINUX", 7, 3, _kernel, lambda e: _version(e), False, 10),
    Column("here", "HERE", 11, 1, _here, lambda e: e.check.verdict if e.check else "", False),
    Column("size", "SIZE", 4, 1, _size, lambda e: e.image.size),
    Column("own", "own", 4, 4, _own, _own_bytes),
    Column("shared", "shared", 6, 4, _shared, lambda e: e.space.shared if e.space else 0),
    Column("made", "MADE", 5, 6, _made, lambda e: -e.image.created_at),
    Column("users", "USED BY", 8, 2, _users, lambda e: len(e.users), False, 40),
)  # fmt: skip
BY_KEY = {column.key: column for column in COLUMNS}


def _version(entry: Entry) -> tuple[int, ...]:
    least = entry.check.packaged.kernel if entry.check else ""
    return tuple(int(number) for number in least.split(".") if number.isdigit())
