"""What the sampler reports of real programs in real cgroups."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from inside import SPIN, Program, group, holding, new, until

from engine.cgroups import Cgroup, Group
from engine.model import SAMPLE_FIELDS, LimitsChange, Sample
from engine.watch import Sampler, Target
from engine.watch.kept import Budget
from engine.watch.sources import STALE

pytestmark = pytest.mark.system
MIB = 1 << 20
PERIODS = 30  # of 100 ms, over which a quota is measured
WINDOWS = 6  # at most; one in which a busy machine left it all of its quota is wanted


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Group]:
    with group(tmp_path) as found:
        yield found


@pytest.fixture
def sampler(ours: Group) -> Iterator[Sampler]:
    sampler = Sampler(ours)
    yield sampler
    sampler.close()


def watched(ours: Group, sampler: Sampler, **limits: object) -> Cgroup:
    """A fresh cgroup with limits, watched as "a"."""
    cgroup = new(ours)
    cgroup.apply(LimitsChange(**limits))  # type: ignore[arg-type]
    sampler.add(Target("a", cgroup))
    sampler.tick()
    return cgroup


def one(sampler: Sampler) -> Sample:
    return sampler.tick()[1]["a"]


def periods(cgroup: Cgroup) -> int:
    """CFS periods the cgroup has been through."""
    place = cgroup.hierarchy.place("cpu", cgroup.path)
    assert place
    words = Path(place.folder, "cpu.stat").read_text().split()
    return int(words[words.index("nr_periods") + 1])


@pytest.mark.parametrize("cpus", [0.5, 0.25])
def test_busy_loop_reads_its_quota(ours: Group, sampler: Sampler, cpus: float) -> None:
    Cgroup(ours.hierarchy, ours.name).apply(LimitsChange(cpu_weight=10_000))  # others keep this machine busy
    cgroup = watched(ours, sampler, cpus=cpus)
    with Program(cgroup, *SPIN):
        until(lambda: periods(cgroup) > 1)
        for _ in range(WINDOWS):
            sampler.tick()
            begin = periods(cgroup)
            until(lambda: periods(cgroup) >= begin + PERIODS)  # noqa: B023
            sample = one(sampler)
            if (sample.throttled or 0) > 0.95:  # it used its quota up in each period
                break
    assert sample.cpu == pytest.approx(cpus, abs=0.03)
    assert sample.throttled == pytest.approx(1, abs=0.05)
    assert (sample.cpu_user or 0) > (sample.cpu_system or 0)


def test_throttled_share_is_of_this_tick_not_of_the_past(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler, cpus=0.02)  # used up even on a busy machine
    with Program(cgroup, *SPIN):
        until(lambda: periods(cgroup) > 5)
    until(lambda: not cgroup.pids())
    assert (one(sampler).throttled or 0) > 0.3
    assert one(sampler).throttled == 0


def test_memory_is_use_and_cache_apart(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler, memory=128 * MIB)
    before = one(sampler)
    if before.memory is None:  # no memory controller
        assert before.cache is None
        return
    with holding(cgroup, 24 * MIB) as program:
        assert program.line() == "held"
        held = one(sampler)
        assert held.memory == pytest.approx(24 * MIB, abs=8 * MIB)
        assert held.memory_limit == 128 * MIB
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:  # on a file system with a page cache
        with Program(
            cgroup, "dd", "if=/dev/zero", f"of={file.name}", "bs=1M", "count=24", "status=none"
        ) as copy:
            assert copy.ended() == 0
        cached = one(sampler)
        assert cached.cache == pytest.approx(24 * MIB, abs=4 * MIB)
        assert cached.memory is not None
        assert cached.memory < 8 * MIB


def test_shared_memory_is_use(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler)
    if one(sampler).memory is None:
        assert ours.hierarchy.version("memory") is None
        return
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        with Program(
            cgroup, "dd", "if=/dev/zero", f"of={file.name}", "bs=1M", "count=16", "status=none"
        ) as copy:
            assert copy.ended() == 0
        sample = one(sampler)
    assert sample.memory == pytest.approx(16 * MIB, abs=4 * MIB)
    assert sample.cache is not None
    assert sample.cache < 4 * MIB


def test_oom_kill_is_counted(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler, memory=16 * MIB)  # v1 of 6.18 does not count failures of swap=0
    assert (one(sampler).oom_kills, one(sampler).memory_failures) == (0, 0)
    with holding(cgroup, 64 * MIB) as program:
        assert program.ended() == -9
    sample = one(sampler)
    assert sample.oom_kills == 1
    assert sample.memory_failures is not None
    assert sample.memory_failures > 0
    [file] = cgroup.oom_files
    assert "oom_kill 1\n" in Path(file).read_text()
    assert Path(cgroup.memory_limit_file).read_text() == f"{16 * MIB}\n"


def test_pids_and_limit_follow(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler)
    assert (one(sampler).pids, one(sampler).memory_limit) == (0, None)
    with Program(cgroup, "sleep", "60"):
        until(lambda: one(sampler).pids == 1)
        cgroup.apply(LimitsChange(memory=64 * MIB))
        assert one(sampler).memory_limit == 64 * MIB
        cgroup.apply(LimitsChange(memory=None))
        assert one(sampler).memory_limit is None


def test_disk_writes_are_counted(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler)
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        write = ("dd", "if=/dev/zero", f"of={file.name}", "bs=1M", "count=8", "oflag=direct", "status=none")
        with Program(cgroup, *write) as copy:
            direct = copy.ended() == 0
        sample = one(sampler)
    device = Path("/var/tmp").stat().st_dev
    on_disk = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if sample.io_write is None:
        assert ours.hierarchy.version("io") is None
    elif direct and on_disk.exists():
        assert sample.io_write > 0
        assert sample.io_writes is not None
        assert sample.io_writes > 0
    else:
        assert sample.io_write == 0


def test_stall_of_two_programs_on_one_core(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler)
    if not Path("/proc/pressure/cpu").exists() or not ours.hierarchy.unified:
        assert (one(sampler).cpu_some, one(sampler).memory_some, one(sampler).io_full) == (None, None, None)
        return
    cgroup.apply(LimitsChange(cpuset="0"))
    with Program(cgroup, *SPIN), Program(cgroup, *SPIN):
        until(lambda: len(cgroup.pids()) == 2)
        sampler.tick()
        for _ in range(20):
            cgroup_seconds(cgroup, 0.1)
        sample = one(sampler)
    assert sample.cpu_some is not None
    assert 0.5 < sample.cpu_some <= 1
    assert sample.memory_some == 0


def cgroup_seconds(cgroup: Cgroup, seconds: float) -> None:
    """Wait until the cgroup has used that much CPU time."""
    place = cgroup.hierarchy.accounting(cgroup.path)
    assert place

    def used() -> int:
        return int(Path(place.folder, "cpu.stat").read_text().split()[1])

    begin = used()
    until(lambda: used() >= begin + seconds * 1e6)


def test_all_that_this_host_can_tell_is_told(ours: Group) -> None:
    sampler = Sampler(ours, lambda: {"veth1": (1, 2, 3, 4)})
    cgroup = new(ours)
    sampler.add(Target("a", cgroup, "veth1"))
    sampler.tick()
    for _ in range(STALE + 1):  # memory.stat is read that seldom, and where nothing ran, nothing is
        with Program(cgroup, "true") as program:
            program.ended()
        sample = one(sampler)
    absent = {name for name in SAMPLE_FIELDS if getattr(sample, name) is None}
    expected = {"memory_limit"}
    if ours.hierarchy.version("memory") == 1:
        expected |= {"memory_highs", "scanned", "reclaimed"}
    else:
        expected |= {"charged"}
    if not Path("/proc/pressure").exists() or not ours.hierarchy.unified:
        expected |= {name for name in SAMPLE_FIELDS if name.endswith(("_some", "_full"))}
    else:
        expected |= {"cpu_wait"}  # the stand-in for them
    assert absent == expected
    sampler.close()


def test_removed_cgroup_is_reported_gone_once(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler)
    cgroup.remove()
    assert sampler.tick()[1] == {}
    assert sampler.gone == ["a"]
    assert sampler.tick()[1] == {}
    assert sampler.gone == []


def test_cgroup_made_again_under_the_same_name_starts_anew(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler)
    with Program(cgroup, *SPIN):
        cgroup_seconds(cgroup, 0.1)
    assert (one(sampler).cpu or 0) > 0
    cgroup.remove()
    cgroup.create()
    assert one(sampler).cpu is None
    assert one(sampler).cpu == 0
    assert sampler.gone == []


def test_removed_target_is_read_no_more(ours: Group, sampler: Sampler) -> None:
    watched(ours, sampler)
    sampler.remove("a")
    sampler.remove("never there")
    assert sampler.tick()[1] == {}
    assert sampler.gone == []


@pytest.mark.parametrize("limit", [0, 30, 1000])
def test_descriptors_stay_within_the_budget_and_are_given_back(ours: Group, limit: int) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    sampler = Sampler(ours, budget=Budget(limit))
    for number in range(6):
        sampler.add(Target(str(number), new(ours)))
    sampler.tick()
    samples = sampler.tick()[1]
    assert len(samples) == 6
    assert {sample.cpu for sample in samples.values()} == {0.0}
    assert {sample.pids for sample in samples.values()} == {0}
    assert descriptors() - before <= limit
    sampler.close()
    assert descriptors() == before


def test_host(ours: Group, sampler: Sampler) -> None:
    cgroup = watched(ours, sampler)
    with Program(cgroup, *SPIN):
        cgroup_seconds(cgroup, 0.5)
        host = sampler.tick()[0]
    assert host.cores == os.cpu_count()
    assert host.cpu is not None
    assert 0.4 < host.cpu <= host.cores + 0.2
    assert host.memory is not None
    assert host.cache is not None
    assert 0 < host.memory + host.cache < host.memory_total
    assert (host.cpu_some is None) is not Path("/proc/pressure/cpu").exists()
    assert host.net_rx is not None


def test_own_cost_is_that_of_the_engines_and_the_monitors_cgroups(ours: Group, sampler: Sampler) -> None:
    monitors = Cgroup(ours.hierarchy, ours.path("monitors"))
    ours.join()
    sampler.tick()
    began = time.monotonic()
    with Program(ours.monitor_folders, *SPIN) as program:
        until(lambda: monitors.pids() == [program.process.pid])
        cgroup_seconds(monitors, 0.3)
        host = sampler.tick()[0]
        assert host.self_cpu is not None
        assert host.self_cpu * (time.monotonic() - began) > 0.25  # CPU seconds, however busy the machine
        assert host.self_memory is not None
        assert host.self_memory > 4 * MIB  # this process at least
    until(lambda: not monitors.pids())
