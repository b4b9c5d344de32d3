"""What a cgroup is, told by its path alone: every layout of the engines and managers that are known.

Sources: systemd's docs/CGROUP_DELEGATION.md and systemd.unit(5); runc's libcontainer/cgroups/systemd (PREFIX-ID.scope)
and fs (PARENT/ID); podman's libpod/container_internal_linux.go; Kubernetes' pkg/kubelet/cm/cgroup_manager_linux.go;
CRI-O's internal/config/cgmgr; LXC's src/lxc/cgroups/cgfsng.c (lxc.payload.NAME, lxc.monitor.NAME, earlier lxc/NAME);
systemd's src/nspawn and src/machine.
"""

from __future__ import annotations

import pwd
import re
from functools import lru_cache

import msgspec

from engine.model import GroupKind

HEX = "[0-9a-f]"
ID = f"{HEX}{{64}}"
SHORT = 12  # digits of an id that people read

SCOPES = {
    "docker": "docker",
    "libpod": "podman",
    "libpod-payload": "podman",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "containerd": "containerd",
    "crio": "cri-o",
    "runc": "runc",
    "crun": "crun",
    "buildah": "buildah",
}
"""The prefix that an engine gives its containers' cgroups, and the engine."""

_SCOPE = re.compile(f"({'|'.join(sorted(SCOPES, key=len, reverse=True))})-({ID})(?:\\.scope)?")
_HELPER = re.compile(f"(libpod|crio)-conmon-({ID})(?:\\.scope)?")
_CRI_COLON = re.compile(rf"(?:.*:)?cri-containerd:({ID})")  # a systemd path given to the cgroupfs driver
_POD = re.compile(
    r"(?:kubelet-)?(?:kubepods(?:-besteffort|-burstable)?-)?pod([0-9a-f][0-9a-f_-]{30,40}?)(?:\.slice)?"
)
_POD_PODMAN = re.compile(f"(?:machine-|user-)?libpod_pod_({ID})(?:\\.slice)?")
_QOS = re.compile(r"(?:kubelet[-/])?kubepods(?:-(besteffort|burstable))?(?:\.slice)?|besteffort|burstable")
_LXC = re.compile(r"lxc\.(payload|monitor|pivot)[./](.+)")
_TIFFIN = re.compile(r"tiffin(?:-[0-9a-f]{8})?")
_USER = re.compile(r"user-(\d+)\.slice|user@(\d+)\.service")
_SESSION = re.compile(r"session-(.+)\.scope")
_MACHINE = re.compile(r"machine-(.+)\.scope|systemd-nspawn@(.+)\.service")
_UNIT = re.compile(r"(.+)\.(service|scope|slice|socket|mount|swap|automount)")
_ID = re.compile(ID)
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")

_PARENTS = {
    "docker": "docker",
    "moby": "docker",
    "actions_job": "docker",
    "libpod_parent": "podman",
    "nerdctl": "containerd",
    "k8s.io": "containerd",
    "buildkit": "buildkit",
    "garden": "garden",
}
"""The folder that an engine with the cgroupfs driver puts its containers into."""

OPENRC = re.compile(r"openrc(?:[./](.+))?")


class Recognised(msgspec.Struct, frozen=True):
    """What a path says. `ref` is a container's or pod's id; without one `name` is all there is."""

    kind: GroupKind
    name: str
    engine: str = ""
    ref: str = ""
    uid: int | None = None  # whose: of a rootless engine, from the path


@lru_cache(maxsize=16384)
def recognise(path: str) -> Recognised:
    """Of a path below the hierarchy's mount point without a leading slash; "" is the root."""
    if not path:
        return Recognised("root", "/")
    parts = path.split("/")
    last, above = parts[-1], parts[-2] if len(parts) > 1 else ""
    found = (
        _tiffin(parts)
        or _container(last, above, parts)
        or _pod(last, parts)
        or _machine(last, above)
        or _unit(last, above)
        or Recognised("group", last)
    )
    uid = _uid(parts)
    return found if uid is None else msgspec.structs.replace(found, uid=uid)


