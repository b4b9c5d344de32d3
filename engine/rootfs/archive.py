"""A container's root from the engine's side: what changed in it, and copying in and out as Docker does.

Each question is answered by a confined worker process of its own, so that neither a hostile tree nor a large
one is met on the engine's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from engine.errors import BadRequest, TiffinError, revived
from engine.model import JSON, Change, FileChange, Problem
from engine.rootfs.private import Copied, Used
from engine.rootfs.root import Root
from engine.rootfs.worker import Compare, Copy, Diff, Export, In, Job, Order, Out, Stat, Usage

CHUNK = 1 << 18
CODE = Path(__file__).resolve().parents[2]  # the folder `engine` is in


async def diff(upper: Path, lower: Sequence[Path], stubs: Sequence[str] = ()) -> list[Change]:
    """What a container's private layer changes against those below, topmost first; sorted; TiffinError.

    `stubs` are paths that something is mounted on: empty places made for that are no changes.
    """
    return msgspec.json.decode(await _answer(Diff([upper, *lower], [*stubs])), type=list[Change])


async def stat(root: Root, path: str) -> JSON:
    """Name, size, mode, mtime and linkTarget of a path, as in Docker's X-Docker-Container-Path-Stat.

    Raises NotFound and other TiffinErrors.
    """
    answer: JSON = msgspec.json.decode(await _answer(Stat(root, path)))
    return answer


async def archive_out(root: Root, path: str) -> Stream:
    """A tar stream of what is at `path`: a symbolic link as such, a folder with all below it.

    With a trailing `/.` it is the folder's content, without its name. Raises NotFound and other TiffinErrors
    here or, for what turns up half-way, while iterating.
    """
    return await _stream(Out(root, path))


async def archive_in(root: Root, path: str, chunks: AsyncIterator[bytes]) -> None:
    """Unpack a tar stream, plain or compressed by gzip, bzip2 or xz, in the folder at `path`.

    A folder and something else never replace each other. Raises NotFound where there is no such folder,
    NotPermitted where it is read-only, BadRequest for a bad archive, and whatever `chunks` raises; what was
    unpacked before stays.
    """
    worker = await _Worker.start(In(root, path), stdin=asyncio.subprocess.PIPE)
    try:
        await worker.feed(chunks)
        await worker.read()
    finally:
        await worker.end()


async def export(layers: Sequence[Path]) -> Stream:
    """A tar stream of all that layers show together, topmost first; nothing mounted in it; TiffinError."""
    return await _stream(Export([*layers]))


async def compare(layers: Sequence[Path], path: str, limit: int) -> FileChange:
    """One path in the layers below the topmost, and in all; NotFound where it is in none."""
    return msgspec.json.decode(await _answer(Compare([*layers], path, limit)), type=FileChange)


async def copy(source: Path, target: Path) -> Copied:
    """Copy a layer into the empty folder `target`, sharing data where the file system can; TiffinError."""
    return Copied(**msgspec.json.decode(await _answer(Copy(source, target))))


async def usage(folders: Sequence[Path]) -> list[Used]:
    """What folders take on disk, each on its own; nothing where one is missing; TiffinError."""
    return [Used(**used) for used in msgspec.json.decode(await _answer(Usage([*folders])))]


class Stream:
    """Pieces of a tar stream; `aclose` ends it early, and with it the process that makes it."""

    def __init__(self, worker: _Worker, first: bytes) -> None:
        self._worker = worker
        self._first = first

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece, self._first = self._first, b""
        try:
            piece = piece or await self._worker.read()
        except BaseException:
            await self.aclose()
            raise
        if not piece:
            await self.aclose()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Stop; nothing when it has ended."""
        await self._worker.end()


async def _stream(job: Job) -> Stream:
    worker = await _Worker.start(job)
    try:
        return Stream(worker, await worker.read())
    except BaseException:
        await worker.end()
        raise


async def _answer(job: Job) -> bytes:
    worker = await _Worker.start(job)
    try:
        pieces = []
        while piece := await worker.read():
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        await worker.end()


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdout
        assert process.stderr
        self._output = process.stdout
        self._complaints = asyncio.create_task(process.stderr.read())

    @classmethod
    async def start(cls, job: Job, stdin: int = asyncio.subprocess.DEVNULL) -> _Worker:
        try:
            order = msgspec.json.encode(Order(job, os.getpid()), enc_hook=str).decode()
        except UnicodeEncodeError as e:
            raise BadRequest("looking into a container's root: the path is no text", "copy its folder") from e
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-sP", "-m", "engine.rootfs.worker", order),
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=CHUNK,
            env={"PYTHONPATH": str(CODE), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,  # a Ctrl-C at the engine's terminal is not for it
        )
        return cls(process)

    async def read(self) -> bytes:
        """The next piece of its output, empty at the end; raises the error it ended with."""
        piece = await self._output.read(CHUNK)
        if piece:
            return piece
        status = await self._process.wait()
        if status:
            raise _failure(status, await self._complaints)
        return b""

    async def feed(self, chunks: AsyncIterator[bytes]) -> None:
        """Pass everything on to its input; a worker that has ended is no error here."""
        pipe = self._process.stdin
        assert pipe
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            async for chunk in chunks:
                pipe.write(chunk)
                await pipe.drain()
            pipe.close()
            await pipe.wait_closed()

    async def end(self) -> None:
        """Kill it where it still runs, and let go of it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._complaints.cancel()
        await asyncio.gather(self._complaints, return_exceptions=True)
        # A pipe of which nobody reads the rest would stay open until the collector comes.
        self._process._transport.close()  # type: ignore[attr-defined]


def _failure(status: int, said: bytes) -> TiffinError:
    try:
        problem = msgspec.json.decode(said, type=Problem)
    except msgspec.MsgspecError:
        last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        return TiffinError(f"a worker process ended with status {status}: {last}", "look into engine.log")
    return revived(problem.kind, problem.message, problem.remedy)
