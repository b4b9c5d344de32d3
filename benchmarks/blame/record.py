"""Run a plan in real cgroups, and keep what the sampler saw."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.blame.plan import Plan
from benchmarks.blame.trace import Tick, Trace, compact
from engine.cgroups import Cgroup, Group, detect
from engine.cgroups.files import write
from engine.model import Limits, LimitsChange, Sample
from engine.watch import Sampler, Target

INTERVAL = 0.5  # seconds; half of the engine's, for twice the scenarios in the same time
TICKS = 24
WEIGHT = 1500  # of all actors together: beside other work on the machine they get a share as large


def record(plan: Plan) -> Trace:
    """The trace of one run; takes some 13 seconds."""
    group = Group(detect(), f"tiffin-blame-{os.getpid()}")
    group.prepare()
    cgroups = {
        actor.name: Cgroup(group.hierarchy, group.path(actor.name), all_devices=True) for actor in plan.actors
    }
    sampler = Sampler(group)
    try:
        _set_up(group, plan)
        for name, cgroup in cgroups.items():
            cgroup.create()
            sampler.add(Target(name, cgroup))
        victim = Limits(cpus=plan.quota) if plan.quota else Limits()
        if plan.quota:
            cgroups["victim"].apply(LimitsChange(cpus=plan.quota))
        with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="tiffin-blame-") as folder:
            ticks = _run(plan, cgroups, sampler, folder)
        hogs = [hog.name for hog in plan.hogs]
        return Trace(plan.seed, plan.kind, plan.resource, hogs, INTERVAL, {"victim": victim}, ticks)
    finally:
        sampler.close()
        for cgroup in cgroups.values():
            if cgroup.exists:
                cgroup.remove()
        group.remove()


def _set_up(group: Group, plan: Plan) -> None:
    """Let the actors together have a fair part of the machine, and of memory only so much."""
    cpu, memory = group.hierarchy.place("cpu", group.name), group.hierarchy.place("memory", group.name)
    if cpu and cpu.version == 1:
        write(f"{cpu.folder}/cpu.shares", str(WEIGHT * 1024 // 100))
    elif cpu:
        write(f"{cpu.folder}/cpu.weight", str(WEIGHT))
    if memory and plan.memory:
        name = "memory.limit_in_bytes" if memory.version == 1 else "memory.max"
        write(f"{memory.folder}/{name}", str(plan.memory))


def _run(plan: Plan, cgroups: dict[str, Cgroup], sampler: Sampler, folder: str) -> list[Tick]:
    script = str(Path(__file__).with_name("actors.py"))
    actors = subprocess.Popen(
        [sys.executable, "-I", "-S", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert actors.stdin
    assert actors.stdout
    given = {
        "actors": msgspec.to_builtins(plan.actors),
        "groups": {name: cgroup.folders for name, cgroup in cgroups.items()},
        "folder": folder,
    }
    actors.stdin.write(msgspec.json.encode(given) + b"\n")
    actors.stdin.flush()
    ticks = []
    try:
        actors.stdout.readline()
        sampler.tick()
        due = time.monotonic()
        for _ in range(TICKS):
            due = max(due + INTERVAL, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            host, samples = sampler.tick()
            ticks.append(
                Tick(
                    time.time(),
                    host,
                    {id: compact(sample) for id, sample in samples.items() if _told(sample)},
                )
            )
    finally:
        actors.stdin.close()
        for cgroup in cgroups.values():
            cgroup.kill()
        actors.wait()
        actors.stdout.close()
    return ticks


def _told(sample: Sample) -> bool:
    return bool(sample.cpu or sample.cpu_some or sample.memory_some or sample.io_some)
