"""Questions of one screen to the engine: asked in threads, answered in the app's thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from typing import TypeVar

from textual.dom import DOMNode

from engine.errors import TiffinError
from tui.deck.background import Background

T = TypeVar("T")


class Asking:
    """Asks for one node; an answer that comes after the node was taken away is dropped."""

    def __init__(self, node: DOMNode) -> None:
        self._node = node
        self._background = Background()
        self._open: set[str] = set()

    def busy(self, what: str) -> bool:
        """Whether a question of that name has no answer yet."""
        return what in self._open

    def ask(
        self,
        what: str,
        work: Callable[[], T],
        then: Callable[[T], object],
        failed: Callable[[TiffinError], object],
    ) -> bool:
        """Run `work` in a thread, then one of the others here; False where one of that name is under way."""
        if what in self._open:
            return False
        self._open.add(what)
        later = self._node.app.call_later  # taken here: a thread has no app of its own

        def run() -> None:
            try:
                answer = work()
            except TiffinError as error:
                later(self._done, what, partial(failed, error))
            else:
                later(self._done, what, partial(then, answer))

        self._background.run(run)
        return True

    async def _done(self, what: str, tell: Callable[[], object]) -> None:
        self._open.discard(what)
        if self._node.is_attached:
            told = tell()
            if isawaitable(told):
                await told
