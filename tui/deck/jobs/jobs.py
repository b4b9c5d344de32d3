"""All long work of the app: started from any screen, it goes on while others are open and says when it is done."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import TiffinError
from tui.deck.background import Background
from tui.deck.jobs.job import Cancelled, Job, Verb, View
from tui.deck.messages import Notice

KEPT = 20  # ended jobs that are still shown


class Jobs:
    """Runs them in daemon threads.

    Screens look at `views` at their own pace, so that no flood of progress reaches them; `changed` is called in
    the app's thread each time that one has ended.
    """

    def __init__(
        self,
        tell: Callable[[Notice], object],
        later: Callable[..., object],
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._tell = tell
        self._later = later
        self._changed = changed
        self._background = Background()
        self._jobs: list[Job] = []
        self._next = 1
        self.ended = 0  # how many have
        self._last_made = ""

    def start(self, verb: Verb, subject: str, work: Callable[[Job], str]) -> Job:
        """Begin one; `work` gets it and returns the sentence that says what came of it."""
        job = Job(self._next, verb, subject)
        self._next += 1
        self._jobs.append(job)
        self._forget()

        def run() -> None:
            try:
                told = work(job)
            except Cancelled:
                job.end("cancelled", "cancelled")
            except TiffinError as error:
                if job.cancelled:
                    job.end("cancelled", "cancelled")
                else:
                    job.end("failed", str(error))
                    self._tell(Notice(f"{verb} {subject}: {error}", "error"))
            else:
                job.end("done", told)
                self._tell(Notice(told))
            finally:
                self._later(self._count, job)

        self._background.run(run)
        return job

    def _count(self, job: Job) -> None:
        self.ended += 1
        self._last_made = job.made
        self._changed()

    def job(self, id: int) -> Job | None:
        """One of them."""
        return next((job for job in self._jobs if job.id == id), None)

    def views(self) -> list[View]:
        """All of them, the newest first."""
        return [job.view() for job in reversed(self._jobs)]

    @property
    def running(self) -> list[Job]:
        """Those that have not ended, the newest first."""
        return [job for job in reversed(self._jobs) if job.runs]

    @property
    def last_made(self) -> str:
        """The image that the last work to end made; empty where it made none."""
        return self._last_made

    def cancel(self, id: int) -> None:
        """End one early."""
        job = self.job(id)
        if job is not None and job.runs:
            job.cancel()

    def clear(self) -> None:
        """Forget those that have ended."""
        self._jobs = [job for job in self._jobs if job.runs]

    def _forget(self) -> None:
        ended = [job for job in self._jobs if not job.runs]
        for job in ended[: max(0, len(ended) - KEPT)]:
            self._jobs.remove(job)
