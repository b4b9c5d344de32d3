"""A link that plays made-up snapshots, for what no real engine has: a thousand containers, still time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, cast

import msgspec
from textual.message import Message

from engine.client import EngineClient
from engine.instance import Instance
from engine.model import (
    Blame,
    ContainerState,
    ContainerSummary,
    History,
    HostSample,
    Limits,
    LimitsApplied,
    LimitsChange,
    LogExtent,
    Publish,
    Sample,
    Snapshot,
)
from tui.deck.actions import merged
from tui.deck.messages import EngineBack, EngineGone, SnapshotReady

T0 = 1_770_000_000.0
MiB = 1 << 20
HOST = HostSample(
    cores=2, cpu=1.97, cpu_some=0.61, memory_total=24 << 30, memory=5 << 30, cache=9 << 30, memory_some=0.0,
    memory_full=0.0, io_read=0.4 * MiB, io_write=12 * MiB, io_some=0.02, io_full=0.01, net_rx=0, net_tx=0,
    self_cpu=0.014, self_memory=61 * MiB,
)  # fmt: skip


def container(name: str, **fields: Any) -> ContainerSummary:
    """A running container; its id is made of its name."""
    id = (name.encode().hex() * 64)[:64]
    whole: dict[str, Any] = {
        "id": id,
        "name": name,
        "image": "host",
        "image_id": "host",
        "command": "sh",
        "created_at": T0 - 5000,
        "state": ContainerState(status="running", pid=4711, started_at=T0 - 192),
        "network": "bridge",
        "address": "10.88.0.2",
    }
    return ContainerSummary(**{**whole, **fields})


def some() -> list[tuple[ContainerSummary, Sample]]:
    """The containers of the wireframe."""
    return [
        (
            container("word", limits=Limits(cpus=1.0, memory=64 * MiB), created_at=T0 - 5000),
            sample(0.12, 0.62, 38, 12, io_write=12 << 10, net_rx=2048, net_tx=1024, pids=4, throttled=0.0),
        ),
        (
            container("setup", address="10.88.0.3", created_at=T0 - 4000),
            sample(1.90, 0.04, 9, 2, io_write=38 * MiB, pids=17),
        ),
        (
            container(
                "web",
                image="debian:12",
                created_at=T0 - 3000,
                address="10.88.0.4",
                limits=Limits(cpus=0.5, memory=128 * MiB, pids=100),
                publish=[Publish(container_port=80, host_port=8080)],
                state=ContainerState(status="running", pid=99, started_at=T0 - 187200),
            ),
            sample(
                0.49, 0.12, 121, 5, io_write=4096, net_rx=81 << 10, net_tx=1.2 * MiB, pids=3, throttled=0.41
            ),
        ),
        (
            container(
                "db",
                image="postgres:16",
                created_at=T0 - 2000,
                address="",
                state=ContainerState(
                    status="exited",
                    exit_code=137,
                    oom_killed=True,
                    oom_limit=256 * MiB,
                    started_at=T0 - 900,
                    finished_at=T0 - 222,
                ),
            ),
            Sample(),
        ),
        (
            container(
                "nightly",
                created_at=T0 - 1000,
                state=ContainerState(status="exited", exit_code=0, started_at=T0 - 900, finished_at=T0 - 600),
            ),
            Sample(),
        ),
    ]


def sample(cpu: float, stall: float, memory: float, cache: float, **fields: Any) -> Sample:
    """What one tick measured; memory in MiB."""
    whole: dict[str, Any] = {
        "cpu": cpu,
        "cpu_some": stall,
        "memory": int(memory * MiB),
        "cache": int(cache * MiB),
        "io_read": 0.0,
        "io_write": 0.0,
        "net_rx": 0.0,
        "net_tx": 0.0,
        "pids": 1,
    }
    return Sample(**{**whole, **fields})


def many(count: int) -> list[tuple[ContainerSummary, Sample]]:
    """So many running containers."""
    return [
        (
            container(f"worker-{n:04}", created_at=T0 - 5000 + n, limits=Limits(cpus=0.5, memory=64 * MiB)),
            sample(0.2, 0.1, 20, 3, pids=3),
        )
        for n in range(count)
    ]


class FakeClient:
    """Notes what it is asked, and answers as an engine that does it at once."""

    def __init__(self, instance: Instance, link: ScriptedLink) -> None:
        self.instance = instance
        self.calls: list[tuple[object, ...]] = []
        self._link = link

    def update(self, id: str, change: LimitsChange) -> LimitsApplied:
        before = self._link.containers[id].limits
        after = merged(before, change)
        self._link.change(id, limits=after)
        self.calls.append(("update", id, after))
        return LimitsApplied(before=before, after=after, readings=[])

    def log_extent(self, id: str) -> LogExtent:
        return LogExtent(first=0, end=len(self._link.logs.get(id, b"")))

    def log_read(self, id: str, offset: int, size: int) -> bytes:
        return self._link.logs.get(id, b"")[offset : offset + size]

    def __getattr__(self, verb: str) -> Any:
        def call(*args: object, **kwargs: object) -> Any:
            self.calls.append((verb, *args))
            return []

        return call


class ScriptedLink:
    """Plays snapshots when told to."""

    def __init__(self, instance: Instance, containers: list[tuple[ContainerSummary, Sample]]) -> None:
        self.containers = {c.id: c for c, _ in containers}
        self.samples = {c.id: s for c, s in containers if c.state.status in ("running", "paused")}
        self.calls: list[tuple[object, ...]] = []
        self.fake = FakeClient(instance, self)
        self.client = cast("EngineClient", self.fake)
        self.logs: dict[str, bytes] = {}
        self.verdicts: dict[str, list[Blame]] = {}
        self.seq = 0
        self._post: Callable[[Message], object] = lambda message: None
        self._newest: Snapshot | None = None
        self._random = random.Random(1)

    def start(self, post: Callable[[Message], object]) -> None:
        self._post = post
        post(EngineBack())
        self.tick()

    def stop(self) -> None:
        self._post = lambda message: None

    def take(self) -> Snapshot | None:
        newest, self._newest = self._newest, None
        return newest

    def take_history(self) -> list[History]:
        if self.seq != 1:
            return []
        return [self._past(id) for id in self.samples]

    def revive(self) -> None:
        self._post(EngineBack())

    def lose(self, reason: str, stopped: bool = False) -> None:
        self._post(EngineGone(reason, stopped))

    def change(self, id: str, **fields: Any) -> None:
        self.containers[id] = msgspec.structs.replace(self.containers[id], **fields)

    def tick(self, vary: bool = False) -> None:
        """Play the next second."""
        self.seq += 1
        samples = {id: self._varied(s) if vary else s for id, s in self.samples.items()}
        self._newest = Snapshot(
            seq=self.seq,
            at=T0 + self.seq - 1,
            interval=1.0,
            host=HOST,
            containers=list(self.containers.values()),
            samples=samples,
            verdicts=self.verdicts,
        )
        self._post(SnapshotReady())

    def _varied(self, s: Sample) -> Sample:
        r = self._random.random
        return msgspec.structs.replace(
            s,
            cpu=r() / 2,
            cpu_some=r() / 3,
            memory=int(r() * 64 * MiB),
            io_write=r() * MiB,
            net_rx=r() * MiB,
            net_tx=r() * MiB,
        )

    def _past(self, id: str) -> History:
        final = self.samples[id]
        at = [T0 - 60 + n for n in range(60)]
        jump = 35
        cpu = [
            (final.cpu or 0) * (1 if n > jump else 0.15) * (1 + 0.15 * math.sin(n * 1.7)) for n in range(60)
        ]
        stall = [(final.cpu_some or 0) * (1 if n > jump else 0.05) for n in range(60)]
        return History(id=id, at=at, fields={"cpu": list(cpu), "cpu_some": list(stall)})


def output(*lines: str) -> bytes:
    """A log with these lines."""
    return "".join(f"2026-02-02T02:39:{n:02}.5Z stdout F {line}\n" for n, line in enumerate(lines)).encode()
