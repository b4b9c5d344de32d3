"""What of the whole host's cgroups cannot be seen or acted upon here."""

from __future__ import annotations

import os
from collections.abc import Iterator

from engine.cgroups import Hierarchy
from engine.cgroups.files import read_or
from engine.model import Check
from engine.watch.doctor.finding import limited, ok

SOCKETS = ("/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock")
STATES = ("/var/lib/docker/containers", "/var/lib/containers/storage", "/run/containerd")


def checks(hierarchy: Hierarchy) -> Iterator[Check]:
    """All of them."""
    yield _whole(hierarchy)
    yield _others()
    yield _acting()


def _whole(hierarchy: Hierarchy) -> Check:
    """A process in a cgroup or PID namespace of its own sees a part and takes it for the whole."""
    name = "the whole host"
    if hierarchy.unified and os.path.exists(f"{hierarchy.unified}/cgroup.type"):  # the true root has no type
        found = f"{hierarchy.unified} is not the machine's root cgroup: this is a container, and sees its own part"
        return limited(
            name, found, "what is outside is not shown, and never suspected", "run tiffin on the host"
        )
    if read_or("/proc/1/comm") and not os.path.exists(
        "/proc/2/comm"
    ):  # the kernel's own threads are not there
        found = "this is a PID namespace of its own: processes outside have no names here"
        cost = "other engines' containers have ids and no process names, and no network figures"
        return limited(name, found, cost, "run tiffin on the host")
    if hierarchy.mode == "v1":
        cost = "pressure is of the machine only; whose fault a stall is has to be guessed from run queues"
        return limited(name, "every cgroup of every v1 hierarchy", cost, "mount a v2 tree beside them")
    places = len(hierarchy.mounts)
    return ok(name, f"every cgroup of {places} hierarchies" if places > 1 else "every cgroup")


def _others() -> Check:
    name = "other engines' names"
    there = [path for path in (*SOCKETS, *STATES) if os.path.exists(path)]
    denied = [path for path in there if not os.access(path, os.R_OK | (os.W_OK if path in SOCKETS else 0))]
    if denied:
        cost = "containers in them are shown by id and main process"
        return limited(name, f"not readable: {', '.join(denied)}", cost, "run the engine as root")
    return ok(name, f"asked at {', '.join(there)}" if there else "no other engine keeps containers here")


def _acting() -> Check:
    name = "acting on others' cgroups"
    if os.geteuid() != 0:
        cost = "services and other engines' containers can be watched, not limited or frozen"
        return limited(name, "not as this user", cost, "run the engine as root")
    if os.path.isdir("/run/systemd/system"):
        cost = "at a daemon-reload, or when a unit is changed, systemd writes its own values again"
        return ok(name, f"systemd writes the same files: {cost}")
    return ok(name, "limits and freezing, with consent")