def unescaped(name: str) -> str:
    """A unit's name as it was before systemd escaped it (systemd-escape(1)), but for slashes."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)


def _tiffin(parts: list[str]) -> Recognised | None:
    if not _TIFFIN.fullmatch(parts[0]) or len(parts) > 2:
        return None
    if len(parts) == 1:
        return Recognised("slice", parts[0], "tiffin")
    if parts[1] in ("engine", "monitors"):
        return Recognised("helper", parts[1], "tiffin")
    if _ID.fullmatch(parts[1]):
        return Recognised("container", parts[1][:SHORT], "tiffin", parts[1])
    return None


def _container(last: str, above: str, parts: list[str]) -> Recognised | None:
    if match := _HELPER.fullmatch(last):
        return Recognised(
            "helper", f"conmon {match[2][:SHORT]}", "podman" if match[1] == "libpod" else "cri-o"
        )
    if last == "conmon" and above == "libpod_parent":
        return Recognised("helper", "conmon", "podman")
    if match := _SCOPE.fullmatch(last):
        return Recognised("container", match[2][:SHORT], SCOPES[match[1]], match[2])
    if match := _CRI_COLON.fullmatch(last):
        return Recognised("container", match[1][:SHORT], "containerd", match[1])
    if match := _LXC.fullmatch(last):
        return _lxc(match[1], match[2])
    if above in ("lxc", "lxc.payload", "lxc.monitor") and last:
        return _lxc("monitor" if above == "lxc.monitor" else "payload", last)
    if (last in _PARENTS and len(parts) == 1) or last in ("lxc", "lxc.payload", "lxc.monitor"):
        return Recognised("slice", last, _PARENTS.get(last, "lxc"))
    if _ID.fullmatch(last):
        if "libpod_parent" in parts and above == "libpod_parent":
            return Recognised("pod", last[:SHORT], "podman", last)
        engine = next((_PARENTS[part] for part in reversed(parts[:-1]) if part in _PARENTS), "")
        if not engine and _POD.fullmatch(above):
            engine = "containerd"  # or dockershim's; whoever knows the id says so
        return Recognised("container", last[:SHORT], engine, last)
    return None


def _lxc(what: str, name: str) -> Recognised:
    if what == "payload":
        return Recognised("container", name, "lxc", name)
    return Recognised("helper", f"{what} {name}", "lxc")


def _pod(last: str, parts: list[str]) -> Recognised | None:
    if match := _POD_PODMAN.fullmatch(last):
        return Recognised("pod", match[1][:SHORT], "podman", match[1])
    if not any("kubepods" in part for part in parts):
        return None
    if match := _POD.fullmatch(last):
        return Recognised("pod", match[1].replace("_", "-")[:8], "kubernetes", match[1].replace("_", "-"))
    if match := _QOS.fullmatch(last):
        return Recognised("slice", match[1] or last.removesuffix(".slice").rpartition("-")[2], "kubernetes")
    return None


def _machine(last: str, above: str) -> Recognised | None:
    if match := _MACHINE.fullmatch(last):
        name = unescaped(match[1] or match[2])
        if qemu := re.match(r"qemu-\d+-(.+)", name):
            return Recognised("container", qemu[1], "qemu", name)  # a whole machine of libvirt's
        if lxc := re.match(r"lxc-\d+-(.+)", name):
            return Recognised("container", lxc[1], "libvirt-lxc", name)
        return Recognised("container", name, "nspawn", name)
    if last in ("payload", "supervisor") and _MACHINE.fullmatch(above):
        return Recognised("group" if last == "payload" else "helper", last, "nspawn")
    return None


def _unit(last: str, above: str) -> Recognised | None:
    if match := _SESSION.fullmatch(last):
        return Recognised("session", f"session {match[1]}", "systemd")
    if match := _USER.fullmatch(last):
        return Recognised("user", _user(int(match[1] or match[2])), "systemd")
    if match := OPENRC.fullmatch(last):
        return Recognised("service" if match[1] else "slice", match[1] or last, "openrc")
    if above == "openrc":
        return Recognised("service", last, "openrc")
    match = _UNIT.fullmatch(last)
    if match is None:
        return None
    name = unescaped(match[1])
    if match[2] in ("slice", "scope"):
        return Recognised("slice" if match[2] == "slice" else "scope", name, "systemd")
    return Recognised("service", name if match[2] == "service" else f"{name}.{match[2]}", "systemd")


def _uid(parts: list[str]) -> int | None:
    for part in parts[:-1]:
        if match := _USER.fullmatch(part):
            return int(match[1] or match[2])
    return None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
