"""Containers as Docker's lists and inspections show them."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from engine.docker.config import create_body
from engine.docker.times import ago, rfc3339
from engine.model import (
    JSON,
    Change,
    ContainerConfig,
    ContainerState,
    ContainerSummary,
    ImageConfig,
    Process,
    Publish,
)

CHANGES = {"modified": 0, "added": 1, "deleted": 2}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an inspection tells of a container beside its summary and its config."""

    image: ImageConfig
    sources: dict[str, str] = {}  # host folder by mount target
    folder: str = ""
    layers: list[str] = []  # of its root, topmost first, without its own
    log_dir: str = ""
    cgroups: list[str] = []
    network_id: str = ""
    gateway: str = ""
    prefix: int = 0  # bits of the network
    mac: str = ""
    execs: list[str] = []  # ids of those known
    more: JSON = {}  # for the "Tiffin" object


def inspect(summary: ContainerSummary, config: ContainerConfig, facts: Facts) -> JSON:
    """GET /containers/{id}/json."""
    state, body = summary.state, msgspec.to_builtins(create_body(config))
    host = {**_ZEROES, **body.pop("HostConfig")}
    host["RestartPolicy"].setdefault("MaximumRetryCount", 0)
    host["Binds"] = [
        f"{m.source}:{m.target}{':ro' if m.read_only else ''}" for m in config.mounts if m.type != "tmpfs"
    ]
    argv = _argv(config, facts.image)
    return {
        "Id": summary.id,
        "Created": rfc3339(summary.created_at),
        "Path": argv[0] if argv else "",
        "Args": argv[1:],
        "State": _state(state),
        "Image": summary.image_id,
        "ResolvConfPath": f"{facts.folder}/resolv.conf",
        "HostnamePath": f"{facts.folder}/hostname",
        "HostsPath": f"{facts.folder}/hosts",
        "LogPath": facts.log_dir,
        "Name": "/" + summary.name,
        "RestartCount": state.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": facts.execs or None,
        "HostConfig": host,
        "GraphDriver": {
            "Name": "overlay2",
            "Data": {
                "LowerDir": ":".join(facts.layers),
                "UpperDir": f"{facts.folder}/upper",
                "WorkDir": f"{facts.folder}/work",
            },
        },
        "Mounts": [_mount(m.type, m.source, m.target, m.read_only, facts.sources) for m in config.mounts],
        "Config": _config(summary, config, facts.image, body),
        "NetworkSettings": _network(summary, facts),
        "Tiffin": {
            "state": msgspec.to_builtins(state),
            "limits": msgspec.to_builtins(summary.limits),
            "config": msgspec.to_builtins(config),
            "cgroups": facts.cgroups,
            **facts.more,
        },
    }


def listed(summary: ContainerSummary, size: int | None = None) -> JSON:
    """One entry of GET /containers/json."""
    return {
        "Id": summary.id,
        "Names": ["/" + summary.name],
        "Image": summary.image,
        "ImageID": summary.image_id,
        "Command": summary.command,
        "Created": int(summary.created_at),
        "Ports": _ports(summary),
        "Labels": summary.labels,
        "State": summary.state.status,
        "Status": status_text(summary.state),
        "HostConfig": {"NetworkMode": summary.network},
        "NetworkSettings": {
            "Networks": {summary.network: {"IPAddress": summary.address}} if summary.network else {}
        },
        "Mounts": [],
    }


def status_text(state: ContainerState, now: float | None = None) -> str:
    """ "Up 3 minutes", "Exited (137) 2 hours ago": the STATUS column."""
    now = time.time() if now is None else now
    code = "unknown" if state.exit_code is None else state.exit_code
    match state.status:
        case "running":
            return f"Up {ago(now - state.started_at)}"
        case "paused":
            return f"Up {ago(now - state.started_at)} (Paused)"
        case "restarting":
            return f"Restarting ({code}) {ago(now - state.finished_at)} ago"
        case "exited":
            return f"Exited ({code}) {ago(now - state.finished_at)} ago"
        case "removing":
            return "Removal In Progress"
        case "dead":
            return "Dead"
        case _:
            return "Created"


def matches(summary: ContainerSummary, filters: dict[str, list[str]], image_names: list[str]) -> bool:
    """Whether a container passes a list's filters; the values of one filter are alternatives."""
    tests = {
        "id": lambda v: summary.id.startswith(v),
        "name": lambda v: v.removeprefix("/") in summary.name,
        "status": lambda v: v == summary.state.status,
        "label": lambda v: has_label(summary.labels, v),
        "network": lambda v: v == summary.network,
        "ancestor": lambda v: v in image_names or summary.image_id.removeprefix("sha256:").startswith(v),
        "exited": lambda v: summary.state.status == "exited" and v == str(summary.state.exit_code),
    }
    for name, values in filters.items():
        test = tests[name]
        passed = all(map(test, values)) if name == "label" else any(map(test, values))
        if values and not passed:
            return False
    return True


