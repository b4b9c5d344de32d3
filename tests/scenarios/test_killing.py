"""Whoever of a demo is killed in its middle: nothing of it goes on, and nothing is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from command import Tiffin, eventually
from leftovers import processes

from engine.client import EngineClient
from engine.errors import EngineUnavailable
from engine.instance import Instance
from engine.model import ScenarioAsk

pytestmark = pytest.mark.system


def programs(instance: Instance) -> list[int]:
    """The demo's programs that live, on the whole machine."""
    folders = {entry.name for entry in (instance.run / "demos").iterdir()}
    found = []
    for pid, words in processes():
        if "actors.main" in words:
            mounts = Path(f"/proc/{pid}/mountinfo")
            text = mounts.read_text() if mounts.exists() else ""
            if any(f"/demos/{name} " in text for name in folders):
                found.append(pid)
    return found


def test_a_killed_client_leaves_nothing_and_its_run_can_be_resumed(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    assert instance.root
    tool = Tiffin(instance.root)
    with tool.begin("demo", "ports", "--seconds", "20") as going:
        next(line for line in going.stdout if float(line.split()[0]) > 2.5)  # after the first turns
        assert len(client.containers()) == 3
        going.process.send_signal(signal.SIGKILL)
        eventually(lambda: client.containers() == [], "the containers are gone")
    eventually(lambda: bool(client.scenarios()[6].left_at), "the run is told as left")
    assert list((instance.run / "demos").iterdir()) == []


def test_a_killed_engine_takes_the_programs_with_it_and_the_next_one_sweeps(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    frames = client.play("cpu", ScenarioAsk(seconds=60))
    next(frame for frame in frames if frame.state == "running")
    living = programs(instance)
    assert living
    os.kill(client.status().pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable):
        list(frames)
    eventually(
        lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in living), "the programs have ended"
    )
    again = EngineClient.connect(instance)
    assert again.containers() == []
    assert not (instance.run / "demos").exists()


def test_a_container_that_an_operator_removes_does_not_hang_the_demo(client: EngineClient) -> None:
    removed = False
    for frame in client.play("ports", ScenarioAsk(seconds=4.0)):
        if frame.elapsed > 1 and not removed:
            setup = next(one for one in client.containers() if "-setup-" in one.name)
            client.remove(setup.id, force=True)
            removed = True
    assert removed
    assert frame.state in ("done", "failed")
    assert client.containers() == []
