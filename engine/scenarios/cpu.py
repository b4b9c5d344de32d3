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
CORES = 4  # that are played on at most: more would take more processes than a demo should start
HOGS = 16  # processes a core
QUIET = 0.8  # share of the cores that setup gets on a machine with nothing else to do
OFF = LimitsChange(cpus=None, cpu_weight=None, cpu_idle=False, cpuset=None)


class Cpu(Duel):
    """A keystroke is 1 ms of work every 20 ms, beside processes that compute without a pause."""

    name = "cpu"
    title = "setup hogs the CPU, word stutters"
    story = (
        "word types a key every 20 ms, which costs 1 ms of CPU time; setup computes in sixteen processes a core. "
        "Together they share one CPU cgroup, and every process has the same right to the CPU. "
        "A key's latency counts from when it was due, so a late key makes the next ones late too."
    )
    suffering = "keystroke latency, p99"
    work = "parts unpacked"
    victim = "keys"
    better = "smoother typing"
    together = Limits(memory=160 * MiB, pids=CORES * HOGS + 16)
    alone = (Limits(memory=64 * MiB, pids=16), Limits(memory=128 * MiB, pids=CORES * HOGS + 16))
    unprotected_title = "together: one CPU cgroup for both"

    def neighbour(self) -> str:
        """See Duel."""
        return f"hog:{HOGS * len(cores())}"

    def why_not(self, rooms: Rooms) -> str:
        """See Duel."""
        if _bound() and not _has_cpuset(rooms):
            return f"it is played on {CORES} cores, and this kernel has no cpuset controller to keep it there"
        return ""

    def bounded(self, limits: Limits) -> Limits:
        """See Duel."""
        return msgspec.structs.replace(limits, cpuset=_bound())

    def protections(self, rooms: Rooms) -> list[Protection]:
        """See Duel."""
        place = rooms.hierarchy.place("cpu", rooms.group.name)
        idle = "" if place and Path(place.folder, "cpu.idle").exists() else "cpu.idle came with Linux 5.15"
        cpuset = "" if _has_cpuset(rooms) else "this kernel has no cpuset controller"
        if len(cores()) == 1:
            cpuset = "there is only one core"
        quarter = len(cores()) / 4
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
        mine, theirs = LimitsChange(cpuset=_bound()), msgspec.structs.replace(OFF, cpuset=_bound())
        match protection:
            case "idle":
                theirs = msgspec.structs.replace(theirs, cpu_idle=True)
            case "weight":
                theirs = msgspec.structs.replace(theirs, cpu_weight=1)
            case "quota":
                theirs = msgspec.structs.replace(theirs, cpus=len(cores()) / 4)
            case "cpuset":
                first, *others = cores()
                mine = LimitsChange(cpuset=_named([first]))
                theirs = msgspec.structs.replace(theirs, cpuset=_named(others))
        return mine, theirs

    async def finish(self, stage: Stage) -> None:
        """Say so where other work of the machine took part."""
        got = stage.run.unprotected.tally("").cores
        here = len(cores())
        if got is not None and got < QUIET * here:
            stage.run.note(
                f"This machine was busy with other work: setup got {got:.2f} of {here} cores even unprotected. "
                "cpu.idle yields to all of that, so less of setup's work is kept than on a quiet machine."
            )

    def tell_victim(self, lane: Lane, message: Message) -> str:
        """The line as far as it was typed."""
        return typed(lane.acts)

    def tell_neighbour(self, lane: Lane, message: Message) -> str:
        """How much it has done."""
        return f"unpacked {lane.done:,.0f} parts".replace(",", " ")


def cores() -> list[int]:
    """The numbers of those that are played on: the first CORES that this engine may use."""
    return sorted(os.sched_getaffinity(0))[:CORES]


def _bound() -> str | None:
    """The cpuset of all that take part; None where all cores do."""
    return None if len(cores()) == len(os.sched_getaffinity(0)) else _named(cores())


def _named(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def _has_cpuset(rooms: Rooms) -> bool:
    return rooms.hierarchy.place("cpuset", "") is not None
