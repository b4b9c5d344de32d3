"""An engine of its own for each test that asks for one."""

from engines import client as client
from engines import instance as instance
from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.errors import EngineUnavailable
from engine.instance import Instance, find
from tests.system.leftovers import leftovers

PATIENCE = 30.0  # seconds; an emulated machine is slow


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    """An instance whose engine, containers and kernel objects are gone when the test ends."""
    instance = find(tmp_path / "tiffin")
    yield instance
    with contextlib.suppress(EngineUnavailable):
        client = EngineClient.connect(instance)
        for container in client.containers():
            client.remove(container.id, force=True, volumes=True)
        client.shutdown()
    deadline = time.monotonic() + PATIENCE
    while left := leftovers(instance):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.02)


@pytest.fixture
def client(instance: Instance) -> EngineClient:
    """A client of the instance's engine, which it starts."""
    return EngineClient.connect(instance)
