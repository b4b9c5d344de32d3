"""What one seed makes: who does what in which cgroup."""

from __future__ import annotations

import random
from typing import Literal

import msgspec

from engine.model import Resource

Kind = Literal["hogs", "quiet", "limit"]
MIB = 1 << 20
BUSIER = 72  # the first seed with bystanders that have more to do


class Actor(msgspec.Struct, frozen=True):
    """A cgroup and what runs in it; `role` is a function of actors.py."""

    name: str
    role: str
    processes: int = 1
    load: float = 0.0  # share of a core, bytes a second, …: what the role makes of it
    size: int = 0  # bytes
    on: float = 0.0  # seconds of work, and of rest after it; no rest is steady
    off: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """One scenario."""

    seed: int
    kind: Kind
    resource: Resource
    victim: Actor
    hogs: list[Actor]
    bystanders: list[Actor]
    quota: float | None = None  # of the victim, cores
    memory: int | None = None  # of all together, bytes

    @property
    def actors(self) -> list[Actor]:
        """Everybody."""
        return [self.victim, *self.hogs, *self.bystanders]


def plan(seed: int) -> Plan:
    """Always the same for the same seed."""
    r = random.Random(seed)
    resource: Resource = ("cpu", "memory", "io")[seed // 2 % 3]  # type: ignore[assignment]
    kind: Kind = "quiet" if seed // 6 % 3 == 2 else "hogs"
    if resource == "cpu" and seed // 6 % 6 == 1:
        kind = "limit"
    memory = r.randint(128, 200) * MIB if resource == "memory" else None
    number = r.randint(1, 3) if kind == "hogs" else 0
    hogs = [_hog(r, resource, f"hog{n}", (memory or 0) // max(1, number)) for n in range(number)]
    bystanders = [_bystander(r, resource, f"calm{n}") for n in range(r.randint(10, 30))]
    if seed >= BUSIER:
        for place in r.sample(range(len(bystanders)), r.randint(1, 2)):
            bystanders[place] = _busy_bystander(r, resource, f"calm{place}")
    victim = _victim(r, resource)
    quota = None
    if kind == "limit":
        victim, quota = Actor("victim", "spin", processes=r.randint(1, 3)), r.choice([0.05, 0.1, 0.2])
    elif resource == "cpu" and r.random() < 0.5:
        quota = 0.9  # there, but out of the way
    return Plan(seed, kind, resource, victim, hogs, bystanders, quota, memory)


def _bursts(r: random.Random) -> dict[str, float]:
    return {"on": r.uniform(1.5, 4), "off": r.uniform(1, 2.5)} if r.random() < 0.5 else {}


def _hog(r: random.Random, resource: Resource, name: str, part: int) -> Actor:
    """`part` is what it would get if the hogs shared the memory and nobody else had any."""
    match resource:
        case "cpu":
            return Actor(name, "spin", processes=r.randint(2, 6), **_bursts(r))
        case "memory":
            role, size = r.choice([("churn", 0.85), ("scan", 2.0)])
            return Actor(name, role, size=int(part * size) // MIB * MIB, **_bursts(r))
        case "io":
            role = r.choice(["read_disk", "write_disk"])
            size = r.choice([64 << 10, 256 << 10, MIB])
            return Actor(name, role, processes=r.randint(2, 4), size=size, **_bursts(r))


def _bystander(r: random.Random, resource: Resource, name: str) -> Actor:
    if r.random() < 0.4:
        return Actor(name, "sleep")
    match resource:
        case "cpu":
            return Actor(name, "work", load=r.uniform(0.002, 0.03))
        case "memory":
            return Actor(name, "nibble", size=r.randint(MIB // 4, 2 * MIB), load=r.uniform(0.5, 2))
        case "io":
            return Actor(name, "note", size=4096, load=r.uniform(0.5, 3))


def _busy_bystander(r: random.Random, resource: Resource, name: str) -> Actor:
    """One that has much to do, and is still no hog."""
    match resource:
        case "cpu":
            return Actor(name, "work", load=r.uniform(0.1, 0.25), **_bursts(r))
        case "memory":
            return Actor(name, "nibble", size=r.randint(6, 12) * MIB, load=r.uniform(0.2, 0.5))
        case "io":
            return Actor(name, "note", size=64 << 10, load=r.uniform(0.05, 0.2))


def _victim(r: random.Random, resource: Resource) -> Actor:
    match resource:
        case "cpu":
            return Actor("victim", "work", processes=r.randint(1, 3), load=r.uniform(0.1, 0.4))
        case "memory":
            return Actor("victim", "look_up", processes=3, size=r.randint(16, 24) * MIB)
        case "io":
            return Actor("victim", r.choice(["save", "seek"]), size=4096, load=r.uniform(5, 20))
