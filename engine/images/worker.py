"""A confined process for one heavy or risky job: `python -sP -m engine.images.worker JOB`, a JSON object.

It answers on standard output in JSON lines: `{"done": BYTES}` now and then, at last `{"result": …}` or
`{"error": {…}}`. It dies with the engine that started it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from engine.errors import KernelError, TiffinError
from engine.images import batch, hiding, mending, packaged, packing, unpacking, verify
from engine.images.exchange import archives, inflating
from engine.launch.confine import confine

T = TypeVar("T")
REPORT_INTERVAL = 0.1  # seconds between progress lines

Job = (
    hiding.HostJob
    | unpacking.ImportJob
    | unpacking.UnpackJob
    | packing.PackJob
    | verify.VerifyJob
    | archives.LoadJob
    | inflating.InflateJob
    | packaged.AboutJob
    | mending.MendJob
    | batch.BatchJob
)


class Order(msgspec.Struct, frozen=True):
    """A job and the pid of the engine that wants it done."""

    job: Job
    parent: int


def say(message: dict[str, Any]) -> None:
    """Write one line of the answer."""
    line = msgspec.json.encode(message) + b"\n"
    while line:
        line = line[os.write(1, line) :]


class Progress:
    """Passes on how many bytes are done, not too often."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, done: int) -> None:
        """Tell it that `done` bytes are done by now."""
        now = time.monotonic()
        if now - self._last >= REPORT_INTERVAL:
            self._last = now
            say({"done": done})


def run(order: Order, progress: Progress) -> msgspec.Struct:
    """Do one job, confined; raises TiffinError, OSError."""
    job = order.job
    if isinstance(job, packing.PackJob):  # has to open layers before it is shut in one of them
        return packing.pack_layer(job, order.parent, progress)
    if isinstance(job, packaged.AboutJob):
        return packaged.about(job, order.parent)
    if isinstance(job, mending.MendJob):
        return mending.mend(job, order.parent)
    confine(order.parent)
    match job:
        case hiding.HostJob():
            return hiding.make(job)
        case unpacking.ImportJob():
            return unpacking.import_layer(job, progress)
        case batch.BatchJob():
            return batch.unpack_batch(job)
        case unpacking.UnpackJob():
            return unpacking.unpack_layer(job, progress)
        case archives.LoadJob():
            return archives.load(job, progress)
        case inflating.InflateJob():
            return inflating.inflate(job, progress)
        case verify.VerifyJob():
            return verify.verify(job, progress)


def main(order: T, run: Callable[[T, Progress], msgspec.Struct]) -> int:
    """Answer one order; returns the exit status."""
    try:
        try:
            result = run(order, Progress())
        except OSError as e:
            raise KernelError.of(
                f"working on {e.filename}" if e.filename else "working on an image", e
            ) from e
    except TiffinError as e:
        say({"error": {"kind": e.kind, "message": e.message, "remedy": e.remedy}})
        return 1
    say({"result": result})
    return 0


if __name__ == "__main__":
    sys.exit(main(msgspec.json.decode(sys.argv[1], type=Order), run))