FILTERS = ("id", "name", "status", "label", "network", "ancestor", "exited")


def has_label(labels: dict[str, str], wanted: str) -> bool:
    """Whether labels have `name` or `name=value`."""
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


def top(processes: list[Process]) -> JSON:
    """GET /containers/{id}/top, with the columns of `ps -ef`."""
    now = time.time()
    return {
        "Titles": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
        "Processes": [
            [
                p.user,
                str(p.pid),
                str(p.ppid),
                str(int(100 * p.cpu_seconds / max(now - p.started_at, 1))),
                time.strftime("%H:%M", time.localtime(p.started_at)),
                "?",
                time.strftime("%H:%M:%S", time.gmtime(p.cpu_seconds)),
                p.command,
            ]
            for p in processes
        ],
    }


def changes(found: list[Change]) -> list[JSON] | None:
    """GET /containers/{id}/changes."""
    return [{"Path": change.path, "Kind": CHANGES[change.kind]} for change in found] or None


def _state(state: ContainerState) -> JSON:
    return {
        "Status": state.status,
        "Running": state.status in ("running", "paused", "restarting"),
        "Paused": state.status == "paused",
        "Restarting": state.status == "restarting",
        "OOMKilled": state.oom_killed,
        "Dead": state.status == "dead",
        "Pid": state.pid,
        "ExitCode": state.exit_code or 0,
        "Error": state.error,
        "StartedAt": rfc3339(state.started_at),
        "FinishedAt": rfc3339(state.finished_at),
    }


def _argv(config: ContainerConfig, image: ImageConfig) -> list[str]:
    entrypoint = image.entrypoint if config.entrypoint is None else config.entrypoint
    inherited = image.command if config.entrypoint is None else []
    return entrypoint + (config.command or inherited)


def _config(summary: ContainerSummary, config: ContainerConfig, image: ImageConfig, body: JSON) -> JSON:
    own = {line.partition("=")[0] for line in config.env}
    return {
        **body,
        "Image": summary.image,
        "Hostname": config.hostname or summary.id[:12],
        "Domainname": "",
        "User": config.user or image.user,
        "AttachStdin": config.stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "StdinOnce": False,
        "ExposedPorts": {port: {} for port in image.exposed}
        | {f"{p.container_port}/{p.protocol}": {} for p in config.publish},
        "Env": [line for line in image.env if line.partition("=")[0] not in own] + config.env,
        "Cmd": config.command or (image.command if config.entrypoint is None else None),
        "Entrypoint": (image.entrypoint or None) if config.entrypoint is None else config.entrypoint,
        "WorkingDir": config.workdir or image.workdir,
        "Labels": {**image.labels, **config.labels},
        "StopSignal": config.stop_signal or image.stop_signal or "SIGTERM",
        "Tiffin": None,
    }


def _mount(kind: str, source: str, target: str, read_only: bool, sources: dict[str, str]) -> JSON:
    mount = {
        "Type": kind,
        "Source": sources.get(target, source) if kind != "tmpfs" else "",
        "Destination": target,
        "Mode": "ro" if read_only else "",
        "RW": not read_only,
        "Propagation": "rprivate" if kind == "bind" else "",
    }
    return mount if kind != "volume" else {**mount, "Name": source, "Driver": "local"}


def _network(summary: ContainerSummary, facts: Facts) -> JSON:
    live = summary.state.pid != 0
    at = {
        "Gateway": facts.gateway,
        "IPAddress": summary.address,
        "IPPrefixLen": facts.prefix,
        "MacAddress": facts.mac,
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPv6Gateway": "",
        "EndpointID": "",
    }
    return {
        "Bridge": "",
        "SandboxID": "",
        "SandboxKey": f"/proc/{summary.state.pid}/ns/net" if live else "",
        "Ports": _bindings(summary.publish) if live else {},
        **at,
        "Networks": {summary.network: {**at, "NetworkID": facts.network_id}},
    }


def _bindings(publish: list[Publish]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for p in publish:
        at = {"HostIp": p.host_ip, "HostPort": str(p.host_port)}
        found.setdefault(f"{p.container_port}/{p.protocol}", []).append(at)
    return found


def _ports(summary: ContainerSummary) -> list[JSON]:
    if not summary.state.pid:
        return []
    return [
        {"IP": p.host_ip, "PrivatePort": p.container_port, "PublicPort": p.host_port, "Type": p.protocol}
        for p in summary.publish
    ]


_ZEROES: dict[str, Any] = {
    "NanoCpus": 0,
    "CpuShares": 0,
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Memory": 0,
    "MemorySwap": 0,
    "MemoryReservation": 0,
    "BlkioWeight": 0,
    "PidsLimit": None,
    "OomKillDisable": False,
    "IpcMode": "private",
    "PidMode": "",
    "CgroupnsMode": "private",
    "Runtime": "tiffin",
}
