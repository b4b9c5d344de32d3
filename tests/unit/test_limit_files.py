"""Controllers on made-up files, for what no kernel at hand has: v2's cpuset, io.weight and others."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from fake_cgroupfs import V1_ONLY, V2_ONLY, host, write

from engine.cgroups import Cgroup, detect, restoring, setting
from engine.cgroups.cpu import shares_of_weight, weight_of_shares
from engine.cgroups.cpuset import parse_list
from engine.cgroups.io import bfq_of_weight, limit_of, weight_of_bfq
from engine.errors import BadRequest, NotFound, Unsupported
from engine.model import IoLimit, Limits, LimitsChange

V2 = {
    "cpu.max": "max 100000",
    "cpu.weight": "100",
    "cpu.idle": "0",
    "cpuset.cpus": "",
    "memory.max": "max",
    "memory.high": "max",
    "memory.swap.max": "max",
    "memory.current": "1000000",
    "io.weight": "default 100",
    "io.max": "",
    "pids.max": "max",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sys/fs/cgroup/t/a"
    host(tmp_path, V2_ONLY, "cpuset cpu io memory pids")
    write(folder, V2)
    write(folder.parent, {"cpuset.cpus.effective": "0-3,8"})
    return folder


@pytest.fixture
def cgroup(tmp_path: Path, folder: Path) -> Cgroup:
    return Cgroup(detect(tmp_path), "t/a")


def content(path: Path) -> str:
    return path.read_text().strip()


def test_every_limit_has_its_v2_file(cgroup: Cgroup, folder: Path) -> None:
    change = LimitsChange(
        cpus=0.5,
        cpu_weight=20,
        cpuset="1-2,8",
        memory=64 << 20,
        memory_high=32 << 20,
        swap=0,
        io_weight=300,
        pids=9,
    )
    applied = cgroup.apply(change)
    assert {
        name: content(folder / name).split("\n")[0] for name in V2 if name not in ("io.max", "cpu.idle")
    } == {
        "cpu.max": "50000 100000",
        "cpu.weight": "20",
        "cpuset.cpus": "1-2,8",
        "memory.max": "67108864",
        "memory.high": "33554432",
        "memory.swap.max": "0",
        "memory.current": "1000000",
        "io.weight": "300",
        "pids.max": "9",
    }
    assert applied.before == Limits()
    assert [reading.name for reading in applied.readings] == list(Limits.__struct_fields__)
    cgroup.apply(restoring(applied.before, applied.after))
    assert cgroup.limits() == Limits()
    assert content(folder / "cpuset.cpus") == ""


def test_core_that_is_not_there_is_refused_before_anything_is_written(cgroup: Cgroup, folder: Path) -> None:
    with pytest.raises(BadRequest, match="no core 4") as caught:
        cgroup.apply(LimitsChange(cpus=0.5, cpuset="3-4"))
    assert "0-3,8" in caught.value.remedy
    assert content(folder / "cpu.max") == "max 100000"


@pytest.mark.parametrize("text", ["", ",", "1-", "a", "3-1", "0-99999999", "-1", "1,,2", "0x1"])
def test_what_is_no_list_of_cores(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|^" + re.escape(text)):
        parse_list(text)


def test_list_of_cores() -> None:
    assert parse_list("0-2,5, 7-7") == {0, 1, 2, 5, 7}


def test_missing_file_makes_only_its_limit_unsupported(cgroup: Cgroup, folder: Path) -> None:
    (folder / "memory.swap.max").unlink()
    readings = {reading.name: reading for reading in cgroup.readings()}
    assert readings["memory"].supported
    assert not readings["swap"].supported
    assert readings["swap"].why_not
    with pytest.raises(Unsupported, match="swap"):
        cgroup.apply(LimitsChange(memory=64 << 20, swap=0))
    assert content(folder / "memory.max") == "max"
    cgroup.apply(LimitsChange(swap=None))  # nothing to clear is no error


def test_controller_that_is_not_enabled_below_the_base(cgroup: Cgroup, folder: Path) -> None:
    for name in ("memory.max", "memory.high", "memory.swap.max", "memory.current"):
        (folder / name).unlink()
    reading = next(reading for reading in cgroup.readings() if reading.name == "memory")
    assert "not enabled" in reading.why_not


def test_no_cgroup(tmp_path: Path) -> None:
    host(tmp_path, V2_ONLY, "cpu")
    with pytest.raises(NotFound):
        Cgroup(detect(tmp_path), "t/b").apply(LimitsChange(cpus=1))


def test_without_a_device_filter_only_privileged_ones_are_made(tmp_path: Path) -> None:
    hierarchy = detect(host(tmp_path, V1_ONLY))
    for folder in hierarchy.folders("t"):
        Path(folder).mkdir(parents=True)
    with pytest.raises(Unsupported, match="devices"):
        Cgroup(hierarchy, "t/b").create()
    privileged = Cgroup(hierarchy, "t/b", all_devices=True)
    privileged.create()
    assert privileged.exists


def test_throttles_as_io_max_shows_them(cgroup: Cgroup, folder: Path) -> None:
    write(
        folder,
        {"io.max": "999:0 rbps=2097152 wbps=max riops=max wiops=120\n998:0 rbps=max wbps=max"},
    )
    [reading] = [reading for reading in cgroup.readings() if reading.name == "io"]
    assert (reading.device, reading.value) == ("999:0", "rbps=2097152 wiops=120")
    assert cgroup.limits().io == {"999:0": IoLimit(read_bps=2097152, write_iops=120)}


def test_text_of_a_throttle() -> None:
    assert limit_of("rbps=1 wiops=4") == IoLimit(read_bps=1, write_iops=4)


def test_weights_keep_ratios_and_default() -> None:
    assert (shares_of_weight(100), shares_of_weight(1), shares_of_weight(10_000)) == (1024, 10, 102_400)
    assert all(weight_of_shares(shares_of_weight(weight)) == weight for weight in range(1, 10_001))
    assert (weight_of_shares(2), weight_of_shares(262_144)) == (1, 10_000)
    assert (bfq_of_weight(100), bfq_of_weight(1), bfq_of_weight(10_000)) == (100, 1, 1000)
    assert all(bfq_of_weight(weight_of_bfq(bfq)) == bfq for bfq in range(1, 1001))


def test_undo_of_a_throttle_clears_the_device() -> None:
    before, after = Limits(cpus=1), Limits(cpus=1, io={"/dev/sda": IoLimit(read_bps=1)})
    assert restoring(before, after) == LimitsChange(io={"/dev/sda": IoLimit()})
    assert setting(after) == LimitsChange(cpus=1, io={"/dev/sda": IoLimit(read_bps=1)})
    assert restoring(after, after) == LimitsChange()


@pytest.mark.parametrize(
    "change",
    [
        LimitsChange(cpus=0),
        LimitsChange(cpus=-1),
        LimitsChange(cpus=float("nan")),
        LimitsChange(cpus=float("inf")),
        LimitsChange(cpus=(os.cpu_count() or 1) + 0.5),
        LimitsChange(cpu_weight=0),
        LimitsChange(cpu_weight=10_001),
        LimitsChange(memory=0),
        LimitsChange(memory=(6 << 20) - 1),
        LimitsChange(memory=2**64 + (64 << 20)),
        LimitsChange(memory_high=1),
        LimitsChange(swap=-1),
        LimitsChange(io_weight=0),
        LimitsChange(pids=0),
        LimitsChange(pids=1 << 40),
        LimitsChange(cpuset=""),
        LimitsChange(io={"/dev/null": IoLimit(read_bps=1)}),
        LimitsChange(io={"/nonexistent": IoLimit(read_bps=1)}),
        LimitsChange(io={"../../etc:0": IoLimit(read_bps=1)}),
        LimitsChange(io={"": IoLimit(read_bps=1)}),
    ],
)
def test_bad_value_is_refused_with_a_remedy(cgroup: Cgroup, folder: Path, change: LimitsChange) -> None:
    before = {path.name: path.read_text() for path in folder.iterdir()}
    with pytest.raises(BadRequest) as caught:
        cgroup.apply(change)
    assert caught.value.remedy
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
