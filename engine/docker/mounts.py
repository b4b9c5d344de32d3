"""Mounts: Docker's five ways to ask for one (Mounts, Binds, Tmpfs, Volumes, ShmSize) to and from ours."""

from __future__ import annotations

from typing import Any

from engine.docker.body import HostConfig, MountBody, Tmpfs, size
from engine.errors import BadRequest, Unsupported
from engine.model import Mount

BIND_OPTIONS = ("rw", "ro", "z", "Z", "nocopy", "rprivate", "private", "consistent", "cached", "delegated")
TMPFS_OPTIONS = ("rw", "ro", "noexec", "nosuid", "nodev")  # the last three are set on every tmpfs


def from_docker(host: HostConfig, volumes: dict[str, Any] | None) -> list[Mount]:
    """All mounts that a create body asks for."""
    found = [_mount(mount) for mount in host.mounts or []]
    found += [_bind(text) for text in host.binds or []]
    found += [_tmpfs(target, options) for target, options in (host.tmpfs or {}).items()]
    if host.shm_size:
        found.append(Mount(type="tmpfs", target="/dev/shm", size=host.shm_size, mode=0o1777))
    taken = {mount.target for mount in found}
    found += [Mount(type="volume", target=target) for target in volumes or {} if target not in taken]
    return found


def to_docker(mounts: list[Mount]) -> list[MountBody]:
    """The Mounts field that asks for the same."""
    return [
        MountBody(
            type=mount.type,
            target=mount.target,
            source=mount.source,
            read_only=mount.read_only,
            tmpfs_options=None if mount.type != "tmpfs" else Tmpfs(size_bytes=mount.size, mode=mount.mode),
        )
        for mount in mounts
    ]


def _mount(body: MountBody) -> Mount:
    if body.type not in ("bind", "volume", "tmpfs"):
        raise Unsupported(
            f"HostConfig.Mounts type {body.type!r} is not supported", "use bind, volume or tmpfs"
        )
    for name, value in (body.bind_options or {}).items():
        if value and (name, value) not in (("Propagation", "rprivate"), ("Propagation", "private")):
            raise Unsupported(
                f"HostConfig.Mounts.BindOptions.{name} {value!r} is not supported", "leave it out"
            )
    for name, value in (body.volume_options or {}).items():
        if value and name != "NoCopy" and (name, value) != ("DriverConfig", {"Name": "local"}):
            raise Unsupported(f"HostConfig.Mounts.VolumeOptions.{name} is not supported", "leave it out")
    options = body.tmpfs_options or Tmpfs()
    return Mount(
        type=body.type,  # type: ignore[arg-type]  # one of the three
        target=body.target,
        source=body.source or "",
        read_only=bool(body.read_only),
        size=options.size_bytes,
        mode=options.mode,
    )


def _bind(text: str) -> Mount:
    """`[SOURCE:]TARGET[:OPTIONS]`; a source with a slash in front is a path of the host, else a volume."""
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or "" in parts:
        raise BadRequest(f"HostConfig.Binds has {text!r}", "give SOURCE:TARGET or SOURCE:TARGET:ro")
    if len(parts) == 1:
        return Mount(type="volume", target=text)
    options = parts[2].split(",") if len(parts) == 3 else []
    for option in options:
        if option not in BIND_OPTIONS:
            raise Unsupported(
                f"HostConfig.Binds {text!r}: the option {option!r} is not supported", "leave it out"
            )
    kind = "bind" if parts[0].startswith("/") else "volume"
    return Mount(type=kind, source=parts[0], target=parts[1], read_only="ro" in options)  # type: ignore[arg-type]


def _tmpfs(target: str, text: str) -> Mount:
    bytes: int | None = None
    mode: int | None = None
    read_only = False
    for option in filter(None, text.split(",")):
        name, _, value = option.partition("=")
        if name == "size":
            bytes = size(value, f"HostConfig.Tmpfs {target}: the size")
        elif name == "mode" and value and set(value) <= set("01234567"):
            mode = int(value, 8)
        elif option in TMPFS_OPTIONS:
            read_only = read_only or option == "ro"
        else:
            raise Unsupported(
                f"HostConfig.Tmpfs {target}: the option {option!r} is not supported", "leave it out"
            )
    return Mount(type="tmpfs", target=target, read_only=read_only, size=bytes, mode=mode)
