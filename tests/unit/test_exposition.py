"""Metrics as text: what Prometheus' own parsers make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from engine.model import (
    ContainerState,
    ContainerSummary,
    HostSample,
    Limits,
    ProcessCost,
    Sample,
    Snapshot,
)
from engine.server.exposition import Family, written
from engine.server.metrics import of_containers, of_host, of_own
from engine.watch.parse import CpuTime, Io, Stall, Throttling
from engine.watch.reader import Counts

WEB = ContainerSummary(
    id="1" * 64,
    name="web",
    image="debian:12",
    image_id="x",
    command="sh",
    created_at=1.0,
    state=ContainerState(status="running", started_at=1_770_000_000.5),
    limits=Limits(cpus=0.5),
)
COUNTS = Counts(
    at=5.0,
    cpu=CpuTime(2_500_000, 1_500_000, 1_000_000),
    throttling=Throttling(100, 41),
    stalls=(Stall(750_000, None), None, Stall(10, 5)),
    io=Io(4096, 8192, 1, 2),
)
SNAPSHOT = Snapshot(
    seq=1,
    at=1_770_000_010.0,
    interval=1.0,
    host=HostSample(cores=2, memory_total=1 << 30),
    containers=[WEB],
    samples={WEB.id: Sample(memory=1 << 20, oom_kills=3)},
)
OWN = [
    ProcessCost(role="engine", pid=1, pss=50 << 20, cpu_seconds=1.25),
    ProcessCost(role="monitor", pid=2, pss=1 << 20, cpu_seconds=0.5),
    ProcessCost(role="monitor", pid=3, pss=1 << 20, cpu_seconds=0.25),
]


def families(form: bool) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    text = written(
        [*of_containers(SNAPSHOT, {WEB.id: COUNTS}), *of_host(SNAPSHOT), *of_own(OWN)], openmetrics=form
    )
    read = openmetrics if form else prometheus
    return {f.name: [(s.name, s.labels, s.value) for s in f.samples] for f in read(text)}


@pytest.mark.parametrize("form", [True, False])
class TestBothForms:
    def test_totals_are_the_kernels_in_base_units(self, form: bool) -> None:
        labels = {"name": "web", "id": WEB.id, "image": "debian:12"}
        known = families(form)
        assert known["tiffin_container_cpu_seconds"] == [("tiffin_container_cpu_seconds_total", labels, 2.5)]
        assert known["tiffin_container_cpu_throttled_periods"][0][2] == 41
        assert known["tiffin_container_disk_written_bytes"][0][2] == 8192
        assert known["tiffin_container_oom_kills"][0][2] == 3
        waits = {s[1]["resource"]: s[2] for s in known["tiffin_container_pressure_waiting_seconds"]}
        assert waits == {"cpu": 0.75, "io": 0.00001}

    def test_what_the_host_cannot_tell_is_absent(self, form: bool) -> None:
        known = families(form)
        assert "tiffin_container_network_receive_bytes" not in known
        assert "tiffin_container_memory_limit_bytes" not in known
        assert "tiffin_host_memory_used_bytes" not in known
        stalled = known["tiffin_container_pressure_stalled_seconds"]
        assert [s[1]["resource"] for s in stalled] == ["io"]

    def test_own_cost_is_by_role(self, form: bool) -> None:
        known = families(form)
        assert {s[1]["role"]: s[2] for s in known["tiffin_processes"]} == {"engine": 1, "monitor": 2}
        assert {s[1]["role"]: s[2] for s in known["tiffin_processes_cpu_seconds"]} == {
            "engine": 1.25,
            "monitor": 0.75,
        }


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00")))
def test_any_label_comes_back(label: str) -> None:
    text = written([Family("a", "gauge", "Help.", "", [({"name": label}, 1.0)])], openmetrics=True)
    (family,) = openmetrics(text)
    assert family.samples[0].labels == {"name": label}
