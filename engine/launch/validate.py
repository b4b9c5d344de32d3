"""Refuses what a container cannot be, field by field, before anything of it is made.

Limits are checked by `engine.cgroups`, which knows the kernel's ranges.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import resource
from collections.abc import Iterable

from engine.errors import BadRequest, NotPermitted
from engine.launch.bundle import check_workdir, normal
from engine.launch.capabilities import available, granted
from engine.launch.signals import signal_number
from engine.model import ContainerConfig, ExecConfig, Mount, Publish, RestartPolicy, Ulimit

HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
ULIMITS = sorted(
    name[7:].lower() for name in dir(resource) if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"
)
LEAST_SEGMENT = 4096  # bytes of a log segment: one record has to fit


def validate(config: ContainerConfig) -> None:
    """Raise BadRequest, naming the field, for the first thing in `config` that is malformed or contradictory.

    NotPermitted for a ulimit or capability that the engine may not give.
    """
    if not config.image:
        raise BadRequest("image: it is empty", "name an image; `tiffin images` lists them")
    _arguments("command", config.command)
    _arguments("entrypoint", config.entrypoint or [])
    _environment(config.env)
    check_workdir(config.workdir)
    _user(config.user)
    if config.hostname and not HOSTNAME.fullmatch(config.hostname):
        raise BadRequest(
            f"hostname: {config.hostname!r} is no host name", "use up to 63 letters, digits, - and ."
        )
    _mounts(config.mounts)
    _network(config)
    for ulimit in config.ulimits:
        _ulimit(ulimit)
    _unique("ulimits", [ulimit.name.lower() for ulimit in config.ulimits])
    for key in config.labels:
        if not key:
            raise BadRequest("labels: a label has no name", "write NAME=value")
    if config.stop_signal:
        signal_number(config.stop_signal)
    if config.stop_grace is not None and not (math.isfinite(config.stop_grace) and config.stop_grace >= 0):
        raise BadRequest(f"stop_grace: {config.stop_grace} is no time to wait", "give seconds, 0 or more")
    _restart(config.restart, config.auto_remove)
    granted(config.cap_add, config.cap_drop, privileged=config.privileged)
    if config.log.max_size < LEAST_SEGMENT or config.log.max_files < 1:
        raise BadRequest(
            f"log: {config.log.max_files} files of {config.log.max_size} bytes are too little",
            f"give at least one file of {LEAST_SEGMENT} bytes",
        )


def validate_exec(config: ExecConfig) -> None:
    """The same for a further program in a running container."""
    if not config.command or not config.command[0]:
        raise BadRequest("command: there is nothing to run", "name a program")
    _arguments("command", config.command)
    _environment(config.env)
    check_workdir(config.workdir)
    _user(config.user)


def _arguments(field: str, arguments: list[str]) -> None:
    for argument in arguments:
        if "\0" in argument:
            raise BadRequest(
                f"{field}: {argument!r} has a zero byte", "the kernel ends arguments there; leave it out"
            )


def _environment(entries: list[str]) -> None:
    for entry in entries:
        name, equals, _ = entry.partition("=")
        if not name or not equals or "\0" in entry:
            raise BadRequest(f"env: {entry!r} is no variable", "write NAME=value")


def _user(user: str) -> None:
    if user.count(":") > 1 or user.startswith(":") or any(c in user for c in "\0\n /"):
        raise BadRequest(f"user: {user!r} is no user", "write NAME or UID, and perhaps :GROUP or :GID")


def _mounts(mounts: list[Mount]) -> None:
    targets = []
    for mount in mounts:
        target = mount.target
        if not target.startswith("/") or "\0" in target or ".." in target.split("/"):
            raise BadRequest(
                f"mounts: the target {target!r} is not an absolute path", "write it from the root, without .."
            )
        target = normal(target)
        if target in ("/", "/proc") or target.startswith("/proc/"):
            raise BadRequest(f"mounts: nothing can be mounted on {target}", "choose another target")
        targets.append(target)
        if mount.type == "bind":
            _bind_source(mount.source)
        elif mount.type == "volume" and mount.source and not VOLUME.fullmatch(mount.source):
            raise BadRequest(
                f"mounts: {mount.source!r} is no volume name", "use letters, digits and _ . - in it"
            )
        elif mount.type == "tmpfs" and mount.source:
            raise BadRequest(f"mounts: the tmpfs at {target} has the source {mount.source!r}", "leave it out")
        if mount.type != "tmpfs" and (mount.size is not None or mount.mode is not None):
            raise BadRequest(f"mounts: size and mode at {target} are for tmpfs only", "leave them out")
        if mount.size is not None and mount.size <= 0:
            raise BadRequest(
                f"mounts: the tmpfs at {target} has the size {mount.size}", "give bytes, above 0"
            )
        if mount.mode is not None and not 0 <= mount.mode <= 0o7777:
            raise BadRequest(
                f"mounts: the tmpfs at {target} has the mode {mount.mode:o}", "give 0 to 7777, octal"
            )
    _unique("mounts", targets)


def _bind_source(source: str) -> None:
    if not source.startswith("/") or "\0" in source:
        raise BadRequest(
            f"mounts: the bind source {source!r} is not an absolute path", "write it from the root"
        )
    if not os.path.exists(source):
        raise BadRequest(
            f"mounts: the bind source {source} does not exist", "create it first, or use a volume"
        )


def _network(config: ContainerConfig) -> None:
    if not config.network:
        raise BadRequest("network: it is empty", "choose bridge, none, host or a network's name")
    if config.publish and config.network in ("host", "none"):
        raise BadRequest(f"publish: network {config.network} has no ports to publish", "use a bridge network")
    for port in config.publish:
        _port(port)
    _unique("publish", [f"{p.host_ip}:{p.host_port}/{p.protocol}" for p in config.publish if p.host_port])
    for address in config.dns:
        _address("dns", address)
    for entry in config.extra_hosts:
        name, colon, address = entry.partition(":")
        if not colon or not HOSTNAME.fullmatch(name):
            raise BadRequest(f"extra_hosts: {entry!r} is no host", "write NAME:ADDRESS")
        _address("extra_hosts", address)


def _port(port: Publish) -> None:
    if not 1 <= port.container_port <= 65535:
        raise BadRequest(f"publish: there is no port {port.container_port}", "choose 1 to 65535")
    if not 0 <= port.host_port <= 65535:
        raise BadRequest(
            f"publish: there is no port {port.host_port}", "choose 1 to 65535, or 0 for any free one"
        )
    _address("publish", port.host_ip)


def _address(field: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(f"{field}: {text!r} is no IP address", "write one such as 192.0.2.1") from None


def _ulimit(ulimit: Ulimit) -> None:
    name, soft, hard = ulimit.name.lower(), ulimit.soft, ulimit.hard
    if name not in ULIMITS:
        raise BadRequest(f"ulimits: there is no {ulimit.name!r}", f"choose from {', '.join(ULIMITS)}")
    unlimited = resource.RLIM_INFINITY
    if not all(unlimited <= value < 2**63 for value in (soft, hard)):
        raise BadRequest(
            f"ulimits: {name} {soft}:{hard} is out of range", "give 0 or more, or -1 for unlimited"
        )
    if hard != unlimited and (soft == unlimited or soft > hard):
        raise BadRequest(
            f"ulimits: {name} has the soft limit {soft} above the hard one {hard}", "raise the hard one"
        )
    own = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
    if own != unlimited and (hard == unlimited or hard > own) and "SYS_RESOURCE" not in available():
        raise NotPermitted(
            f"ulimits: {name} cannot be raised above {own}, the engine's own hard limit",
            f"give at most {own}",
        )


def _restart(policy: RestartPolicy, auto_remove: bool) -> None:
    if policy.max_retries < 0 or (policy.max_retries and policy.name != "on-failure"):
        raise BadRequest(
            f"restart: {policy.name} with {policy.max_retries} retries makes no sense",
            "only on-failure counts them",
        )
    if auto_remove and policy.name != "no":
        raise BadRequest(f"restart: {policy.name} contradicts auto_remove", "leave one of them out")


def _unique(field: str, values: Iterable[str]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise BadRequest(f"{field}: {value} is given twice", "leave one of them out")
        seen.add(value)
