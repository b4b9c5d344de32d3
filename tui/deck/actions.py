"""What keys do to containers: client calls in threads, each failure one readable sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import UNSET

from engine.errors import TiffinError
from engine.model import IoLimit, Limits, LimitsApplied, LimitsChange, Sample
from tui.deck.background import Background
from tui.deck.engine_link import HISTORY_FIELDS, Link
from tui.deck.messages import Notice
from tui.deck.selection import Gauge
from tui.deck.steps import turn
from tui.deck.store import MINUTE, Store
from tui.presentation.quantities import exact_cores, size_limit

Verb = Literal["start", "stop", "restart", "pause", "unpause", "kill", "remove"]
DOING: dict[Verb, str] = {
    "start": "starting", "stop": "stopping", "restart": "restarting", "pause": "pausing",
    "unpause": "waking", "kill": "killing", "remove": "removing",
}  # fmt: skip


class Actions:
    """The verbs of the deck; each returns at once and what became of it is told later.

    `tell` posts a notice from any thread; `later` runs a function in the app's thread, from any thread;
    `changed` is called in the app's thread after the store was changed.
    """

    def __init__(
        self, link: Link, store: Store, tell: Callable[[Notice], object], later: Callable[..., object],
        changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._link = link
        self._store = store
        self._tell = tell
        self._later = later
        self._changed = changed
        self._background = Background()

    def attempt(
        self,
        work: Callable[[], object],
        done: str = "",
        *,
        lane: str = "",
        then: Callable[[], object] | None = None,
    ) -> None:
        """Run `work` in a thread and say `done`, or the error's sentence.

        `then` runs in the app's thread in any case. Works of one lane run in the order they came.
        """

        def run() -> None:
            try:
                work()
            except TiffinError as error:
                self._tell(Notice(str(error), "error"))
            else:
                if done:
                    self._tell(Notice(done))
            finally:
                if then is not None:
                    self._later(then)

        self._background.run(run, lane)

    def act(self, verb: Verb, id: str) -> None:
        """Do one of the verbs to a container; until it is done, the screen says so."""
        client = self._link.client
        works: dict[Verb, Callable[[], None]] = {
            "start": lambda: client.start(id),
            "stop": lambda: client.stop(id),
            "restart": lambda: client.restart(id),
            "pause": lambda: client.pause(id),
            "unpause": lambda: client.unpause(id),
            "kill": lambda: client.kill(id),
            "remove": lambda: client.remove(id, force=True),
        }
        self._occupy(id, DOING[verb])
        self.attempt(works[verb], then=lambda: self._occupy(id, ""))

    def catch_up(self) -> None:
        """Fill in what happened while the screen was not there to see it."""

        def work() -> None:
            histories = self._link.client.history_all(MINUTE, HISTORY_FIELDS)
            self._later(self._store.seed, histories)

        self.attempt(work)

    # ── limits ──────────────────────────────────────────────────────────────────────────────────────────────

    def turn(self, id: str, gauge: Gauge, up: bool) -> bool:
        """Turn one limit a step; False where there is no further step.

        The screen shows the new limit at once, so that the next key goes on from it; what the kernel then
        took replaces it, and so does the old limit where it refused.
        """
        container, host = self._store.containers[id], self._store.host
        step = turn(
            gauge,
            container.limits,
            up,
            cores=host.cores,
            memory=host.memory_total,
            used=_used(gauge, self._store.sample(id)),
            device=self.device(container.limits),
        )
        if step is None:
            return False
        before = container.limits
        self._show(id, merged(before, step))

        def work() -> None:
            try:
                applied = self._link.client.update(id, step)
            except TiffinError:
                self._later(self._show, id, before)
                raise
            self._later(self._took, id, step, applied)

        self.attempt(work, lane=f"limits {id}")
        return True

    def undo(self, id: str) -> None:
        """Take back the last change of one container's limits."""
        name = self._store.containers[id].name

        def work() -> None:
            applied = self._link.client.undo(id)
            self._later(self._show, id, applied.after)
            self._tell(Notice(f"{name}: {changes(applied)}"))

        self.attempt(work, lane=f"limits {id}")

    def _took(self, id: str, asked: LimitsChange, applied: LimitsApplied) -> None:
        container = self._store.containers.get(id)
        if (
            container is not None and merged(applied.before, asked) == container.limits
        ):  # no later key turned it on
            self._show(id, applied.after)

    def device(self, limits: Limits) -> str:
        """The device that the IO gauge turns: one limited already, or the one with the containers' files."""
        if limits.io:
            return next(iter(limits.io))
        try:
            number = self._link.client.instance.state.stat().st_dev
        except OSError:  # no state yet: the engine will say what it makes of it
            number = 0
        return f"{os.major(number)}:{os.minor(number)}"

    def _show(self, id: str, limits: Limits) -> None:
        self._store.turned(id, limits)
        self._changed()

    def _occupy(self, id: str, doing: str) -> None:
        self._store.occupy(id, doing)
        self._changed()


def _used(gauge: Gauge, sample: Sample) -> int:
    """Bytes of memory in use, or the larger of bytes read and written a second."""
    if gauge == "io":
        return int(max(sample.io_read or 0, sample.io_write or 0))
    return sample.memory or 0


def merged(limits: Limits, change: LimitsChange) -> Limits:
    """The limits as they are once the kernel has taken a change."""
    fields = {
        name: value for name in Limits.__struct_fields__ if (value := getattr(change, name)) is not UNSET
    }
    if "io" in fields:
        fields["io"] = {d: limit for d, limit in {**limits.io, **fields["io"]}.items() if limit != IoLimit()}
    return msgspec.structs.replace(limits, **fields)


def changes(applied: LimitsApplied) -> str:
    """What one change of limits did, in words: "cpus 0.5 → ∞"."""
    names = [f for f in Limits.__struct_fields__ if getattr(applied.before, f) != getattr(applied.after, f)]
    told = (
        f"{name.replace('_', ' ')} {_said(name, applied.before)} → {_said(name, applied.after)}"
        for name in names
    )
    return ", ".join(told) or "nothing changed"


def _said(name: str, limits: Limits) -> str:
    value = getattr(limits, name)
    if value is None or value == {}:
        return "∞"
    if name in ("memory", "memory_high", "swap"):
        return size_limit(value)
    if name == "io":
        return ", ".join(f"{device} {size_limit(limit.write_bps)}/s" for device, limit in value.items())
    if isinstance(value, bool):
        return "on" if value else "off"
    return exact_cores(value) if isinstance(value, float) else str(value)
