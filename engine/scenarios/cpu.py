"""setup hogs the CPU, word stutters."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from engine.containers.rooms import Rooms
from engine.model import Limits, LimitsChange, Protection
from engine.scenarios.duel import Duel
from engine.scenarios.line import typed
from engine.scenarios.run import Lane
from engine.scenarios.stage import Message, Stage

MiB = 1 << 20
HOGS = 8  # processes a core
MOST_HOGS = 64
QUIET = 0.8  # share of the cores that setup gets on a machine with nothing else to do
OFF = LimitsChange(cpus=None, cpu_weight=None, cpu_idle=False, cpuset=None)


class Cpu(Duel):
    """A keystroke is 1 ms of work every 20 ms, beside processes that compute without a pause."""

    name = "cpu"
    title = "setup hogs the CPU, word stutters"
    story = (
        "word types a key every 20 ms, which costs 1 ms of CPU time; setup computes in eight processes a core. "
        "Together they share one CPU cgroup, and every process has the same right to the CPU. "
        "A key's latency counts from when it was due, so a late key makes the next ones late too."
    )
    suffering = "keystroke latency, p99"
    work = "parts unpacked"
    victim = "keys"
    better = "smoother typing"
    together = Limits(memory=160 * MiB, pids=MOST_HOGS + 16)
    alone = (Limits(memory=64 * MiB, pids=16), Limits(memory=128 * MiB, pids=MOST_HOGS + 16))
    unprotected_title = "together: one CPU cgroup for both"

    def neighbour(self) -> str:
        """See Duel."""
        return f"hog:{min(MOST_HOGS, HOGS * cores())}"

    def protections(self, rooms: Rooms) -> list[Protection]:
        """See Duel."""
        place = rooms.hierarchy.place("cpu", rooms.group.name)
        idle = "" if place and Path(place.folder, "cpu.idle").exists() else "cpu.idle came with Linux 5.15"
        cpuset = "" if rooms.hierarchy.place("cpuset", "") else "this kernel has no cpuset controller"
        if cores() == 1:
            cpuset = "there is only one core"
        quarter = cores() / 4
        return [
            Protection(
                name="idle",
                words="cpu.idle = 1 on setup",
                price="none, while there is idle time",
                why_not=idle,
            ),
            Protection(name="weight", words="weight 100 : 1", price="none, while there is idle time"),
            Protection(
                name="quota", words=f"{quarter:g} cores for setup", price="setup loses what the quota forbids"
            ),
            Protection(
                name="cpuset",
                words="a core for word alone",
                price="setup loses that core, also while it is idle",
                why_not=cpuset,
            ),
            Protection(name="equal", words="a cgroup each, equal shares", price="none"),
        ]

    def limits(self, protection: str) -> tuple[LimitsChange, LimitsChange]:
        """See Duel."""
        last, theirs = cores() - 1, OFF
        match protection:
            case "idle":
                theirs = msgspec.structs.replace(OFF, cpu_idle=True)
            case "weight":
                theirs = msgspec.structs.replace(OFF, cpu_weight=1)
            case "quota":
                theirs = msgspec.structs.replace(OFF, cpus=cores() / 4)
            case "cpuset":
                theirs = msgspec.structs.replace(OFF, cpuset=f"1-{last}" if last > 1 else "1")
        return LimitsChange(cpuset="0" if protection == "cpuset" else None), theirs

    async def finish(self, stage: Stage) -> None:
        """Say so where other work of the machine took part."""
        got = stage.run.unprotected.tally("").cores
        if got is not None and got < QUIET * cores():
            stage.run.note(
                f"This machine was busy with other work: setup got {got:.2f} of {cores()} cores even unprotected. "
                "cpu.idle yields to all of that, so less of setup's work is kept than on a quiet machine."
            )

    def tell_victim(self, lane: Lane, message: Message) -> str:
        """The line as far as it was typed."""
        return typed(lane.acts)

    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """How much it has done."""
        return f"unpacked {lane.done:,.0f} parts".replace(",", " ")


def cores() -> int:
    """How many this host has."""
    return os.cpu_count() or 1
