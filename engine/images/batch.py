"""Several layers unpacked by one worker, each by a child of its own with the layer as its root.

A worker costs a tenth of a second before its first byte, and images have up to a hundred layers and more. It is
single-threaded, so that it may fork.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import msgspec

from engine.errors import KernelError, TiffinError, revived
from engine.images.unpacking import Unpacked, UnpackJob, open_blob, open_folder, place, unpack_layer
from engine.kernel.syscalls import PR_SET_PDEATHSIG, prctl, syncfs

LANES = 2  # at once: one writes while the other decompresses


class BatchJob(msgspec.Struct, frozen=True, tag=True):
    """Unpack several blobs, given by path, each as its own job says."""

    parts: list[tuple[str, UnpackJob]]


class Batch(msgspec.Struct, frozen=True):
    """What became of each, in the same order."""

    layers: list[Unpacked]


class _Failure(msgspec.Struct):
    kind: str
    message: str
    remedy: str


class _Answer(msgspec.Struct):
    unpacked: Unpacked | None = None
    error: _Failure | None = None


class _Child(NamedTuple):
    number: int
    answer: int  # the end of a pipe to read its answer from


def unpack_batch(job: BatchJob) -> Batch:
    """Do a BatchJob; the first failure is raised once nothing is at work any more: TiffinError, OSError."""
    answers: dict[int, _Answer] = {}
    children: dict[int, _Child] = {}
    waiting = list(enumerate(job.parts))[::-1]
    while children or waiting:
        failed = any(answer.error for answer in answers.values())
        if waiting and not failed and len(children) < LANES:
            number, (blob, part) = waiting.pop()
            pid, answer = _start(blob, part)
            children[pid] = _Child(number, answer)
            continue
        if not children:
            break
        pid, status = os.wait()
        child = children.pop(pid)
        answers[child.number] = _read(child.answer, status)
    whole = [job.parts[number][1] for number, answer in answers.items() if answer.unpacked]
    _place(whole)
    for done in answers.values():
        if done.error:
            raise revived(done.error.kind, done.error.message, done.error.remedy)
    return Batch([answers[number].unpacked for number in sorted(answers)])  # type: ignore[misc]


def _place(jobs: Sequence[UnpackJob]) -> None:
    """Name what is whole, once all of it is on disk: one sync for many layers."""
    if jobs:
        folder = open_folder(jobs[0].layers)
        syncfs(folder)
        for job in jobs:
            place(folder, job.temporary, job.diff_id)


def _start(blob: str, job: UnpackJob) -> tuple[int, int]:
    source = open_blob(blob, job.diff_id)
    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(parent, source, writing, job)
    os.close(source)
    os.close(writing)
    return pid, reading


def _child(parent: int, source: int, answer: int, job: UnpackJob) -> NoReturn:
    status = 1
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            os.dup2(source, 0)
            os.write(answer, msgspec.json.encode(_attempt(job)))
            status = 0
    finally:
        os._exit(status)


def _attempt(job: UnpackJob) -> _Answer:
    try:
        try:
            return _Answer(unpack_layer(job, lambda _: None, whole=False))
        except OSError as e:
            raise KernelError.of(f"unpacking the layer {job.diff_id}", e) from e
    except TiffinError as e:
        return _Answer(error=_Failure(e.kind, e.message, e.remedy))


def _read(pipe: int, status: int) -> _Answer:
    with open(pipe, "rb") as file:
        told = file.read()
    if status == 0 and told:
        return msgspec.json.decode(told, type=_Answer)
    how = f"it was killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "it gave no answer"
    return _Answer(error=_Failure("TiffinError", f"unpacking a layer: {how}", "try again"))
