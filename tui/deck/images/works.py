"""The long works of the images view: each runs in a thread, tells its job how far it is, returns what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic

from engine.client import EngineClient, context, credentials
from engine.model import BuildOptions, BuildProgress, ImageSummary, Transfer
from tui import archives
from tui.deck.jobs.job import Job, Part
from tui.presentation.builds import head, outcome
from tui.presentation.images import short_id, tidy
from tui.presentation.quantities import size
from tui.presentation.text import harmless

FINISHED = ("done", "there", "mounted")
WORDS = {"moving": "", "there": "was here already", "mounted": "was there already", "done": ""}
Transferring = Iterable[Transfer]


def pull(client: EngineClient, job: Job, name: str) -> str:
    """Fetch an image from its registry."""
    job.tell("asking the registry")
    with client.image_pull(name, login=credentials.find(name)) as transfers:
        job.hold(transfers)
        return _came(_follow(job, transfers), name)


def push(client: EngineClient, job: Job, ref: str, to: str) -> str:
    """Send an image to a registry."""
    job.tell("asking the registry")
    with client.image_push(ref, to, credentials.find(to or ref)) as transfers:
        job.hold(transfers)
        last = _follow(job, transfers)
    moved = sum(part.size for part in last.parts if part.state == "done") if last else 0
    return f"{tidy(to or ref)} is at its registry: {size(moved) if moved else 'nothing'} had to go"


def load(client: EngineClient, job: Job, path: Path) -> str:
    """Take in the images of an archive or an OCI layout."""
    counted = _counted(job, path.name, path.stat().st_size if path.is_file() else None)
    with client.image_load(archives.opened(path), on_bytes=counted) as transfers:
        job.hold(transfers)
        return _came(_follow(job, transfers), path.name)


def import_rootfs(client: EngineClient, job: Job, path: Path, name: str) -> str:
    """Make an image of a root file system's archive."""
    image = client.image_import(path, name, _counted(job, path.name, path.stat().st_size))
    job.made = image.id
    return f"{', '.join(map(tidy, image.names))} is here: {size(image.size)}"


def save(client: EngineClient, job: Job, ref: str, path: Path, format: str) -> str:
    """Write an image to an archive; of one that is broken off nothing stays."""
    saved = client.image_save([ref], format)
    job.hold(saved)
    heard = _counted(job, path.name, saved.size)

    def pieces() -> Iterator[bytes]:
        done = 0
        for piece in saved:
            yield piece
            done += len(piece)
            heard(done)

    try:
        archives.write(path, pieces())
    finally:
        saved.close()
    return f"{path} has {tidy(ref)}: {size(saved.size)}"


def build(client: EngineClient, job: Job, folder: Path, name: str) -> str:
    """Build an image from a folder's Containerfile; its steps are the job's parts, its output the job's."""
    path = context.find_containerfile(folder)
    asked = BuildOptions(containerfile=context.read_text(path), file=path.name, names=[name] if name else [])
    sent = 0

    def packed() -> Iterator[bytes]:
        nonlocal sent
        for piece in context.pack(folder, context.rules(folder, path)):
            yield piece
            sent += len(piece)
            job.tell(f"sending the folder: {size(sent)}")

    steps = Steps(job)
    with client.image_build(asked, packed()) as going:
        job.hold(going)
        for progress in going:
            steps.take(progress)
    if (image := steps.image) is None:
        return f"{folder.name} is built"
    job.made = image.id
    return f"{', '.join(map(tidy, image.names)) or short_id(image.id)} is built: {size(image.size)}"


class Steps:
    """A build's progress as a job's parts and output."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._parts: dict[int, Part] = {}
        self._rest = ""
        self.image: ImageSummary | None = None

    def take(self, progress: BuildProgress) -> None:
        """Take one thing that happened."""
        if progress.what == "output":
            *whole, self._rest = (self._rest + progress.text).split("\n")
            for line in whole:
                self._job.write(f"  {line.rpartition(chr(13))[2]}")
            return
        if self._rest:
            self._job.write(f"  {self._rest}")
            self._rest = ""
        if progress.what == "step":
            if progress.step not in self._parts:
                self._job.write(head(progress))
            self._part(progress, "runs", False)
            self._job.tell(f"step {progress.step} of {progress.steps}")
        elif progress.what in ("cached", "layer"):
            self._part(progress, outcome(progress), True)
            if told := outcome(progress):
                self._job.write(f"  → {told}")
        elif progress.what == "warning":
            self._job.write(f"! {progress.text}")
        self.image = progress.image or self.image

    def _part(self, progress: BuildProgress, status: str, finished: bool) -> None:
        known = self._parts.get(progress.step)
        label = head(progress) if progress.text else known.label if known else f"step {progress.step}"
        self._parts[progress.step] = Part(label, 0, None, None, status, finished)
        self._job.show([self._parts[step] for step in sorted(self._parts)])


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


def _follow(job: Job, transfers: Transferring) -> Transfer | None:
    last = None
    for last in transfers:
        job.show(parts(last))
        job.tell(harmless(last.notes[-1]) if last.notes else "")
    if last is not None and last.images:
        job.made = last.images[0].id
    return last


def _counted(job: Job, label: str, total: int | None) -> Callable[[int], None]:
    """Hears how many bytes of one thing have gone, and tells the job."""
    began = monotonic()

    def heard(done: int) -> None:
        elapsed = monotonic() - began
        whole = total is not None and done >= total
        job.show([Part(label, done, total, done / elapsed if elapsed and not whole else None, "", whole)])
        job.tell("unpacking" if whole else "")

    return heard


def _came(transfer: Transfer | None, name: str) -> str:
    images = transfer.images if transfer else []
    names = ", ".join(tidy(one) for image in images for one in image.names) or tidy(name)
    moved = sum(part.size for part in transfer.parts if part.state == "done") if transfer else 0
    there = sum(1 for part in transfer.parts if part.state == "there") if transfer else 0
    came = f"{size(moved)} came" if moved else "all of it was here already"
    return f"{names} is here: {came}" + (f", {there} layers were here already" if there and moved else "")
