"""Cgroups on the real kernel, whichever hierarchies it has."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from inside import SPIN, Program, group, holding, new, until
from msgspec.structs import replace

from engine.cgroups import Cgroup, Group, Hierarchy, detect, restoring
from engine.errors import BadRequest, Conflict, KernelError, NotFound, TiffinError, Unsupported
from engine.model import IoLimit, Limits, LimitsChange

pytestmark = pytest.mark.system
MIB = 1 << 20


def hierarchies() -> dict[str, Hierarchy]:
    """This host's, and on a hybrid one also what a host without the v2 tree would have."""
    here = detect()
    if here.mode != "hybrid":
        return {here.mode: here}
    return {"hybrid": here, "v1": replace(here, unified="", v2=frozenset(), v2_freezer=False)}


HIERARCHIES = hierarchies()


@pytest.fixture(params=HIERARCHIES)
def ours(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Group]:
    with group(tmp_path, HIERARCHIES[request.param]) as found:
        yield found


@pytest.fixture
def cgroup(ours: Group) -> Cgroup:
    return new(ours)


def disk() -> str:
    """A device that can be throttled, or empty."""
    names = sorted(os.listdir("/sys/block"), key=lambda name: name.startswith(("loop", "ram")))
    return next((f"/dev/{name}" for name in names if Path(f"/dev/{name}").is_block_device()), "")


# ── being there ─────────────────────────────────────────────────────────────────────────────────────────────


def test_is_made_in_every_hierarchy_and_removed_from_all(ours: Group) -> None:
    cgroup = Cgroup(ours.hierarchy, ours.path("a"))
    assert not cgroup.exists
    cgroup.create()
    assert cgroup.exists
    assert all(Path(folder, "cgroup.procs").exists() for folder in cgroup.folders)
    assert ours.ids() == ["a"]
    with pytest.raises(Conflict):
        cgroup.create()
    cgroup.remove()
    assert not any(Path(folder).exists() for folder in cgroup.folders)
    cgroup.remove()


def test_is_made_nowhere_when_one_hierarchy_refuses(ours: Group) -> None:
    cgroup = Cgroup(ours.hierarchy, ours.path("a"))
    Path(cgroup.folders[-1]).mkdir()
    with pytest.raises(Conflict):
        cgroup.create()
    assert [Path(folder).exists() for folder in cgroup.folders[:-1]] == [False] * (len(cgroup.folders) - 1)
    assert ours.ids() == ["a"]  # what a crash may leave is found …
    cgroup.remove()  # … and removed
    assert ours.ids() == []


def test_group_is_made_on_demand(tmp_path: Path) -> None:
    ours = Group(detect(), f"tiffin-test-{os.getpid()}")
    cgroup = Cgroup(ours.hierarchy, ours.path("a"))
    cgroup.create()
    with Program(cgroup, "sleep", "60"):
        until(lambda: len(cgroup.pids()) == 1)
        cgroup.remove()
    assert ours.remove()


def test_group_is_not_removed_under_others(ours: Group) -> None:
    cgroup = new(ours)
    assert not ours.remove()
    assert cgroup.exists
    ours.prepare()


def test_engine_joins_and_leaves(ours: Group) -> None:
    def where() -> str:
        return Path("/proc/self/cgroup").read_text()

    ours.join()
    assert where().count(f":/{ours.name}/engine\n") == len(ours.engine_folders)
    assert ours.remove()
    assert ours.name not in where()


def test_program_inside_is_in_all_hierarchies(cgroup: Cgroup) -> None:
    with Program(cgroup, "sleep", "60") as program:
        until(lambda: cgroup.pids() == [program.process.pid])
        until(lambda: Path(f"/proc/{program.process.pid}/comm").read_text() == "sleep\n")
        listed = Path(f"/proc/{program.process.pid}/cgroup").read_text()
        assert listed.count(f":/{cgroup.path}\n") >= len(cgroup.folders)


def test_kill_reaches_nested_cgroups(cgroup: Cgroup) -> None:
    nested = Cgroup(cgroup.hierarchy, f"{cgroup.path}/inner")
    Path(nested.folders[0]).mkdir()
    with Program(cgroup, "sleep", "60") as outer, Program(cgroup, "sleep", "60") as inner:
        until(lambda: len(cgroup.pids()) == 2)
        Path(nested.folders[0], "cgroup.procs").write_text(str(inner.process.pid))
        assert cgroup.pids() == sorted([outer.process.pid, inner.process.pid])
        cgroup.kill()
        assert (outer.ended(), inner.ended()) == (-9, -9)


@pytest.mark.parametrize("frozen", [False, True])
def test_remove_ends_what_is_inside(cgroup: Cgroup, frozen: bool) -> None:
    for folder in cgroup.folders:
        Path(folder, "inner").mkdir()
    with Program(cgroup, *SPIN) as program:
        until(lambda: len(cgroup.pids()) == 1)
        if frozen:
            cgroup.freeze()
        cgroup.remove()
        assert program.ended() == -9
    assert not cgroup.exists


