"""cgroups: which hierarchies, which controllers, and what each of them cannot do here."""

from __future__ import annotations

import os
from collections.abc import Iterator

from engine.cgroups import Hierarchy, devices
from engine.cgroups.files import read_or
from engine.cgroups.hierarchy import CONTROLLERS
from engine.cgroups.io import bfq_disks
from engine.errors import Unsupported
from engine.model import Check
from engine.watch.doctor.finding import limited, missing, ok
from engine.watch.doctor.kernel import version

COSTS = {
    "cpu": "no CPU quota, weight or throttling figures",
    "cpuset": "containers cannot be kept to chosen cores",
    "memory": "no memory gauge and no memory limit; one container can take all of it",
    "io": "no IO gauge and no IO limit",
    "pids": "no process count and no limit; a fork bomb takes the host down",
}
UNIFY = "boot with systemd.unified_cgroup_hierarchy=1"


def no_hierarchy(error: Unsupported) -> Check:
    """When nothing is mounted."""
    return missing("cgroups", error.message, "nothing can be measured, limited or paused", error.remedy)


def checks(hierarchy: Hierarchy) -> Iterator[Check]:
    """All of them."""
    yield _mode(hierarchy)
    for controller in CONTROLLERS:
        yield _controller(hierarchy, controller)
    yield _idle(hierarchy)
    yield _io_weight(hierarchy)
    yield _swap(hierarchy)
    yield _freezer(hierarchy)
    yield _kill(hierarchy)
    yield _devices(hierarchy)
    yield _pressure(hierarchy)
    yield _readable(hierarchy)


def _mode(hierarchy: Hierarchy) -> Check:
    places = [hierarchy.unified, *dict.fromkeys(hierarchy.v1.values())]
    found = f"{hierarchy.mode}: {', '.join(place for place in places if place)}"
    if hierarchy.mode == "v1":
        return limited(
            "cgroups", found, "no pressure figures for containers; killing all of one is a loop", UNIFY
        )
    return ok("cgroups", found)


def _controller(hierarchy: Hierarchy, name: str) -> Check:
    label = f"{name} controller"
    number = hierarchy.version(name)
    if number is None:
        cost = COSTS[name]
        remedy = f"cgroup_enable={name} at boot, or another kernel"
        if hierarchy.mode == "v1":
            remedy = f"mount -t cgroup -o {name} none /sys/fs/cgroup/{name}"
        return missing(label, "this host has none", cost, remedy)
    if number == 2:
        return _delegated(hierarchy, name, label)
    if name == "io":
        cost = "writes are counted and limited only when direct or synchronous, not when written back later"
        return limited(label, "v1 (blkio)", cost, UNIFY)
    if name == "memory":
        return limited(label, "v1", "memory.high, the limit that slows down before it kills, is v2's", UNIFY)
    return ok(label, "v1")


def _delegated(hierarchy: Hierarchy, name: str, label: str) -> Check:
    """A base that is not the machine's true root can only hand a controller on while no process is in it."""
    base = hierarchy.unified
    if not os.path.exists(f"{base}/cgroup.type"):  # the true root has no type
        return ok(label, "v2")
    if name in read_or(f"{base}/cgroup.subtree_control").split() or not read_or(f"{base}/cgroup.procs"):
        return ok(label, "v2, in a cgroup namespace")
    found = f"v2, but {base} holds processes itself, so that it cannot hand the controller on"
    remedy = f"mkdir {base}/init, and write each of {base}/cgroup.procs to {base}/init/cgroup.procs"
    return missing(label, found, COSTS[name], remedy)


def _idle(hierarchy: Hierarchy) -> Check:
    if hierarchy.version("cpu") and version() >= (5, 15):
        return ok("cpu.idle", "whole containers can be made to run only when nobody else wants to")
    cost = "the gentlest throttle of a noisy container is missing; weights and quotas remain"
    return limited("cpu.idle", "no cpu.idle; it came with Linux 5.15", cost, "use Linux 5.15 or later")


