"""Gathering what an inspection tells of a container."""

from __future__ import annotations

import msgspec

from engine import logs
from engine.containers import Containers
from engine.containers.container import Container
from engine.docker.containers import Facts
from engine.errors import NotFound, TiffinError
from engine.model import JSON, ImageConfig


class _Plan(msgspec.Struct):
    overlay: dict[str, list[str] | str] = {}


def of(containers: Containers, container: Container) -> Facts:
    """The facts of one container, as they are now."""
    rooms, config, lease = containers.rooms, container.record.config, container.lease
    try:
        image = rooms.images.get(container.record.image_id).config
    except TiffinError:  # removed by force: the container goes on without
        image = ImageConfig()
    try:
        network_id = rooms.networks.get(config.network).id
    except NotFound:
        network_id = ""
    volumes = rooms.volumes.paths(config)
    sources = {
        m.target: str(volumes[m.source]) for m in config.mounts if m.type == "volume" and m.source in volumes
    }
    return Facts(
        image=image,
        sources=sources,
        folder=str(container.folder),
        layers=_layers(container),
        log_dir=str(container.log_dir),
        cgroups=container.cgroup.folders,
        network_id=network_id,
        gateway=lease.gateway if lease else "",
        prefix=lease.prefix if lease else 0,
        mac=lease.mac if lease else "",
        execs=[exec.id for exec in containers.execs.of(container)],
        more=_more(containers, container),
    )


def _layers(container: Container) -> list[str]:
    """The lower layers of its last start; none before the first."""
    try:
        plan = msgspec.json.decode((container.folder / "launch.json").read_bytes(), type=_Plan)
    except (FileNotFoundError, msgspec.MsgspecError):
        return []
    lower = plan.overlay.get("lower", [])
    return lower if isinstance(lower, list) else [lower]


def _more(containers: Containers, container: Container) -> JSON:
    extent = logs.extent(container.log_dir)
    return {
        "undo": len(container.record.undo),
        "readings": containers.limits(container.id) if container.alive else [],
        "log": {"folder": str(container.log_dir), "first": extent.first, "end": extent.end},
    }
