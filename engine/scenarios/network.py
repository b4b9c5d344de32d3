"""setup floods the network."""

from __future__ import annotations

import asyncio

from engine.containers.rooms import Rooms
from engine.model import LaneName, Limits, LimitsChange, Measure, Protection
from engine.network import Rate
from engine.scenarios.duel import Duel
from engine.scenarios.run import Lane
from engine.scenarios.stage import Message, Stage
from engine.scenarios.tally import Tally

MiB = 1 << 20
UPLINK = 2_500_000  # bytes a second: 20 Mbit/s
QUEUE = UPLINK // 5  # bytes: 200 ms, as many a cheap router has
SHARES = {"shape": 0.9, "half": 0.5}  # of the uplink for setup
SENDERS = 4
FAR = "far"


class Network(Duel):
    """Everybody is behind one narrow uplink with a deep queue, which is what setup fills."""

    name = "network"
    title = "setup floods the network, word waits for each answer"
    story = (
        "Behind an uplink of 20 Mbit/s with 200 ms of queue (a token bucket on the way to a third container), word "
        "asks the far end every 20 ms and waits for the echo, while setup uploads over four TCP connections. "
        "Protected, setup's own interface lets less through than the uplink, so the shared queue stays empty."
    )
    suffering = "time to an answer, p99"
    work = "KiB sent"
    head_start = 1.2  # seconds until the other lane's queue has drained and TCP has found its pace
    victim = "pinger"
    better = "quicker answers"
    network = "bridge"
    together = Limits(memory=128 * MiB, pids=32)
    alone = (Limits(memory=64 * MiB, pids=16), Limits(memory=96 * MiB, pids=32))
    unprotected_title = "together: one network namespace for both"

    def neighbour(self) -> str:
        """See Duel."""
        return f"uploader:{SENDERS}"

    def protections(self, rooms: Rooms) -> list[Protection]:
        """See Duel."""
        return [
            Protection(
                name=name,
                words=f"{share:.0%} of the uplink for setup",
                price=f"setup loses {1 - share:.0%} of the uplink",
            )
            for name, share in SHARES.items()
        ]

    def limits(self, protection: str) -> tuple[LimitsChange, LimitsChange]:
        """See Duel: here nothing of a cgroup protects."""
        return LimitsChange(), LimitsChange()

    async def set_up(self, stage: Stage) -> None:
        """See Duel; the far end comes first, behind the uplink."""
        await stage.cast(
            "protected", FAR, [f"{FAR}:far"], Limits(memory=64 * MiB, pids=32), network=self.network
        )
        await asyncio.gather(
            super().set_up(stage),
            self._shape(stage, "protected", FAR, receives=Rate(rate=UPLINK, queue=QUEUE)),
        )

    async def protect(self, stage: Stage) -> None:
        """See Duel."""
        await super().protect(stage)
        rate = Rate(rate=int(UPLINK * SHARES[stage.run.protection]), queue=QUEUE)
        await self._shape(stage, "protected", "setup", sends=rate)

    async def _shape(
        self,
        stage: Stage,
        lane: LaneName,
        name: str,
        sends: Rate | None = None,
        receives: Rate | None = None,
    ) -> None:
        container = stage.containers.get(stage.ids[name])
        if container.lease is None or container.monitor is None:
            return  # it has just ended; the stage is about to notice
        networks = stage.containers.rooms.networks
        await networks.shape(container.lease, container.monitor.netns, sends=sends, receives=receives)
        if sends:
            stage.wrote(lane, name, f"qdisc of eth0 in {name}'s network namespace", sends.words)
        if receives:
            stage.wrote(
                lane, name, f"qdisc of {container.lease.veth}, the host's end of the uplink", receives.words
            )

    def order(self, stage: Stage, lane: Lane, who: str) -> dict[str, object]:
        """Where the far end is."""
        lease = stage.containers.get(stage.ids[FAR]).lease
        return {"to": lease.address if lease else ""}

    def measures(self, tally: Tally) -> list[Measure]:
        """See Duel."""
        return [
            Measure(label="p50", value=tally.late(0.50), unit="ms"),
            Measure(label="p95", value=tally.late(0.95), unit="ms"),
            Measure(label="p99", value=tally.late(0.99), unit="ms"),
            Measure(label="lost", value=tally.failed, unit="×"),
            Measure(label=self.work, value=tally.rate, unit="/s"),
        ]

    def tell_victim(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return f"{lane.acts} answers"

    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return f"sent {lane.done / 1024:,.1f} MiB".replace(",", " ")
