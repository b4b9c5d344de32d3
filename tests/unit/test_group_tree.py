"""The tree of made-up hosts: merged over hierarchies, found and lost, sampled, and as an outline."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from fake_cgroupfs import HYBRID, V1_ONLY, V2_ONLY, host, write

from engine.cgroups import Group as OwnGroup
from engine.cgroups import detect
from engine.model import GROUP_ROOT, Group, HostSample, Sample
from engine.watch.disks import Disks
from engine.watch.groups import Groups, Told
from engine.watch.groups.groups import shown
from engine.watch.groups.naming import Named
from engine.watch.kept import Budget
from tui.presentation.groups import SORTS, outline

HOST = HostSample(cores=2, cpu=1.5)
STALLS = "some avg10=0 avg60=0 avg300=0 total=0\nfull avg10=0 avg60=0 avg300=0 total=0"
ID = "3f2a9c1b04d2" + "0" * 52


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def groups(root: Path, name: str = "tiffin") -> Groups:
    return Groups(OwnGroup(detect(root), name), Budget(1000), Disks("/nonexistent"))


def v2(folder: Path, usage: int, controllers: str = "cpu io memory pids") -> None:
    write(
        folder,
        {
            "cgroup.controllers": controllers,
            "cgroup.procs": "",
            "cpu.stat": f"usage_usec {usage}\nuser_usec {usage}\nsystem_usec 0",
            **{f"{what}.pressure": STALLS for what in ("cpu", "memory", "io")},
        },
    )


def test_v2_from_slice_to_container(tmp_path: Path, clock: list[float]) -> None:
    base = host(tmp_path, V2_ONLY, "cpu io memory pids") / "sys/fs/cgroup"
    for path, usage in (
        ("system.slice", 0),
        ("system.slice/ssh.service", 0),
        (f"docker/{ID}", 0),
        ("docker", 0),
    ):
        v2(base / path, usage)
    found = groups(tmp_path)
    found.tick(HOST, {}, {})
    assert next(iter(found.groups)) == GROUP_ROOT
    ssh = found.groups["cgroup:/system.slice/ssh.service"]
    assert (ssh.kind, ssh.name, ssh.engine, ssh.parent) == (
        "service",
        "ssh",
        "systemd",
        "cgroup:/system.slice",
    )
    clock[0] += 1
    v2(base / f"docker/{ID}", 500_000)
    v2(base / "docker", 500_000)
    found.tick(HOST, {}, {})
    assert found.samples[f"cgroup:/docker/{ID}"].cpu == 0.5
    assert found.samples[ssh.id].cpu == 0
    assert found.samples[GROUP_ROOT].cpu == 1.5
    found.name({ID: Named("web", "nginx", "docker")})
    found.tick(HOST, {}, {})
    web = found.groups[f"cgroup:/docker/{ID}"]
    assert (web.name, web.image, web.engine, web.ref) == ("web", "nginx", "docker", ID)
    found.close()


def test_one_node_for_a_path_in_several_hierarchies(tmp_path: Path) -> None:
    base = host(tmp_path, HYBRID) / "sys/fs/cgroup"
    v2(base / "unified/a", 0, "")
    (base / "memory/a/b").mkdir(parents=True)
    (base / "cpu/a").mkdir(parents=True)
    (base / "cpuacct").mkdir()
    found = groups(tmp_path)
    found.tick(HOST, {}, {})
    assert list(found.groups) == [GROUP_ROOT, "cgroup:/a", "cgroup:/a/b"]
    why = found.groups["cgroup:/a/b"].absent
    assert why["cpu"] == "it is in no hierarchy that counts CPU time"
    assert why["pressure"] == "it is not in the v2 tree"
    assert "throttled" in why
    assert "memory" not in why
    assert "pids" in found.groups["cgroup:/a"].absent  # which this host does not have at all
    shutil.rmtree(base / "unified/a")
    found.tick(HOST, {}, {})
    found.tick(HOST, {}, {})
    assert "pressure" in found.groups["cgroup:/a"].absent  # still there, in the others
    found.close()


def test_v1_with_systemds_own_hierarchy(tmp_path: Path) -> None:
    base = host(tmp_path, V1_ONLY) / "sys/fs/cgroup"
    for name in ("systemd", "cpu,cpuacct", "blkio", "my memory", "pids", "freezer"):
        (base / name).mkdir(parents=True, exist_ok=True)
    write(base / "systemd/system.slice/ssh.service", {"cgroup.procs": ""})
    write(base / "cpu,cpuacct/system.slice", {"cpuacct.usage_all": "cpu user system\n0 0 0"})
    found = groups(tmp_path)
    found.tick(HOST, {}, {})
    assert found.groups["cgroup:/system.slice/ssh.service"].kind == "service"
    assert found.samples["cgroup:/system.slice"].cpu is None  # no rate yet
    assert "cpu" in found.groups["cgroup:/system.slice/ssh.service"].absent
    found.close()


def test_what_comes_and_goes_is_found(tmp_path: Path) -> None:
    base = host(tmp_path, V2_ONLY, "cpu") / "sys/fs/cgroup"
    v2(base / "a", 0)
    found = groups(tmp_path)
    found.tick(HOST, {}, {})
    v2(base / "b", 0)
    v2(base / "b/c", 0)
    found.tick(HOST, {}, {})
    assert list(found.groups) == [GROUP_ROOT, "cgroup:/a", "cgroup:/b", "cgroup:/b/c"]
    v2(base / "a/first", 0)  # below one that had none: looked for in turns
    found.tick(HOST, {}, {})
    found.tick(HOST, {}, {})
    assert "cgroup:/a/first" in found.groups
    shutil.rmtree(base / "b")
    found.tick(HOST, {}, {})
    assert list(found.groups) == [GROUP_ROOT, "cgroup:/a", "cgroup:/a/first"]
    shutil.rmtree(base / "a")  # one away, another there: the number of links stays
    v2(base / "d", 0)
    for _ in range(3):
        found.tick(HOST, {}, {})
    assert list(found.groups) == [GROUP_ROOT, "cgroup:/d"]
    found.close()


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    base = host(tmp_path, V2_ONLY, "cpu") / "sys/fs/cgroup"
    for path in ("a", "a/b", "c"):
        v2(base / path, 0)
    budget = Budget(1000)
    found = Groups(OwnGroup(detect(tmp_path), "tiffin"), budget, Disks("/nonexistent"))
    before = len(os.listdir("/proc/self/fd"))
    found.tick(HOST, {}, {})
    assert budget.left < 1000
    found.close()
    assert budget.left == 1000
    assert len(os.listdir("/proc/self/fd")) == before


def test_closing_waits_for_a_tick_and_ends_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = host(tmp_path, V2_ONLY, "cpu") / "sys/fs/cgroup"
    v2(base / "a", 0)
    budget = Budget(1000)
    found = Groups(OwnGroup(detect(tmp_path), "tiffin"), budget, Disks("/nonexistent"))
    found.tick(HOST, {}, {})
    v2(base / "a/b", 0)
    began, go, look = threading.Event(), threading.Event(), found._tree.look

    def held() -> None:
        began.set()
        assert go.wait(10)
        look()

    monkeypatch.setattr(found._tree, "look", held)
    ticking = threading.Thread(target=found.tick, args=(HOST, {}, {}))
    closing = threading.Thread(target=found.close)
    ticking.start()
    assert began.wait(10)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    assert budget.left < 1000
    go.set()
    ticking.join(10)
    closing.join(10)
    assert (found.seq, budget.left) == (2, 1000)
    found.tick(HOST, {}, {})  # one that a thread had still to begin
    assert (found.seq, budget.left) == (2, 1000)


def test_more_than_are_watched_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.watch.groups import tree

    monkeypatch.setattr(tree.Tree.__init__, "__defaults__", (3,))
    base = host(tmp_path, V2_ONLY, "cpu") / "sys/fs/cgroup"
    for name in "abcde":
        v2(base / name, 0)
    found = groups(tmp_path)
    found.tick(HOST, {}, {})
    snapshot = found.snapshot(1.0)
    assert len(snapshot.groups) == 3
    assert snapshot.omitted == 3
    found.close()


def test_names_that_would_drive_a_terminal(tmp_path: Path) -> None:
    base = host(tmp_path, V2_ONLY, "cpu") / "sys/fs/cgroup"
    os.mkdir(os.fsencode(base) + b"/\x1b[2J")
    os.mkdir(os.fsencode(base) + b"/\xff")
    found = groups(tmp_path)
    found.tick(HOST, {}, {})
    assert set(found.groups) == {GROUP_ROOT, "cgroup:/\\x1b[2J", "cgroup:/\\xff"}
    node = found.node("cgroup:/\\xff")
    assert node is not None
    assert os.fsencode(node.path) == b"\xff"
    assert shown("a\ud800\n") == "a\\ud800\\n"  # which JSON can hold, and a file's name cannot
    found.close()


def test_what_stood_still_is_not_read_again(tmp_path: Path, clock: list[float]) -> None:
    base = host(tmp_path, V2_ONLY, "cpu io memory pids") / "sys/fs/cgroup"
    v2(base / "a", 0)
    for index in range(20):
        v2(base / f"a/{index}", 0)
    found = groups(tmp_path)
    for _ in range(3):
        found.tick(HOST, {}, {})
        clock[0] += 1
    for index in range(20):
        v2(base / f"a/{index}", 10**6)  # unseen as long as nothing is counted above
    found.tick(HOST, {}, {})
    clock[0] += 1
    idle = sum(1 for index in range(20) if found.samples[f"cgroup:/a/{index}"].cpu == 0)
    assert 10 <= idle < 20  # all but those whose turn it is
    v2(base / "a", 20 * 10**6)
    found.tick(HOST, {}, {})
    assert all(found.samples[f"cgroup:/a/{index}"].cpu is not None for index in range(20))
    clock[0] += 1
    found.tick(HOST, {}, {})
    assert found.samples["cgroup:/a"].cpu == 0
    found.close()


def test_only_what_differs_is_told(tmp_path: Path, clock: list[float]) -> None:
    base = host(tmp_path, V2_ONLY, "cpu") / "sys/fs/cgroup"
    v2(base / "a", 0)
    v2(base / "b", 0)
    found, told = groups(tmp_path), Told()
    for _ in range(2):
        found.tick(HOST, {}, {})
        clock[0] += 1
    assert [group.id for group in told.news(found.snapshot(1.0)).groups] == [
        GROUP_ROOT,
        "cgroup:/a",
        "cgroup:/b",
    ]
    found.tick(HOST, {}, {})
    clock[0] += 1
    still = told.news(found.snapshot(1.0))
    assert (still.groups, still.samples, still.gone) == ([], {}, [])
    v2(base / "a", 10**6)
    shutil.rmtree(base / "b")
    found.tick(HOST, {}, {})
    news = told.news(found.snapshot(1.0))
    assert list(news.samples) == ["cgroup:/a"]
    assert news.gone == ["cgroup:/b"]
    found.close()


# ── the outline ─────────────────────────────────────────────────────────────────────────────────────────────


def some() -> list[Group]:
    def one(path: str, parent: str, processes: int = 1) -> Group:
        name = path.rpartition("/")[2] or "/"
        kind = "root" if path == "/" else "group"
        return Group(id=path, path=path, parent=parent, name=name, processes=processes, kind=kind)

    return [
        one("/", ""),
        one("/a", "/"),
        one("/a/x", "/a"),
        one("/a/y", "/a"),
        one("/b", "/", 0),
        one("/c", "/"),
    ]


def lines(**how: object) -> list[str]:
    samples = {"/c": Sample(cpu=2.0), "/a": Sample(cpu=1.0), "/a/y": Sample(cpu=0.9)}
    return [line.guides + line.group.name for line in outline(some(), samples, **how)]  # type: ignore[arg-type]


def test_outline() -> None:
    assert lines() == ["/", "├ a", "│ ├ x", "│ └ y", "├ b", "└ c"]
    assert lines(empty=False) == ["/", "├ a", "│ ├ x", "│ └ y", "└ c"]
    assert lines(folded={"/a"}) == ["/", "├ a", "├ b", "└ c"]
    assert lines(key=SORTS["cpu"]) == ["/", "├ c", "├ a", "│ ├ y", "│ └ x", "└ b"]
    assert lines(text="y", folded={"/a"}) == ["/", "└ a", "  └ y"]
    assert lines(text="nothing") == []
    assert lines(descending=True)[1] == "├ c"
