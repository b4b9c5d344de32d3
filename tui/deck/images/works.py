"""The long works of the images view: each runs in a thread, tells its job how far it is, returns what came of it."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from engine.client import EngineClient
from engine.model import Transfer
from tui.deck.jobs.job import Job, Part
from tui.presentation.images import short_id, tidy
from tui.presentation.quantities import size

FINISHED = ("done", "there", "mounted")
WORDS = {"moving": "", "there": "was here already", "mounted": "was there already", "done": ""}


def parts(transfer: Transfer) -> list[Part]:
    """A transfer's blobs as parts of a job."""
    return [
        Part(
            short_id(part.digest),
            part.done,
            part.size,
            part.rate if part.state == "moving" else None,
            part.note or WORDS.get(part.state, part.state),
            part.state in FINISHED,
        )
        for part in transfer.parts
    ]


def pull(client: EngineClient, job: Job, name: str) -> str:
    """Fetch an image from its registry."""
    last = None
    with client.image_pull(name) as transfers:
        job.hold(transfers)
        for last in transfers:
            job.show(parts(last))
            job.tell(last.notes[-1] if last.notes else "")
    return _came(last, name)


def import_rootfs(client: EngineClient, job: Job, path: Path, name: str) -> str:
    """Make an image of a root file system's archive."""
    began, total = monotonic(), path.stat().st_size if path.exists() else 0

    def on_bytes(sent: int) -> None:
        elapsed = monotonic() - began
        job.show([Part(path.name, sent, total, sent / elapsed if elapsed else None, "", sent >= total)])
        job.tell("unpacking" if sent >= total else "")

    image = client.image_import(path, name, on_bytes)
    return f"{', '.join(map(tidy, image.names))} is here: {size(image.size)}"


def _came(transfer: Transfer | None, name: str) -> str:
    images = transfer.images if transfer else []
    names = ", ".join(tidy(one) for image in images for one in image.names) or name
    moved = sum(part.size for part in transfer.parts if part.state == "done") if transfer else 0
    there = sum(1 for part in transfer.parts if part.state == "there") if transfer else 0
    came = f"{size(moved)} came" if moved else "nothing had to come"
    return f"{names} is here: {came}" + (f", {there} layers were here already" if there and moved else "")
