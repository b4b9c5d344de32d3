"""What Docker's clients ask of the engine itself: version, info, events, disk usage."""

from __future__ import annotations

import os
import platform
import time
from typing import Any

from engine.docker.containers import has_label
from engine.errors import BadRequest, TiffinError
from engine.instance import Instance
from engine.model import JSON, ContainerSummary, Event

API = "1.41"
API_MIN = "1.24"


def version(release: str) -> JSON:
    """GET /version."""
    kernel, machine = os.uname().release, _arch()
    return {
        "Platform": {"Name": "tiffin"},
        "Components": [
            {
                "Name": "Engine",
                "Version": release,
                "Details": {
                    "ApiVersion": API,
                    "MinAPIVersion": API_MIN,
                    "Arch": machine,
                    "Os": "linux",
                    "KernelVersion": kernel,
                },
            }
        ],
        "Version": release,
        "ApiVersion": API,
        "MinAPIVersion": API_MIN,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": machine,
        "KernelVersion": kernel,
    }


def info(
    release: str,
    instance: Instance,
    cgroup_mode: str,
    containers: list[ContainerSummary],
    images: int,
    memory: int,
) -> JSON:
    """GET /info."""
    states = [summary.state.status for summary in containers]
    return {
        "ID": str(instance.socket),
        "Name": os.uname().nodename,
        "ServerVersion": release,
        "Containers": len(states),
        "ContainersRunning": states.count("running") + states.count("restarting"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": len(states) - sum(s in ("running", "restarting", "paused") for s in states),
        "Images": images,
        "Driver": "overlay2",
        "DriverStatus": [["Backing Filesystem", str(instance.state)]],
        "DockerRootDir": str(instance.state),
        "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Log": ["json-file"]},
        "MemoryLimit": True,
        "SwapLimit": True,
        "CpuCfsPeriod": True,
        "CpuCfsQuota": True,
        "CPUShares": True,
        "CPUSet": True,
        "PidsLimit": True,
        "IPv4Forwarding": True,
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2" if cgroup_mode == "v2" else "1",
        "KernelVersion": os.uname().release,
        "OperatingSystem": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
        "OSType": "linux",
        "Architecture": os.uname().machine,
        "NCPU": os.cpu_count() or 1,
        "MemTotal": memory,
        "DefaultRuntime": "tiffin",
        "Runtimes": {"tiffin": {"path": "tiffin"}},
        "Swarm": {"LocalNodeState": "inactive"},
        "SecurityOptions": ["name=seccomp,profile=default"],
        "SystemTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "RegistryConfig": {"InsecureRegistryCIDRs": [], "IndexConfigs": {}, "Mirrors": []},
        "IndexServerAddress": "",
        "Labels": [],
        "Warnings": None,
    }


def event(happened: Event) -> JSON:
    """One line of GET /events."""
    attributes = dict(happened.attributes)
    if happened.name:
        attributes["name"] = happened.name
    found: dict[str, Any] = {
        "Type": happened.type,
        "Action": happened.action,
        "Actor": {"ID": happened.id, "Attributes": attributes},
        "scope": "local",
        "time": int(happened.at),
        "timeNano": round(happened.at * 1e6) * 1000,
    }
    if happened.type == "container":  # the names of API versions before 1.22, which clients still read
        found |= {"status": happened.action, "id": happened.id, "from": attributes.get("image", "")}
    return found


EVENT_FILTERS = ("type", "event", "container", "image", "network", "volume", "label")


def event_matches(happened: Event, filters: dict[str, list[str]]) -> bool:
    """Whether an event passes Docker's filters; the values of one filter are alternatives."""

    def is_one(kind: str, value: str) -> bool:
        same = happened.name == value or (bool(value) and happened.id.startswith(value))
        return happened.type == kind and same

    tests = {
        "type": lambda v: happened.type == v,
        "event": lambda v: happened.action.partition(":")[0] == v,
        "container": lambda v: is_one("container", v),
        "network": lambda v: is_one("network", v),
        "volume": lambda v: is_one("volume", v),
        "image": lambda v: is_one("image", v) or happened.attributes.get("image") == v,
        "label": lambda v: has_label(happened.attributes, v),
    }
    return all(any(map(tests[name], values)) for name, values in filters.items() if values)


def check_filters(filters: dict[str, list[str]], known: tuple[str, ...]) -> dict[str, list[str]]:
    """The same filters; raises BadRequest for one that is not known."""
    for name in filters:
        if name not in known:
            raise BadRequest(f"the filter {name!r} is not known here", f"use one of {', '.join(known)}")
    return filters


def _arch() -> str:
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def failure(error: TiffinError) -> str:
    """An error as Docker's clients are told it; they take 126 and 127 from words (runStartContainerErr)."""
    told = str(error)
    words = {127: "no such file or directory", 126: "permission denied"}.get(error.exit_code, "")
    return told if words in told else f"{told} ({words})"
