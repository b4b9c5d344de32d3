"""Finding the cgroup hierarchies on hosts of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cgroupfs import HYBRID, V1_ONLY, V2_ONLY, host

from engine.cgroups import detect
from engine.errors import Unsupported


def test_v1_only(tmp_path: Path) -> None:
    found = detect(host(tmp_path, V1_ONLY))
    base = f"{tmp_path}/sys/fs/cgroup"
    assert found.mode == "v1"
    assert found.folders("tiffin/a") == [
        f"{base}/cpu,cpuacct/tiffin/a",
        f"{base}/my memory/tiffin/a",
        f"{base}/blkio/tiffin/a",
        f"{base}/pids/tiffin/a",
        f"{base}/freezer/tiffin/a",
    ]
    assert found.version("cpuset") is None
    assert found.place("cpuset", "x") is None
    freezer = found.freezer("x")
    assert freezer
    assert (freezer.version, freezer.folder) == (1, f"{base}/freezer/x")


def test_v2_only(tmp_path: Path) -> None:
    found = detect(host(tmp_path, V2_ONLY, "cpuset cpu io memory hugetlb pids rdma misc"))
    assert found.mode == "v2"
    assert found.folders("tiffin/a") == [f"{tmp_path}/sys/fs/cgroup/tiffin/a"]
    assert {found.version(name) for name in ("cpu", "cpuset", "memory", "io", "pids")} == {2}
    assert found.version("cpuacct") is None


def test_hybrid_counts_and_freezes_in_the_v2_tree(tmp_path: Path) -> None:
    found = detect(host(tmp_path, HYBRID, "hugetlb"))
    base = f"{tmp_path}/sys/fs/cgroup"
    assert found.mode == "hybrid"
    assert found.folders("a") == [f"{base}/unified/a", f"{base}/memory/a", f"{base}/cpu/a"]
    accounting, freezer = found.accounting("a"), found.freezer("a")
    assert accounting == freezer
    assert accounting
    assert accounting.version == 2


def test_controller_of_the_v2_tree_is_preferred_to_none_in_v1(tmp_path: Path) -> None:
    found = detect(host(tmp_path, HYBRID, "pids io"))
    assert found.version("memory") == 1
    assert found.version("pids") == 2


@pytest.mark.parametrize(
    ("release", "freezes"), [("4.19.0", False), ("5.1.21", False), ("5.2.0-rc1", True), ("10.0", True)]
)
def test_v2_freezer_by_kernel(tmp_path: Path, release: str, freezes: bool) -> None:
    found = detect(host(tmp_path, V2_ONLY, "cpu", release))
    assert (found.freezer("a") is not None) is freezes


def test_mount_hidden_by_a_later_one_is_not_used(tmp_path: Path) -> None:
    over = "40 31 0:50 / /sys/fs/cgroup/memory rw - tmpfs tmpfs rw\n"
    found = detect(host(tmp_path, HYBRID + over))
    assert found.version("memory") is None


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    with pytest.raises(Unsupported) as caught:
        detect(host(tmp_path, "22 27 0:21 / /proc rw - proc proc rw\n"))
    assert "mount" in caught.value.remedy
