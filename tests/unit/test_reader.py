"""Samples of made-up cgroups, v1 and v2, before and after some of their numbers change."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fake_cgroupfs import HYBRID, V1_ONLY, V2_ONLY, host, write

from engine.cgroups import Hierarchy, detect
from engine.watch.disks import Disks
from engine.watch.kept import Budget, Gone
from engine.watch.reader import Reader

V2 = {
    "cpu.stat": "usage_usec 1000000\nuser_usec 600000\nsystem_usec 400000\nnr_periods 10\nnr_throttled 5",
    "cpu.pressure": "some avg10=0 avg60=0 avg300=0 total=1000\nfull avg10=0 avg60=0 avg300=0 total=10",
    "memory.pressure": "some avg10=0 avg60=0 avg300=0 total=0\nfull avg10=0 avg60=0 avg300=0 total=0",
    "memory.current": "30000000",
    "memory.max": "max",
    "memory.stat": "anon 9\nfile 12000000\nkernel 5\nshmem 2000000",
    "memory.events": "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1",
    "io.stat": "8:0 rbytes=1000 wbytes=2000 rios=3 wios=4 dbytes=0 dios=0",
    "pids.current": "7",
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def reader(hierarchy: Hierarchy, budget: Budget | None = None) -> Reader:
    return Reader(hierarchy, "t/a", budget or Budget(100), Disks("/nonexistent"))


def test_v2(tmp_path: Path, clock: list[float]) -> None:
    hierarchy = detect(host(tmp_path, V2_ONLY, "cpu io memory pids"))
    folder = tmp_path / "sys/fs/cgroup/t/a"
    write(folder, V2)
    read = reader(hierarchy)
    first = read.sample((0, 0, 0, 0))
    assert (first.cpu, first.io_read, first.net_rx, first.cpu_some, first.throttled) == (None,) * 5
    assert (first.memory, first.cache, first.memory_limit) == (20_000_000, 10_000_000, None)
    assert (first.oom_kills, first.memory_failures, first.pids) == (1, 4, 7)

    clock[0] += 2
    write(
        folder,
        {
            "cpu.stat": "usage_usec 2000000\nuser_usec 1400000\nsystem_usec 600000\n"
            "nr_periods 30\nnr_throttled 10",
            "cpu.pressure": V2["cpu.pressure"].replace("total=1000", "total=1001000"),
            "memory.max": "67108864",
            "io.stat": "8:0 rbytes=5000 wbytes=2000 rios=5 wios=4 dbytes=0 dios=0",
        },
    )
    sample = read.sample((200, 400, 2, 4))
    assert (sample.cpu, sample.cpu_user, sample.cpu_system) == (0.5, 0.4, 0.1)
    assert sample.throttled == 0.25
    assert (sample.cpu_some, sample.cpu_full) == (0.5, 0.0)
    assert (sample.io_some, sample.io_full) == (None, None)  # this host has no io.pressure
    assert sample.memory_limit == 67108864
    assert (sample.io_read, sample.io_write, sample.io_reads, sample.io_writes) == (2000, 0, 1, 0)
    assert (sample.net_rx, sample.net_tx, sample.net_rx_packets, sample.net_tx_packets) == (100, 200, 1, 2)
    read.close()


def test_v1_only(tmp_path: Path, clock: list[float]) -> None:
    hierarchy = detect(host(tmp_path, V1_ONLY))
    base = tmp_path / "sys/fs/cgroup"
    write(
        base / "cpu,cpuacct/t/a",
        {
            "cpuacct.usage_all": "cpu user system\n0 1000000000 0\n1 0 500000000",
            "cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0",
        },
    )
    write(
        base / "my memory/t/a",
        {
            "memory.usage_in_bytes": "30000000",
            "memory.limit_in_bytes": "9223372036854771712",
            "memory.stat": "cache 1\ntotal_cache 12000000\ntotal_rss 5\ntotal_shmem 2000000",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3",
            "memory.failcnt": "9",
        },
    )
    write(
        base / "blkio/t/a",
        {
            "blkio.throttle.io_service_bytes_recursive": "8:0 Read 100\n8:0 Write 200\nTotal 300",
            "blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 2\nTotal 3",
        },
    )
    (base / "pids/t/a").mkdir(parents=True)
    read = reader(hierarchy)
    read.sample()
    clock[0] += 1
    write(base / "cpu,cpuacct/t/a", {"cpuacct.usage_all": "cpu user system\n0 2000000000 0\n1 0 750000000"})
    write(
        base / "blkio/t/a",
        {"blkio.throttle.io_service_bytes_recursive": "8:0 Read 100\n8:0 Write 1200\nTotal 1300"},
    )
    sample = read.sample()
    assert (sample.cpu, sample.cpu_user, sample.cpu_system) == (1.25, 1.0, 0.25)
    assert (sample.memory, sample.cache, sample.memory_limit) == (20_000_000, 10_000_000, None)
    assert (sample.oom_kills, sample.memory_failures) == (3, 9)
    assert (sample.io_read, sample.io_write) == (0, 1000)
    assert sample.throttled == 0
    assert sample.pids is None  # no file
    assert sample.cpu_some is None  # pressure is v2's
    read.close()


def test_hybrid_takes_each_file_where_it_is(tmp_path: Path, clock: list[float]) -> None:
    hierarchy = detect(host(tmp_path, HYBRID))
    base = tmp_path / "sys/fs/cgroup"
    write(
        base / "unified/t/a",
        {"cpu.stat": "usage_usec 0\nuser_usec 0\nsystem_usec 0", "cpu.pressure": V2["cpu.pressure"]},
    )
    write(base / "cpu/t/a", {"cpu.stat": "nr_periods 10\nnr_throttled 10"})
    (base / "memory/t/a").mkdir(parents=True)
    read = reader(hierarchy)
    read.sample()
    clock[0] += 1
    write(base / "unified/t/a", {"cpu.stat": "usage_usec 300000\nuser_usec 300000\nsystem_usec 0"})
    write(base / "cpu/t/a", {"cpu.stat": "nr_periods 20\nnr_throttled 18"})
    sample = read.sample()
    assert (sample.cpu, sample.throttled, sample.cpu_some) == (0.3, 0.8, 0.0)
    assert (sample.memory, sample.oom_kills, sample.io_read) == (None, None, None)
    read.close()


def test_counter_that_went_backwards_counts_as_unmoved(tmp_path: Path, clock: list[float]) -> None:
    hierarchy = detect(host(tmp_path, V2_ONLY, "cpu io memory pids"))
    folder = tmp_path / "sys/fs/cgroup/t/a"
    write(folder, V2)
    read = reader(hierarchy)
    read.sample((9, 9, 9, 9))
    clock[0] += 1
    write(folder, {"cpu.stat": "usage_usec 5\nuser_usec 5\nsystem_usec 0\nnr_periods 1\nnr_throttled 0"})
    sample = read.sample((0, 0, 0, 0))
    assert (sample.cpu, sample.throttled, sample.net_rx) == (0, 0, 0)
    read.close()


def test_memory_follows_at_once_where_something_ran_else_within_six_ticks(
    tmp_path: Path, clock: list[float]
) -> None:
    hierarchy = detect(host(tmp_path, V2_ONLY, "memory pids"))
    folder = tmp_path / "sys/fs/cgroup/t/a"
    write(folder, V2)
    read = reader(hierarchy)
    read.sample()
    moved = {"memory.current": "40000000", "memory.stat": "anon 9\nfile 22000000\nkernel 5\nshmem 2000000"}
    write(folder, moved)
    samples = [read.sample() for _ in range(6)]
    assert (samples[-1].memory, samples[-1].cache) == (20_000_000, 20_000_000)
    write(folder, {**V2, "cpu.stat": "usage_usec 1000001\nuser_usec 600000\nsystem_usec 400000"})
    clock[0] += 1
    assert read.sample().cache == 10_000_000
    write(folder, {"memory.max": "50000000"})
    assert read.sample().memory_limit == 50_000_000  # limits at once in any case
    read.close()


def test_without_descriptors_to_keep_everything_is_still_read(tmp_path: Path, clock: list[float]) -> None:
    hierarchy = detect(host(tmp_path, V2_ONLY, "cpu io memory pids"))
    write(tmp_path / "sys/fs/cgroup/t/a", V2)
    budget = Budget(0)
    read = reader(hierarchy, budget)
    read.sample()
    clock[0] += 1
    sample = read.sample()
    assert (sample.cpu, sample.memory, sample.pids) == (0, 20_000_000, 7)
    assert budget.left == 0


def test_closing_gives_all_descriptors_back(tmp_path: Path) -> None:
    hierarchy = detect(host(tmp_path, V2_ONLY, "cpu io memory pids"))
    write(tmp_path / "sys/fs/cgroup/t/a", V2)
    budget = Budget(100)
    read = reader(hierarchy, budget)
    read.sample()
    assert budget.left == 100 - len(V2)
    read.close()
    assert budget.left == 100


def test_cgroup_that_is_not_there_is_gone(tmp_path: Path) -> None:
    hierarchy = detect(host(tmp_path, V2_ONLY, "cpu"))
    with pytest.raises(Gone):
        reader(hierarchy).sample()
