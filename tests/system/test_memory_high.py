"""The demo of memory with memory.high, which only cgroup v2 has: this runs on both kernels."""

from __future__ import annotations

import pytest

from engine.cgroups import detect
from engine.client import EngineClient
from engine.errors import Unsupported
from engine.model import ScenarioAsk

pytestmark = pytest.mark.system


def test_memory_high_slows_the_eater_instead_of_killing(client: EngineClient) -> None:
    memory = detect().place("memory", "")
    assert memory is not None
    scenario = next(one for one in client.scenarios() if one.name == "memory")
    high = next(one for one in scenario.protections if one.name == "high")
    assert bool(high.why_not) == (memory.version == 1)
    if high.why_not:
        assert "cgroup v2" in high.why_not
        with pytest.raises(Unsupported, match="protecting by high"):
            client.play("memory", ScenarioAsk(protection="high"))
        return
    *_, run = client.play("memory", ScenarioAsk(seconds=3.0, protection="high"))
    assert (run.state, run.error) == ("done", "")
    _, apart = ({one.label: one.value for one in lane.measures} for lane in run.lanes)
    assert apart["word killed"] == 0
    assert apart["setup's processes killed"] == 0
    assert any(one.file.endswith("/memory.high") for one in run.written)
    assert client.containers() == []
