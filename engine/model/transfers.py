"""Images on their way: from and to registries and archives."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun
from engine.model.engine import Problem
from engine.model.images import ImageSummary


class RegistryLogin(Noun, frozen=True):
    """Who asks a registry; with a token (Docker's "identity token") instead of a password."""

    registry: str = ""  # "docker.io", "registry.lan:5000"
    username: str = ""
    password: str = ""
    token: str = ""


class TransferPart(Noun, frozen=True):
    """One blob of a transfer.

    `state`: waiting; moving (bytes flow); retrying (broken off, goes on soon); unpacking; then done, there (it
    was here, or at the registry, already) or mounted (the registry took it from another repository).
    """

    digest: str
    size: int  # bytes
    done: int = 0  # bytes
    rate: float = 0.0  # bytes a second, while it moves
    state: Literal["waiting", "moving", "retrying", "unpacking", "done", "there", "mounted"] = "waiting"
    note: str = ""  # "goes on at 12M", "connection reset, again in 2 s"


class Transfer(Noun, frozen=True):
    """How far a pull, push or load is; the last one has `images`, or the `problem` that ended it."""

    verb: Literal["pull", "push", "load"]
    name: str  # as it was asked for
    parts: list[TransferPart] = []  # in the order of the layers, lowest first
    notes: list[str] = []  # what the user should know: which platform was chosen, which emulator it needs
    finished: bool = False
    digest: str = ""  # of the manifest, or of the index that was asked for
    images: list[ImageSummary] = []
    names: list[str] = []  # by which they came from an archive; the id of one without a name
    problem: Problem | None = None