def _io_weight(hierarchy: Hierarchy) -> Check:
    if hierarchy.version("io") == 2 and read_or(f"{hierarchy.unified}/io.cost.qos"):
        return ok("io weight", "io.weight by io.cost")
    if disks := bfq_disks():
        return ok("io weight", f"heeded by {', '.join(disks)} (bfq)")
    return limited(
        "io weight",
        "no disk uses the bfq scheduler, and io.cost is not set up",
        "io weights are taken but have no effect; limits in bytes and operations a second do",
        "echo bfq > /sys/block/DISK/queue/scheduler",
    )


def _swap(hierarchy: Hierarchy) -> Check:
    place = hierarchy.place("memory", "")
    counted = place is not None and (
        os.path.exists(f"{place.folder}memory.memsw.limit_in_bytes")
        if place.version == 1
        else _swap_is_built()
    )
    if not counted:
        return limited(
            "swap limit",
            "swap is not counted",
            "a memory limit is evaded by swapping",
            "boot with swapaccount=1",
        )
    swaps = read_or("/proc/swaps").splitlines()[1:]
    return ok("swap limit", f"{len(swaps)} swap areas" if swaps else "counted; the host has no swap")


def _swap_is_built() -> bool:
    return os.path.exists("/proc/swaps")


def _freezer(hierarchy: Hierarchy) -> Check:
    place = hierarchy.freezer("")
    if place is None:
        cost = "containers cannot be paused"
        return missing(
            "freezer", "the kernel has none", cost, "use Linux 5.2 or later, or CONFIG_CGROUP_FREEZER"
        )
    if place.version == 1:
        return limited("freezer", "v1", "a paused container must be thawed to be killed", UNIFY)
    return ok("freezer", "cgroup.freeze")


def _kill(hierarchy: Hierarchy) -> Check:
    if hierarchy.unified and version() >= (5, 14):
        return ok("killing a whole container", "cgroup.kill")
    cost = "its processes are killed one by one, after freezing them"
    return limited(
        "killing a whole container", "no cgroup.kill; it came with Linux 5.14", cost, "use a v2 tree"
    )


def _devices(hierarchy: Hierarchy) -> Check:
    place = hierarchy.devices("")
    cost = "containers cannot be started, except privileged ones: they could open the host's disks"
    if place is None:
        return missing("device filter", "there is no devices controller", cost, UNIFY)
    if place.version == 1:
        return ok("device filter", "v1")
    try:
        takes = devices.filters()
    except PermissionError:
        return ok("device filter", "by programs on cgroups, not tried: that needs root")
    if takes:
        return ok("device filter", "by programs on cgroups")
    return missing(
        "device filter", "the kernel takes no programs on cgroups", cost, "use one with CONFIG_CGROUP_BPF"
    )


def _pressure(hierarchy: Hierarchy) -> Check:
    name = "pressure (PSI)"
    remedy = "boot with psi=1, on a kernel with CONFIG_PSI"
    if not read_or("/proc/pressure/cpu"):
        return missing(
            name, "the kernel does not measure it", "nobody can tell who is stalled, and why", remedy
        )
    if not hierarchy.unified:
        return limited(name, "of the machine only", "which container is stalled is not known", UNIFY)
    return ok(name, "of the machine and of each container")


def _readable(hierarchy: Hierarchy) -> Check:
    """What another user than root may not read is not sampled."""
    name = "readable figures"
    wanted = ["/proc/stat", "/proc/meminfo", "/proc/diskstats", "/proc/self/smaps_rollup"]
    folders = hierarchy.folders("")
    denied = [path for path in (*wanted, *folders) if os.path.exists(path) and not os.access(path, os.R_OK)]
    if denied:
        cost = "what is in them is not shown"
        return limited(name, f"not readable: {', '.join(denied)}", cost, "run the engine as root")
    return ok(name, "all that this kernel has")
