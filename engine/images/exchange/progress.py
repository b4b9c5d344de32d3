"""What a transfer tells of itself, and work that several ask for but that is done once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from typing import Literal

from engine.errors import TiffinError
from engine.model import ImageSummary, Problem, Transfer, TransferPart

INTERVAL = 0.1  # seconds between two reports, at least
WINDOW = 3.0  # seconds over which a rate is taken

State = Literal["waiting", "moving", "retrying", "unpacking", "done", "there", "mounted"]

log = logging.getLogger(__name__)


class Part:
    """One blob on its way."""

    def __init__(self, job: Job, digest: str, size: int) -> None:
        self._job = job
        self.digest = digest
        self.size = size
        self.done = 0
        self._state: State = "waiting"
        self._note = ""
        self._marks: deque[tuple[float, int]] = deque()

    def moved(self, done: int) -> None:
        """Tell that so many bytes have arrived by now."""
        now = time.monotonic()
        self.done = done
        if self._marks and now - self._marks[-1][0] < INTERVAL / 2:
            return
        self._marks.append((now, done))
        while self._marks[0][0] < now - WINDOW and len(self._marks) > 2:
            self._marks.popleft()
        self._job.changed()

    def is_now(self, state: State, note: str = "") -> None:
        """Tell what becomes of it."""
        self._state, self._note = state, note
        if state != "moving":
            self._marks.clear()
        if state in ("done", "there", "mounted"):
            self.done = self.size
        self._job.changed()

    def snapshot(self) -> TransferPart:
        """As clients see it."""
        rate = 0.0
        if self._state == "moving" and len(self._marks) > 1:
            began, first = self._marks[0]
            ended = time.monotonic()  # where nothing came for a while the rate sinks
            rate = max(0.0, (self.done - first) / max(ended - began, 1e-3))
        return TransferPart(
            digest=self.digest,
            size=self.size,
            done=self.done,
            rate=rate,
            state=self._state,
            note=self._note,
        )


class Job:
    """One pull, push or load, for all who asked for it."""

    def __init__(self, verb: Literal["pull", "push", "load"], name: str) -> None:
        self.verb = verb
        self.name = name
        self.notes: list[str] = []
        self.digest = ""
        self.images: list[ImageSummary] = []
        self.names: list[str] = []
        self.followers = 0
        self.task: asyncio.Task[None]
        self._parts: dict[str, Part] = {}
        self._problem: Problem | None = None
        self._change = asyncio.Event()

    def part(self, digest: str, size: int) -> Part:
        """The part for a blob; one for each digest."""
        return self._parts.setdefault(digest, Part(self, digest, size))

    def note(self, text: str) -> None:
        """Tell the user something, once."""
        if text and text not in self.notes:
            self.notes.append(text)
            self.changed()

    def changed(self) -> None:
        """There is something new to tell."""
        self._change.set()

    async def run(self, work: Callable[[Job], Awaitable[None]]) -> None:
        """Do the work; its failure becomes the last thing that is told."""
        try:
            await work(self)
        except TiffinError as error:
            self._problem = Problem(
                message=error.message, remedy=error.remedy, kind=error.kind, exit_code=error.exit_code
            )
        except Exception as error:
            log.exception("%s %s", self.verb, self.name)
            what = f"{self.verb} of {self.name} failed: {type(error).__name__}: {error}"
            self._problem = Problem(message=what, remedy="see engine.log", kind="TiffinError")
        finally:
            self.changed()

    async def tell(self) -> AsyncIterator[Transfer]:
        """Snapshots while it goes on, at most ten a second, then the last one."""
        while not self.task.done():
            yield self._snapshot(finished=False)
            self._change.clear()
            await asyncio.wait([self.task], timeout=INTERVAL)
            changed = asyncio.ensure_future(self._change.wait())
            try:
                await asyncio.wait([self.task, changed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
        if self.task.cancelled():
            self._problem = Problem(message=f"{self.verb} of {self.name} was given up", kind="TiffinError")
        yield self._snapshot(finished=True)

    def _snapshot(self, finished: bool) -> Transfer:
        return Transfer(
            verb=self.verb,
            name=self.name,
            parts=[part.snapshot() for part in self._parts.values()],
            notes=list(self.notes),
            finished=finished,
            digest=self.digest,
            images=self.images,
            names=self.names,
            problem=self._problem,
        )


class Jobs:
    """What is going on now, by what makes two requests the same."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Job] = {}

    @asynccontextmanager
    async def follow(
        self,
        key: Hashable,
        verb: Literal["pull", "push", "load"],
        name: str,
        work: Callable[[Job], Awaitable[None]],
    ) -> AsyncIterator[AsyncIterator[Transfer]]:
        """Join the job of this key, or begin it; it ends early when the last follower leaves."""
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = Job(verb, name)
            job.task = asyncio.create_task(job.run(work))
            job.task.add_done_callback(lambda _: self._jobs.pop(key, None))
        job.followers += 1
        try:
            yield job.tell()
        finally:
            job.followers -= 1
            if not job.followers and not job.task.done():
                self._jobs.pop(key, None)  # who comes now begins anew
                await _end(job.task)

    async def close(self) -> None:
        """End all work."""
        for job in list(self._jobs.values()):
            await _end(job.task)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait([task])
