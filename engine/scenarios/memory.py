"""setup eats the memory."""

from __future__ import annotations

from pathlib import Path

from engine.containers.rooms import Rooms
from engine.model import Limits, LimitsChange, Measure, Protection
from engine.scenarios.duel import Duel
from engine.scenarios.line import typed
from engine.scenarios.run import Lane
from engine.scenarios.stage import Message, Stage
from engine.scenarios.tally import Tally

MiB = 1 << 20
DOCUMENT = 48  # MiB
EATERS = 16  # processes of 8 MiB each
ENOUGH, HIGH = 64 * MiB, 48 * MiB


class Memory(Duel):
    """Many small processes fill the memory; the OOM killer takes the largest one, which is somebody else."""

    name = "memory"
    title = "setup eats the memory, word is killed"
    story = (
        "word types in a document of 48 MiB; setup fills memory with many small processes, more than there is. "
        "Together they share one limit of 128 MiB, and the kernel kills the largest process in it, which is word. "
        "Keys that were due while word was dead count as waiting until it was back."
    )
    suffering = "keystroke latency, p99"
    work = "MiB filled"
    victim = f"keys:{DOCUMENT}"
    better = "shorter silence"
    together = Limits(memory=128 * MiB, pids=64)
    alone = (Limits(memory=96 * MiB, pids=16), Limits(memory=ENOUGH, pids=48))
    unprotected_title = "together: one memory limit for both"

    def neighbour(self) -> str:
        """See Duel."""
        return f"eater:{EATERS}"

    def protections(self, rooms: Rooms) -> list[Protection]:
        """See Duel."""
        place = rooms.hierarchy.place("memory", "")
        high = ""
        if place is None or place.version == 1:
            high = "memory.high is of cgroup v2, and this host's memory controller is v1"
        return [
            Protection(name="limit", words="a memory limit each", price="setup's own processes are killed"),
            Protection(
                name="high",
                words="memory.high on setup",
                price="setup waits where it would have been killed",
                why_not=high,
            ),
        ]

    def limits(self, protection: str) -> tuple[LimitsChange, LimitsChange]:
        """See Duel."""
        high = HIGH if protection == "high" else None
        return LimitsChange(), LimitsChange(memory=ENOUGH, memory_high=high)

    def measures(self, tally: Tally) -> list[Measure]:
        """See Duel."""
        return [
            Measure(label="p50", value=tally.late(0.50), unit="ms"),
            Measure(label="p99", value=tally.late(0.99), unit="ms"),
            Measure(label="word killed", value=tally.killed, unit="×"),
            Measure(label="setup's processes killed", value=tally.neighbours_killed),
            Measure(label=self.work, value=tally.rate, unit="/s"),
        ]

    def tell_victim(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return typed(lane.acts)

    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return f"filled {lane.done:,.0f} MiB".replace(",", " ")

    async def finish(self, stage: Stage) -> None:
        """The kernel's own count, beside what the programs noticed."""
        counts = {name: _kills(stage.containers.get(id).cgroup.oom_files) for name, id in stage.ids.items()}
        told = ", ".join(f"{count} in {name}'s cgroup" for name, count in sorted(counts.items()))
        stage.run.note(f"OOM kills as the kernel counted them: {told}.")


def _kills(files: list[str]) -> int:
    for file in files:
        for line in Path(file).read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
