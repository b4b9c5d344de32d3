"""Demos of a victim and a neighbour: in one container, or in one each.

Both lanes take turns of a second or two, in the order A B B A A B B A …, while the other's programs stand still:
at the same time they would disturb each other, and one after the other a change of the machine's load would
count as a result. A curve and its numbers are made of the lane's own turns only.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from engine.containers.rooms import Rooms
from engine.model import Limits, LimitsChange, Measure, Protection, Scenario, Tried, Verdict
from engine.scenarios.demo import Demo
from engine.scenarios.run import Lane, Run
from engine.scenarios.stage import ANSWER, Message, Stage
from engine.scenarios.tally import Tally

TURNS = 10  # a run, where its length allows
LEAST, MOST = 0.5, 2.0  # seconds a turn
HEAD_START = 0.2  # seconds that the neighbour gets before the victim is looked at
VICTIM, NEIGHBOUR, INIT = "word", "setup", "init"


class Duel(Demo):
    """Declares who plays, what protects, and what hurts; playing and measuring are the same for all."""

    title: str
    story: str
    suffering: str
    unit: str = "ms"
    work: str
    seconds: float = 20.0
    every: float = 0.02  # seconds between two acts of the victim that are due
    head_start = HEAD_START
    victim: str  # role and its arguments
    better: str  # "smoother typing"
    network: str = "none"
    resets = False  # the neighbour's container is reset in the end
    together: Limits  # of the one container
    alone: tuple[Limits, Limits]  # of the victim's container, and of the neighbour's
    unprotected_title = "together: one container for both"

    @abstractmethod
    def neighbour(self) -> str:
        """Its role and arguments on this host."""

    @abstractmethod
    def protections(self, rooms: Rooms) -> list[Protection]:
        """What there is, the best first."""

    @abstractmethod
    def limits(self, protection: str) -> tuple[LimitsChange, LimitsChange]:
        """What a protection changes of the victim's container, and of the neighbour's; all knobs are named."""

    def bounded(self, limits: Limits) -> Limits:
        """What a container is started with on this host."""
        return limits

    def suffered(self, tally: Tally) -> float | None:
        """The victim's number."""
        return tally.late(0.99)

    def why_not(self, rooms: Rooms) -> str:
        """Why it cannot be played here."""
        return ""

    @abstractmethod
    def tell_victim(self, lane: Lane, message: Message) -> str:
        """What the victim is doing, for the screen."""

    @abstractmethod
    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """What the neighbour has done, for the screen."""

    # ── what is the same for all ────────────────────────────────────────────────────────────────────────────

    def announce(self, rooms: Rooms) -> Scenario:
        """See Demo."""
        return Scenario(
            name=self.name,
            title=self.title,
            story=self.story,
            suffering=self.suffering,
            unit=self.unit,
            work=self.work,
            seconds=self.seconds,
            protections=self.protections(rooms),
            why_not=self.why_not(rooms),
        )

    async def play(self, stage: Stage) -> None:
        """See Demo."""
        run = stage.run
        run.written.clear()  # the containers of a run that was left are gone
        run.unprotected.title = self.unprotected_title
        await self.set_up(stage)
        await self.protect(stage)
        run.state = "running"
        self.judge(run)
        turn = min(MOST, max(LEAST, run.seconds / TURNS))
        number = round(run.elapsed / turn)
        while run.elapsed < run.seconds - turn / 4:
            if run.asked.is_set():
                run.asked.clear()
                await self.protect(stage)
                lane = run.protected
            else:
                lane = (run.unprotected, run.protected, run.protected, run.unprotected)[number % 4]
            await self._turn(stage, lane, min(turn, run.seconds - run.elapsed))
            self.judge(run)
            number += 1
        await self.finish(stage)

    async def set_up(self, stage: Stage) -> None:
        """Start the containers: one for both, and one each."""
        victim, neighbour = f"{VICTIM}:{self.victim}", f"{NEIGHBOUR}:{self.neighbour()}"
        both, mine, theirs = (_swapless(stage, self.bounded(one)) for one in (self.together, *self.alone))
        await asyncio.gather(
            stage.cast("unprotected", "together", [victim, neighbour], both, network=self.network),
            stage.cast("protected", VICTIM, [victim], mine, network=self.network),
            stage.cast("protected", NEIGHBOUR, [neighbour], theirs, network=self.network, resets=self.resets),
        )

    async def protect(self, stage: Stage) -> None:
        """Put the protection that is wanted in force in the protected lane."""
        run = stage.run
        run.protection = run.wanted
        words = {one.name: one.words for one in run.scenario.protections}
        run.protected.title = f"isolated: {words[run.protection]}"
        mine, theirs = self.limits(run.protection)
        await stage.change("protected", VICTIM, mine)
        await stage.change("protected", NEIGHBOUR, theirs)

    async def finish(self, stage: Stage) -> None:
        """What comes after the last turn."""

    async def _turn(self, stage: Stage, lane: Lane, seconds: float) -> None:
        """One lane's turn; counted when it is whole, also where a change of protection cuts it short."""
        run = stage.run
        lane.part = Tally()
        try:
            async with self._acting(stage, lane):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(run.asked.wait(), seconds)
            key = "" if lane is run.unprotected else run.protection
            lane.tallies[key] = lane.tally(key)
            lane.clock += lane.acted
            run.elapsed = min(run.seconds, run.elapsed + lane.acted)
        finally:
            lane.close()

    @asynccontextmanager
    async def _acting(self, stage: Stage, lane: Lane) -> AsyncIterator[None]:
        """The neighbour goes first and halts last, so that the victim is never measured without it."""
        began = time.monotonic()
        lane.halted.clear()
        lane.away = 0.0
        stage.tell(lane.name, NEIGHBOUR, do="go", **self.order(stage, lane, NEIGHBOUR))
        await asyncio.sleep(self.head_start)
        lane.open()
        stage.tell(lane.name, VICTIM, do="go", **self.order(stage, lane, VICTIM))
        try:
            yield
        finally:
            self._back(lane)
            lane.halt()
            stage.tell(lane.name, VICTIM, do="halt")
            stage.tell(lane.name, NEIGHBOUR, do="halt")
        if stage.there(lane.name, NEIGHBOUR):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lane.halted.wait(), ANSWER)
        lane.part.seconds = time.monotonic() - began

    def heard(self, stage: Stage, lane: Lane, who: str, message: Message) -> None:
        """See Demo."""
        if "who" in message:
            if lane.turn and who in (VICTIM, NEIGHBOUR):  # it was killed, and is back
                if who == VICTIM:
                    self._back(lane)
                stage.tell(lane.name, who, do="go", **self.order(stage, lane, who))
        elif who == VICTIM:
            if lane.listens and "ms" in message:
                took = [float(ms) for ms in message["ms"]]
                lane.part.ms += took
                lane.part.failed += int(message.get("failed", 0))
                lane.acts += len(took)
                self.draw(lane, took, int(message.get("failed", 0)))
                lane.victim = self.tell_victim(lane, message)
        elif who == INIT:
            if message.get("died") == VICTIM:
                lane.part.killed += 1
                lane.away = lane.away or time.monotonic()
        elif who == NEIGHBOUR:
            lane.part.neighbours_killed += int(message.get("killed", 0))
            lane.part.work += float(message.get("work", 0))
            lane.part.cpu += float(message.get("cpu", 0))
            lane.done += float(message.get("work", 0))
            lane.neighbour = self.tell_neighbour(lane, message)
            if message.get("halted"):
                lane.halted.set()

    def draw(self, lane: Lane, took: list[float], failed: int) -> None:
        """Go on with the curve after a message of the victim's."""
        if took:
            lane.point(max(took))

    def order(self, stage: Stage, lane: Lane, who: str) -> dict[str, object]:
        """What is told with the order to go."""
        return {}

    def _back(self, lane: Lane) -> None:
        """Acts that were due while the victim was dead waited for its return, and count so."""
        if lane.away and lane.turn:
            gap = time.monotonic() - lane.away
            lane.part.ms += [1000 * (gap - self.every * n) for n in range(int(gap / self.every))]
            lane.point(1000 * gap)
        lane.away = 0.0

    # ── judging ─────────────────────────────────────────────────────────────────────────────────────────────

    def judge(self, run: Run) -> None:
        """Bring measures, verdict and what was tried up to what was measured."""
        bare = run.unprotected.tally("")
        run.tried = [
            Tried(protection=name, suffered=self.suffered(tally), kept=_kept(tally, bare))
            for name, tally in run.protected.tallies.items()
        ]
        tally = run.protected.tally(run.protection)
        run.unprotected.measures = self.measures(bare)
        run.protected.measures = self.measures(tally)
        before, after, kept = self.suffered(bare), self.suffered(tally), _kept(tally, bare)
        if before is None or after is None:
            run.verdict = None
            return
        figures = [
            Measure(label=f"{self.suffering}, unprotected", value=before, unit=self.unit),
            Measure(label=f"{self.suffering}, protected", value=after, unit=self.unit),
            Measure(label=f"{NEIGHBOUR}'s work kept", value=None if kept is None else 100 * kept, unit="%"),
        ]
        run.verdict = Verdict(figures=figures, words=self.words(before, after, kept))

    def measures(self, tally: Tally) -> list[Measure]:
        """A lane's numbers."""
        return [
            Measure(label="p50", value=tally.late(0.50), unit="ms"),
            Measure(label="p95", value=tally.late(0.95), unit="ms"),
            Measure(label="p99", value=tally.late(0.99), unit="ms"),
            Measure(label=self.work, value=tally.rate, unit="/s"),
            Measure(label="cores", value=tally.cores),
        ]

    def words(self, before: float, after: float, kept: float | None) -> str:
        """The verdict's sentence."""
        kept_words = "" if kept is None else f", {kept:.0%} of {NEIGHBOUR}'s work kept"
        times = before / after if after else 0.0
        return f"{times:.0f} × {self.better}{kept_words}." if times >= 1.5 else f"no better{kept_words}."


def _swapless(stage: Stage, limits: Limits) -> Limits:
    """The same limits without swap, where that can be limited: memory that swaps is not full."""
    place = stage.containers.rooms.hierarchy.place("memory", stage.containers.rooms.group.name)
    files = ("memory.swap.max", "memory.memsw.limit_in_bytes")
    can = place is not None and any(Path(place.folder, name).exists() for name in files)
    return msgspec.structs.replace(limits, swap=0) if can else limits


def _kept(tally: Tally, bare: Tally) -> float | None:
    return tally.rate / bare.rate if tally.rate is not None and bare.rate else None
