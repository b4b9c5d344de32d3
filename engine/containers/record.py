"""What the engine remembers of a container between its own lives: `container.json`."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from engine.errors import Corrupt
from engine.kernel import files
from engine.model import ContainerConfig, Limits, Publish

UNDO_DEPTH = 50


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One container as created and since changed; its program's state is the monitor's `state.json`."""

    id: str
    name: str
    created_at: float
    image: str  # as the user named it
    image_id: str
    config: ContainerConfig  # limits in it are those in force
    publish: list[Publish] = []  # with the host ports really taken
    undo: list[Limits] = []  # limits before each change, latest last
    wanted: bool = False  # started by the user and not stopped by him since: decides "unless-stopped"
    anonymous_volumes: list[str] = []  # made for this container, removed with it on request
    transient: bool = False  # it ends with the engine that made it: the next one removes it

    def but(self, **changes: object) -> Record:
        """The same record with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    def save(self, folder: Path) -> None:
        """Write it to its container's folder."""
        files.replace(folder / "container.json", msgspec.json.encode(self))

    @classmethod
    def load(cls, folder: Path) -> Record:
        """Read it back. Raises Corrupt where it is missing or not what was written."""
        try:
            return msgspec.json.decode((folder / "container.json").read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError) as error:
            raise Corrupt(
                f"reading the record of container {folder.name[:12]}: {error}",
                f"look at {folder}; remove the folder to forget this container",
            ) from error


def new_id() -> str:
    """64 random hex digits, as other engines' container ids are."""
    return secrets.token_hex(32)


_NAMES = """
brave calm deft eager fair gentle happy idle jolly keen lucid mellow neat open plain quick rapid sunny tidy

achar basmati chutney dal dosa ghee halwa idli jalebi kheer lassi masala naan okra paneer poha raita roti saag
"""
_FIRST, _SECOND = (half.split() for half in _NAMES.split("\n\n"))


def new_name() -> str:
    """A name easy to say and type, such as `brave_samosa`."""
    return f"{secrets.choice(_FIRST)}_{secrets.choice(_SECOND)}"
