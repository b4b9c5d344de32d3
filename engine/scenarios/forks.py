"""setup forks without end."""

from __future__ import annotations

from engine.containers.rooms import Rooms
from engine.model import Limits, LimitsChange, Measure, Protection
from engine.scenarios.duel import Duel
from engine.scenarios.run import Lane
from engine.scenarios.stage import Message
from engine.scenarios.tally import Tally

MiB = 1 << 20
MOST = 64  # processes


class Forks(Duel):
    """A fork bomb takes every process there may be; word needs one for each word."""

    name = "forks"
    title = "setup forks without end, word cannot start its helper"
    story = (
        "word starts a helper process for each word, every 50 ms, and tries again while it cannot; setup forks "
        f"without end. Together they share one limit of {MOST} processes, which setup fills. "
        "Protected, setup fills a limit of its own."
    )
    suffering = "time to start a process, p99"
    work = "parts done"
    every = 0.05
    victim = "speller"
    better = "sooner started"
    together = Limits(memory=256 * MiB, pids=MOST)
    alone = (Limits(memory=64 * MiB, pids=16), Limits(memory=256 * MiB, pids=MOST))
    unprotected_title = "together: one process limit for both"

    def neighbour(self) -> str:
        """See Duel."""
        return "bomb"

    def protections(self, rooms: Rooms) -> list[Protection]:
        """See Duel."""
        words = f"pids.max = {MOST - 8} on setup alone"
        why_not = "" if rooms.hierarchy.place("pids", "") else "this host has no pids controller"
        return [Protection(name="pids", words=words, price="none but the forks refused", why_not=why_not)]

    def why_not(self, rooms: Rooms) -> str:
        """See Duel: without the limit there would be nothing to hold the bomb."""
        return self.protections(rooms)[0].why_not

    def limits(self, protection: str) -> tuple[LimitsChange, LimitsChange]:
        """See Duel."""
        return LimitsChange(), LimitsChange(pids=MOST - 8)

    def measures(self, tally: Tally) -> list[Measure]:
        """See Duel."""
        return [
            Measure(label="p50", value=tally.late(0.50), unit="ms"),
            Measure(label="p99", value=tally.late(0.99), unit="ms"),
            Measure(label="gave up", value=tally.failed, unit="×"),
            Measure(label="setup's forks refused", value=tally.refused),
            Measure(label=self.work, value=tally.rate, unit="/s"),
        ]

    def tell_victim(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return f"started {lane.acts} helpers" + (f", gave up {lane.part.failed}" if lane.part.failed else "")

    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        lane.part.refused += int(message.get("refused", 0))
        return f"{message.get('alive', 0)} processes, the next fork refused"
