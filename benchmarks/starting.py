"""From no engine to one that answers."""

from __future__ import annotations

import time

from benchmarks import dockerd
from benchmarks.figures import Figure, Row
from benchmarks.world import World
from engine.client import EngineClient

ROUNDS = 5


def measure(world: World) -> list[Row]:
    """tiffin's engine is stopped and started anew; dockerd's start is the one of this run."""
    took = []
    for _ in range(ROUNDS):
        world.tiffin.client.shutdown()
        began = time.monotonic()
        EngineClient.connect(world.tiffin.instance)
        took.append(time.monotonic() - began)
    figures = [Figure("tiffin engine", took, "s")]
    notes = []
    if world.docker:
        figures.append(Figure("dockerd", [world.docker.started_in], "s"))
        notes.append("dockerd was started once, on empty data, and polled every 0.1 s")
    else:
        notes.append(f"{dockerd.missing()}: not measured")
    return [Row("engine's start → it answers", "–", figures, None, notes)]