def test_remove_is_faster_than_a_program_that_forks_all_the_time(cgroup: Cgroup) -> None:
    cgroup.apply(LimitsChange(pids=64))
    with Program(cgroup, "sh", "-c", "f() { f & f & }; while :; do f 2>/dev/null; done"):
        until(lambda: len(cgroup.pids()) > 8)
        cgroup.remove()
    assert not cgroup.exists


def test_nothing_can_be_asked_of_a_cgroup_that_is_not_there(ours: Group) -> None:
    cgroup = Cgroup(ours.hierarchy, ours.path("a"))
    for ask in (cgroup.readings, cgroup.limits, cgroup.freeze, cgroup.thaw):
        with pytest.raises(NotFound) as caught:
            ask()
        assert caught.value.remedy
    assert cgroup.pids() == []
    assert not cgroup.frozen()
    cgroup.kill()


# ── devices ─────────────────────────────────────────────────────────────────────────────────────────────────

OPEN = """
import os, sys
block, character = 0o60000, 0o20000
for kind, major, minor in (block, 254, 0), (character, 1, 11), (character, 10, 200), (character, 1, 5):
    os.mknod("node", kind | 0o600, os.makedev(major, minor))
    try:
        os.close(os.open("node", os.O_RDONLY))
    except OSError as error:
        print(error.errno)
    else:
        print("opened")
    os.unlink("node")
"""


def opened(cgroup: Cgroup, folder: Path) -> list[str]:
    """What comes of opening a disk, /dev/kmsg, /dev/net/tun and /dev/zero by nodes of one's own."""
    with Program(cgroup, "python3", "-I", "-S", "-c", f"import os\nos.chdir({str(folder)!r})\n{OPEN}") as run:
        return run.process.communicate()[0].split()


def test_own_nodes_of_the_hosts_devices_cannot_be_opened(cgroup: Cgroup, tmp_path: Path) -> None:
    refused = str(errno.EPERM)
    assert opened(cgroup, tmp_path) == [refused, refused, refused, "opened"]


def test_nodes_of_the_hosts_devices_can_be_opened_by_privilege(ours: Group, tmp_path: Path) -> None:
    cgroup = Cgroup(ours.hierarchy, ours.path("a"), all_devices=True)
    cgroup.create()
    _, kernel_log, _, zero = opened(cgroup, tmp_path)
    assert (kernel_log, zero) == ("opened", "opened")


# ── freezing ────────────────────────────────────────────────────────────────────────────────────────────────


def test_frozen_program_stands_still(cgroup: Cgroup) -> None:
    with Program(cgroup, "sh", "-c", "while :; do echo x; done") as program:
        assert program.line() == "x"
        assert not cgroup.frozen()
        cgroup.freeze()
        assert cgroup.frozen()
        spent = cpu_ticks(program.process.pid)
        until(lambda: read_pipe_dry(program))
        assert cpu_ticks(program.process.pid) == spent
        cgroup.thaw()
        assert not cgroup.frozen()
        assert program.line() == "x"


def cpu_ticks(pid: int) -> str:
    return Path(f"/proc/{pid}/schedstat").read_text().split()[0]


def read_pipe_dry(program: Program) -> bool:
    """Whether the pipe is empty by now: a running program would have filled it again."""
    assert program.process.stdout
    fd = program.process.stdout.fileno()
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 1 << 16) == b""
    except BlockingIOError:
        return True
    finally:
        os.set_blocking(fd, True)


def test_thawing_what_is_not_frozen_is_no_error(cgroup: Cgroup) -> None:
    cgroup.thaw()
    assert not cgroup.frozen()


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────

