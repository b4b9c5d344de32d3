"""setup floods the disk."""

from __future__ import annotations

import os

from engine.cgroups.io import resolve
from engine.containers.rooms import Rooms
from engine.errors import TiffinError
from engine.model import IoLimit, Limits, LimitsChange, Measure, Protection
from engine.scenarios.duel import Duel
from engine.scenarios.run import Lane
from engine.scenarios.stage import Message, Stage
from engine.scenarios.tally import Tally

MiB = 1 << 20
WRITERS = 4
RATES = {"slow": 8 * MiB, "half": 64 * MiB}  # bytes a second


class Disk(Duel):
    """Saving is 4 KiB and fsync, beside writers that never pause."""

    name = "disk"
    title = "setup floods the disk, word waits to save"
    story = (
        "word saves 4 KiB every 50 ms and waits until the disk has them (fsync); setup writes with four processes "
        "as fast as the disk takes it, past the page cache, for cgroup v1 cannot throttle what goes through it. "
        "Protected, setup's writes to that disk have a ceiling."
    )
    suffering = "time to save, p99"
    work = "MiB written"
    every = 0.05
    victim = "saver"
    better = "quicker saving"
    together = Limits(memory=160 * MiB, pids=32)
    alone = (Limits(memory=64 * MiB, pids=16), Limits(memory=128 * MiB, pids=32))
    unprotected_title = "together: no ceiling for anybody"

    def neighbour(self) -> str:
        """See Duel."""
        return f"flooder:{WRITERS}"

    def why_not(self, rooms: Rooms) -> str:
        """See Duel."""
        if rooms.hierarchy.place("io", "") is None:
            return "this host has no io controller"
        try:
            _disk(rooms)
        except TiffinError:
            return f"{rooms.instance.state} is on no disk that could be throttled"
        return ""

    def protections(self, rooms: Rooms) -> list[Protection]:
        """See Duel."""
        return [
            Protection(
                name=name, words=f"{rate // MiB} MiB/s for setup", price="setup never writes faster than that"
            )
            for name, rate in RATES.items()
        ]

    def limits(self, protection: str) -> tuple[LimitsChange, LimitsChange]:
        """See Duel; of the disk, `protect` knows the name."""
        return LimitsChange(), LimitsChange()

    async def protect(self, stage: Stage) -> None:
        """See Duel."""
        await super().protect(stage)
        ceiling = IoLimit(write_bps=RATES[stage.run.protection])
        await stage.change("protected", "setup", LimitsChange(io={_disk(stage.containers.rooms): ceiling}))

    def measures(self, tally: Tally) -> list[Measure]:
        """See Duel."""
        return [measure for measure in super().measures(tally) if measure.label != "cores"]

    def tell_victim(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return f"saved {lane.acts} times"

    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return f"wrote {lane.done:,.0f} MiB".replace(",", " ")


def _disk(rooms: Rooms) -> str:
    """The disk that the containers' private layers are on."""
    device = rooms.instance.state.stat().st_dev
    return resolve(f"{os.major(device)}:{os.minor(device)}")
