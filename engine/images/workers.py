"""The engine's side of the worker processes: start one, feed it, hear its progress and its answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine import errors

T = TypeVar("T")
Report = Callable[[int], None]
LINE_LIMIT = 1 << 24  # bytes of an answer; all problems of a large store fit
CODE = Path(__file__).resolve().parents[2]  # the folder `engine` is in


class _Failure(msgspec.Struct):
    kind: str
    message: str
    remedy: str


class _Line(msgspec.Struct):
    done: int | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: _Failure | None = None


async def work(
    job: msgspec.Struct,
    answer: type[T],
    *,
    source: AsyncIterable[bytes] | int | None = None,
    progress: Report | None = None,
    module: str = "engine.images.worker",
) -> T:
    """Have one job done in a process of its own, by the worker in `module`.

    `source` is what the worker reads on standard input: bytes to pass on, or a descriptor to hand over.
    Raises the worker's TiffinError, or one of its own where it died; whatever `source` raises ends the
    worker too.
    """
    order = msgspec.json.encode({"job": job, "parent": os.getpid()}, enc_hook=str).decode()
    stdin = (
        source
        if isinstance(source, int)
        else asyncio.subprocess.PIPE
        if source
        else asyncio.subprocess.DEVNULL
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-sP", "-m", module, order,
        stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(CODE), "PATH": os.defpath, "LC_ALL": "C.UTF-8"}, cwd="/",
        start_new_session=True,  # a Ctrl-C at the engine's terminal is not for it
        limit=LINE_LIMIT,
    )  # fmt: skip
    tasks: list[asyncio.Task[Any]] = []
    try:
        hearing = asyncio.create_task(_hear(process, progress))
        complaints = asyncio.create_task(_read(process.stderr))
        tasks += [hearing, complaints]
        if source is not None and not isinstance(source, int):
            assert process.stdin is not None
            tasks.append(asyncio.create_task(_feed(source, process.stdin)))
            done, _ = await asyncio.wait(tasks[::2], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a source that breaks off must not be taken for one that ends
        last = await hearing
        status = await process.wait()
        if last.error is not None:
            raise errors.revived(last.error.kind, last.error.message, last.error.remedy)
        if not bytes(last.result):
            said = (await complaints).decode(errors="replace").strip().splitlines()
            raise _died(status, said[-1] if said else "")
        return msgspec.json.decode(last.result, type=answer)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await process.wait()


async def _hear(process: asyncio.subprocess.Process, progress: Report | None) -> _Line:
    """The worker's last line; progress is passed on meanwhile."""
    assert process.stdout is not None
    line = _Line()
    while raw := await process.stdout.readline():
        line = msgspec.json.decode(raw, type=_Line)
        if line.done is not None and progress is not None:
            progress(line.done)
    return line


def _died(status: int, said: str) -> errors.TiffinError:
    if status < 0:
        return errors.TiffinError(
            f"a worker process was killed by {signal.Signals(-status).name}",
            "try again; if nobody killed it, the machine ran out of memory",
        )
    return errors.TiffinError(f"a worker process ended with status {status} and no answer: {said}")


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    return await stream.read()


async def _feed(source: AsyncIterable[bytes], pipe: asyncio.StreamWriter) -> None:
    """Pass all of the source on; its end is passed on only if it is one, not where the source fails."""
    async for piece in source:
        pipe.write(piece)
        try:
            await pipe.drain()
        except (BrokenPipeError, ConnectionResetError):
            return  # the worker has heard enough; its answer says why
    pipe.close()
