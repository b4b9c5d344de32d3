"""What Docker's clients send, typed: field for field the API's create and update bodies.

Every field may be null, as Go's encoder writes empty ones. A field that tiffin does not know is refused where
it is set to something, because leaving it out would give another container than the one asked for; those that
change nothing here are named in `HARMLESS`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import field

from engine.errors import BadRequest, Unsupported
from engine.model import JSON


class Pascal(msgspec.Struct, kw_only=True, rename="pascal", omit_defaults=True):
    """Base of the bodies: Docker's field names, empty ones left out."""


class Binding(Pascal):
    """One host end of a published port."""

    host_ip: str | None = None
    host_port: str | None = None


class Restart(Pascal):
    """RestartPolicy."""

    name: str | None = None
    maximum_retry_count: int | None = None


class Rate(Pascal):
    """One device's throttle."""

    path: str
    rate: int


class Rlimit(Pascal):
    """One of Ulimits."""

    name: str
    soft: int
    hard: int


class Tmpfs(Pascal):
    """TmpfsOptions of a mount."""

    size_bytes: int | None = None
    mode: int | None = None


class MountBody(Pascal):
    """One of Mounts."""

    type: str
    target: str
    source: str | None = None
    read_only: bool | None = None
    tmpfs_options: Tmpfs | None = None
    bind_options: dict[str, Any] | None = None
    volume_options: dict[str, Any] | None = None


class Log(Pascal):
    """LogConfig."""

    type: str | None = None
    config: dict[str, str] | None = None


class Resources(Pascal):
    """Limits, as create's HostConfig and update both carry them; 0 is "not set"."""

    nano_cpus: int | None = None
    cpu_shares: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpuset_cpus: str | None = None
    memory: int | None = None
    memory_swap: int | None = None
    blkio_weight: int | None = None
    blkio_device_read_bps: list[Rate] | None = None
    blkio_device_write_bps: list[Rate] | None = None
    blkio_device_read_iops: list[Rate] | None = field(default=None, name="BlkioDeviceReadIOps")
    blkio_device_write_iops: list[Rate] | None = field(default=None, name="BlkioDeviceWriteIOps")
    pids_limit: int | None = None


class HostConfig(Resources):
    """What of a container depends on the host."""

    binds: list[str] | None = None
    mounts: list[MountBody] | None = None
    tmpfs: dict[str, str] | None = None
    shm_size: int | None = None
    network_mode: str | None = None
    port_bindings: dict[str, list[Binding] | None] | None = None
    restart_policy: Restart | None = None
    auto_remove: bool | None = None
    cap_add: list[str] | None = None
    cap_drop: list[str] | None = None
    dns: list[str] | None = None
    extra_hosts: list[str] | None = None
    privileged: bool | None = None
    readonly_rootfs: bool | None = None
    ulimits: list[Rlimit] | None = None
    init: bool | None = None
    log_config: Log | None = None


class Extension(Pascal):
    """What tiffin's own clients add, because Docker's fields cannot say it."""

    cpu_idle: bool = False
    memory_high: int | None = None
    swap: int | None = None  # where there is no memory limit to add it to
    io_weight: int | None = None  # 1 to 10000; BlkioWeight has 10 to 1000
    stop_grace: float | None = None  # where it is not whole seconds


class Networking(Pascal):
    """NetworkingConfig."""

    endpoints_config: dict[str, dict[str, Any] | None] | None = None


class CreateBody(Pascal):
    """POST /containers/create."""

    image: str | None = None
    cmd: list[str] | str | None = None
    entrypoint: list[str] | str | None = None
    env: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    hostname: str | None = None
    tty: bool | None = None
    open_stdin: bool | None = None
    volumes: dict[str, Any] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None
    stop_timeout: int | None = None
    network_disabled: bool | None = None
    host_config: HostConfig | None = None
    networking_config: Networking | None = None
    tiffin: Extension | None = None


class UpdateBody(Resources):
    """POST /containers/{id}/update."""

    restart_policy: Restart | None = None


class ExecBody(Pascal):
    """POST /containers/{id}/exec."""

    cmd: list[str] | None = None
    env: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    tty: bool | None = None
    attach_stdin: bool | None = None
    privileged: bool | None = None


ANYTHING = object()

HARMLESS: Mapping[type[Pascal], Mapping[str, object]] = {
    CreateBody: {
        "AttachStdin": ANYTHING,
        "AttachStdout": ANYTHING,
        "AttachStderr": ANYTHING,
        "StdinOnce": ANYTHING,
        "ExposedPorts": ANYTHING,
        "OnBuild": ANYTHING,
        "Shell": ANYTHING,
        "ArgsEscaped": ANYTHING,
        "Healthcheck": ({"Test": ["NONE"]},),
    },
    HostConfig: {
        "ConsoleSize": ANYTHING,
        "ContainerIDFile": ANYTHING,
        "CgroupnsMode": ("private",),
        "Cgroup": (),
        "IpcMode": ("private", "shareable"),
        "Isolation": ("default", "process"),
        "MemorySwappiness": (-1,),
        "Runtime": ("runc",),
        "UsernsMode": ("host",),
        "VolumeDriver": ("local",),
        "SecurityOpt": (["no-new-privileges"], ["no-new-privileges:true"], ["no-new-privileges=true"]),
    },
    UpdateBody: {"MemorySwappiness": (-1,)},
    ExecBody: {
        "AttachStdout": ANYTHING,
        "AttachStderr": ANYTHING,
        "ConsoleSize": ANYTHING,
        "Detach": ANYTHING,
    },
    MountBody: {"Consistency": ANYTHING},
    Log: {},
}
"""By body: fields without a meaning here, and the values of others that ask for what is so anyway."""

B = TypeVar("B", bound=Pascal)
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def parse(raw: JSON, type: type[B], where: str = "") -> B:
    """`raw` as a body of that type.

    Raises BadRequest naming a malformed field, Unsupported naming one that asks for more than there is.
    """
    try:
        body = msgspec.convert(raw, type)
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at `$.")
        raise BadRequest(
            f"{where}{at.rstrip('`') or 'the request'} is malformed: {what[:1].lower()}{what[1:]}"
        ) from error
    for name, value in raw.items():
        if name in _fields(type) or not value:
            continue
        accepted = HARMLESS.get(type, {}).get(name, ())
        if accepted is not ANYTHING and value not in accepted:  # type: ignore[operator]
            raise Unsupported(
                f"{where}{name} is not supported, and was asked to be {value!r}"[:300], f"leave {name} out"
            )
    return body


@functools.cache  # it evaluates every annotation, which takes as long as making half a container
def _fields(type: type[Pascal]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(type))


def size(text: str, what: str) -> int:
    """Bytes from a number, with k, m or g (powers of 1024) behind it or not; `what` names it in errors."""
    number = text.lower().removesuffix("b")
    unit = UNITS.get(number[-1:], 1)
    digits = number[:-1] if unit > 1 else number
    if not (digits.isascii() and digits.isdigit() and int(digits)):
        raise BadRequest(f"{what} is {text!r}", "give bytes, or a number with k, m or g")
    return int(digits) * unit