CHANGES = {
    "cpus": (LimitsChange(cpus=0.5), LimitsChange(cpus=0.25), LimitsChange(cpus=None)),
    "cpu_weight": (
        LimitsChange(cpu_weight=1),
        LimitsChange(cpu_weight=10_000),
        LimitsChange(cpu_weight=None),
    ),
    "cpu_idle": (LimitsChange(cpu_idle=True), LimitsChange(cpu_idle=True), LimitsChange(cpu_idle=False)),
    "cpuset": (LimitsChange(cpuset="0"), LimitsChange(cpuset="0"), LimitsChange(cpuset=None)),
    "memory": (LimitsChange(memory=64 * MIB), LimitsChange(memory=32 * MIB), LimitsChange(memory=None)),
    "memory_high": (
        LimitsChange(memory_high=64 * MIB),
        LimitsChange(memory_high=32 * MIB),
        LimitsChange(memory_high=None),
    ),
    "swap": (
        LimitsChange(memory=64 * MIB, swap=0),
        LimitsChange(memory=128 * MIB, swap=16 * MIB),
        LimitsChange(memory=None, swap=None),
    ),
    "io_weight": (LimitsChange(io_weight=50), LimitsChange(io_weight=1000), LimitsChange(io_weight=None)),
    "pids": (LimitsChange(pids=10), LimitsChange(pids=5), LimitsChange(pids=None)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_limit_is_set_changed_undone_and_cleared(cgroup: Cgroup, name: str) -> None:
    first, second, cleared = CHANGES[name]
    [reading] = [reading for reading in cgroup.readings() if reading.name == name]
    if not reading.supported:
        assert reading.why_not
        with pytest.raises(Unsupported, match=name) as caught:
            cgroup.apply(first)
        assert caught.value.remedy
        assert cgroup.limits() == Limits()
        return
    one = cgroup.apply(first)
    assert one.before == Limits()
    assert shown(one.after, name) == getattr(first, name)
    assert [r.raw for r in one.readings if r.name == name] == [
        Path(folder, r.file).read_text().strip()
        for r in one.readings
        for folder in cgroup.folders
        if r.name == name and Path(folder, r.file).exists()
    ]
    two = cgroup.apply(second)
    assert two.before == one.after
    back = cgroup.apply(restoring(two.before, two.after))
    assert back.after == one.after
    assert cgroup.apply(cleared).after == Limits()


def shown(limits: Limits, name: str) -> object:
    return getattr(limits, name)


def test_throttle_of_a_device(cgroup: Cgroup) -> None:
    device = disk()
    readings = [reading for reading in cgroup.readings() if reading.name == "io"]
    if not device or not readings[0].supported:
        with pytest.raises(TiffinError):
            cgroup.apply(LimitsChange(io={device or "/dev/vda": IoLimit(read_bps=MIB)}))
        return
    number = Path(device).stat().st_rdev
    first = cgroup.apply(LimitsChange(io={device: IoLimit(read_bps=MIB, write_iops=100)}))
    assert first.after.io == {device: IoLimit(read_bps=MIB, write_iops=100)}
    by_number = f"{os.major(number)}:{os.minor(number)}"
    second = cgroup.apply(LimitsChange(io={by_number: IoLimit(write_bps=2 * MIB)}))
    assert second.after.io == {device: IoLimit(write_bps=2 * MIB)}
    assert cgroup.apply(restoring(second.before, second.after)).after == first.after
    assert cgroup.apply(restoring(Limits(), first.after)).after == Limits()


def test_idle_sets_the_weight_aside_and_gives_it_back(cgroup: Cgroup) -> None:
    cgroup.apply(LimitsChange(cpu_weight=50))
    idle = cgroup.apply(LimitsChange(cpu_idle=True))
    assert (idle.after.cpu_idle, idle.after.cpu_weight) == (True, None)
    with pytest.raises(BadRequest, match="cpu_idle"):
        cgroup.apply(LimitsChange(cpu_weight=20))
    assert cgroup.apply(LimitsChange(cpu_idle=False)).after == Limits(cpu_weight=50)
    cgroup.apply(LimitsChange(cpu_idle=True))
    assert cgroup.apply(LimitsChange(cpu_idle=False, cpu_weight=20)).after == Limits(cpu_weight=20)
    assert cgroup.apply(restoring(idle.after, idle.before)).after == idle.after


@pytest.mark.parametrize("sizes", [(64, 0, 128, 0), (128, 0, 64, 0), (64, 64, 256, 0), (256, 0, 64, 512)])
def test_memory_and_swap_change_together_in_either_direction(cgroup: Cgroup, sizes: tuple[int, ...]) -> None:
    memory, swap, next_memory, next_swap = (size * MIB for size in sizes)
    assert cgroup.apply(LimitsChange(memory=memory, swap=swap)).after == Limits(memory=memory, swap=swap)
    applied = cgroup.apply(LimitsChange(memory=next_memory, swap=next_swap))
    assert applied.after == Limits(memory=next_memory, swap=next_swap)
    kept = cgroup.apply(LimitsChange(memory=96 * MIB))
    assert kept.after == Limits(memory=96 * MIB, swap=next_swap)


def test_limit_below_what_is_in_use_is_refused_and_all_is_as_before(cgroup: Cgroup) -> None:
    before = cgroup.apply(LimitsChange(pids=50, cpus=0.9)).after
    with holding(cgroup, 48 * MIB) as program:
        assert program.line() == "held"
        with pytest.raises(KernelError, match="in use") as caught:
            cgroup.apply(LimitsChange(pids=20, cpus=0.5, memory=24 * MIB))
        assert caught.value.remedy
        assert cgroup.limits() == before
        assert program.process.poll() is None
        assert cgroup.apply(LimitsChange(memory=96 * MIB)).after.memory == 96 * MIB


def test_fork_beyond_the_limit_fails(cgroup: Cgroup) -> None:
    cgroup.apply(LimitsChange(pids=1))
    with Program(cgroup, "sh", "-c", "(true) 2>/dev/null && echo forked || echo refused") as program:
        assert program.line() in ("refused", "")  # a shell may give up instead
    cgroup.apply(LimitsChange(pids=None))
    with Program(cgroup, "sh", "-c", "(true) && echo forked") as program:
        assert program.line() == "forked"
