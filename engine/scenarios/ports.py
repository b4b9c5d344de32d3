"""Both want port 80."""

from __future__ import annotations

import asyncio
import contextlib

from engine.containers.rooms import Rooms
from engine.model import Limits, LimitsChange, Protection
from engine.scenarios.failing import FailingDuel
from engine.scenarios.run import Lane
from engine.scenarios.stage import Message, Stage

MiB = 1 << 20
PATIENCE = 10.0  # seconds
PORT = 80


class Ports(FailingDuel):
    """Two shops at port 80: one network namespace has room for one, two have room for both."""

    name = "ports"
    title = "both want port 80"
    story = (
        "word and setup both serve their name on port 80 and visit themselves every 50 ms; setup is there first. "
        "Together they share one network namespace, and the second is told that the address is in use. "
        "Protected, each has an interface and an address of its own."
    )
    suffering = "visits that failed"
    work = "visits served"
    seconds = 8.0
    every = 0.05
    victim = "shop:word"
    better = "fewer failures"
    network = "bridge"
    together = Limits(memory=96 * MiB, pids=32)
    alone = (Limits(memory=64 * MiB, pids=16), Limits(memory=64 * MiB, pids=16))
    unprotected_title = "together: one network namespace for both"

    def neighbour(self) -> str:
        """See Duel."""
        return "shop:setup:works"

    def protections(self, rooms: Rooms) -> list[Protection]:
        """See Duel."""
        return [Protection(name="netns", words="a network namespace each", price="an address each")]

    def limits(self, protection: str) -> tuple[LimitsChange, LimitsChange]:
        """See Duel."""
        return LimitsChange(), LimitsChange()

    def order(self, stage: Stage, lane: Lane, who: str) -> dict[str, object]:
        """At which address."""
        return {"at": _address(stage, "together" if lane.name == "unprotected" else who)}

    async def finish(self, stage: Stage) -> None:
        """The host asks both."""
        for who in ("setup", "word"):
            stage.tell("protected", who, do="go", at=_address(stage, who))
        answers = []
        for who in ("word", "setup"):
            address = _address(stage, who)
            answers.append(f"{address}:{PORT} answers “{await _ask(address)}”")
        stage.run.note(f"Asked from the host: {' and '.join(answers)}.")

    def tell_victim(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        if message.get("failed"):
            return f"port {PORT}: {str(message.get('why_not') or 'no answer').lower()}"
        return f"{message.get('at')}:{PORT} answered {lane.acts} visits"

    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """See Duel."""
        return f"port {PORT} answered {lane.done:.0f} visits"


def _address(stage: Stage, name: str) -> str:
    lease = stage.containers.get(stage.ids[name]).lease
    return lease.address if lease else ""


async def _ask(address: str) -> str:
    """What a web server at the address answers; tried again until it has come up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_connection(address, PORT)
                    writer.write(b"GET / HTTP/1.0\r\n\r\n")
                    answer = await reader.read(4096)
                    writer.close()
                    return answer.partition(b"\r\n\r\n")[2].decode(errors="replace")
                await asyncio.sleep(0.05)  # a listening socket announces itself to nobody
    return "nothing"
