"""What keys do to containers: client calls in threads, each failure one readable sentence."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import TiffinError
from engine.model import Limits, LimitsApplied
from tui.deck.background import Background
from tui.deck.engine_link import Link
from tui.deck.messages import Notice
from tui.deck.steps import Turn

Post = Callable[[object], object]


class Actions:
    """The verbs of the deck; each returns at once and says later what became of it."""

    def __init__(self, link: Link, post: Post, applied: Callable[[str, Limits], None]) -> None:
        """`post` and `applied` (called with the id and limits that the kernel took) may be called in any thread."""
        self._link = link
        self._post = post
        self._applied = applied
        self._background = Background()

    def attempt(
        self, work: Callable[[], object], done: str = "", lane: str = "", then: Callable[[], None] | None = None
    ) -> None:
        """Run `work` in a thread and say `done`, or the error's sentence; `then` runs in that thread in either case."""

        def run() -> None:
            try:
                work()
            except TiffinError as error:
                self._post(Notice(str(error), "error"))
            else:
                if done:
                    self._post(Notice(done))
            finally:
                if then is not None:
                    then()

        self._background.run(run, lane)

    def start(self, id: str) -> None:
        """Start one."""
        self.attempt(lambda: self._link.client.start(id))

    def stop(self, id: str) -> None:
        """Stop one within its grace time."""
        self.attempt(lambda: self._link.client.stop(id))

    def restart(self, id: str) -> None:
        """Stop and start one."""
        self.attempt(lambda: self._link.client.restart(id))

    def pause(self, id: str) -> None:
        """Freeze one."""
        self.attempt(lambda: self._link.client.pause(id))

    def unpause(self, id: str) -> None:
        """Thaw one."""
        self.attempt(lambda: self._link.client.unpause(id))

    def kill(self, id: str) -> None:
        """Send SIGKILL."""
        self.attempt(lambda: self._link.client.kill(id))

    def remove(self, id: str) -> None:
        """Remove one with its private layer and logs, running or not."""
        self.attempt(lambda: self._link.client.remove(id, force=True))

    def turn(self, id: str, name: str, turn: Turn, then: Callable[[], None]) -> None:
        """Set one limit to its next step; changes of one container are made in the order of the keys."""

        def work() -> None:
            self._took(id, self._link.client.update(id, turn.change))

        self.attempt(work, lane=f"limits {id}", then=then)

    def undo(self, id: str, name: str) -> None:
        """Take back the last change of one container's limits."""

        def work() -> None:
            applied = self._link.client.undo(id)
            self._took(id, applied)
            self._post(Notice(f"{name}: {changes(applied)}"))

        self.attempt(work, lane=f"limits {id}")

    def _took(self, id: str, applied: LimitsApplied) -> None:
        self._applied(id, applied.after)


def changes(applied: LimitsApplied) -> str:
    """What one undo changed, in words: "cpus ∞ → 0.5"."""
    names = [f for f in Limits.__struct_fields__ if getattr(applied.before, f) != getattr(applied.after, f)]
    return ", ".join(
        f"{name.replace('_', ' ')} {_said(getattr(applied.before, name))} → {_said(getattr(applied.after, name))}"
        for name in names
    ) or "nothing changed"


def _said(value: object) -> str:
    return "∞" if value is None else str(value)

