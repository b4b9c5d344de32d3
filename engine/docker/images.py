"""Images as Docker's lists and inspections show them."""

from __future__ import annotations

from engine.docker import containers as containers_shapes
from engine.docker.times import rfc3339
from engine.docker.volumes import volume
from engine.model import JSON, ContainerSummary, DiskUse, HistoryStep, ImageSummary, VolumeSummary


def listed(image: ImageSummary) -> JSON:
    """One entry of GET /images/json."""
    return {
        "Id": image.id,
        "ParentId": "",
        "RepoTags": image.names,
        "RepoDigests": _digests(image),
        "Created": int(image.created_at),
        "Size": image.size,
        "VirtualSize": image.size,
        "SharedSize": image.shared,
        "Containers": -1,
        "Labels": image.config.labels or None,
    }


def inspect(image: ImageSummary) -> JSON:
    """GET /images/{name}/json."""
    config = image.config
    return {
        "Id": image.id,
        "RepoTags": image.names,
        "RepoDigests": _digests(image),
        "Parent": "",
        "Comment": "",
        "Created": rfc3339(image.created_at),
        "Author": "",
        "Config": {
            "User": config.user,
            "Env": config.env or None,
            "Cmd": config.command or None,
            "Entrypoint": config.entrypoint or None,
            "WorkingDir": config.workdir,
            "Labels": config.labels or None,
            "StopSignal": config.stop_signal,
            "Volumes": {path: {} for path in config.volumes} or None,
            "ExposedPorts": {port: {} for port in config.exposed} or None,
        },
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": None},
        "RootFS": {"Type": "layers", "Layers": image.layers},
    }


def history(image: ImageSummary, steps: list[HistoryStep]) -> list[JSON]:
    """GET /images/{name}/history, the latest step first; only it bears the image's id and names."""
    return [
        {
            "Id": "<missing>" if number else image.id,
            "Created": int(step.created_at),
            "CreatedBy": step.command,
            "Tags": None if number else image.names,
            "Size": step.size if step.layer else 0,
            "Comment": step.comment,
        }
        for number, step in enumerate(steps)
    ]


def disk_use(
    use: DiskUse,
    images: list[ImageSummary],
    containers: list[ContainerSummary],
    volumes: list[VolumeSummary],
) -> JSON:
    """GET /system/df."""
    private = {one.id: one.private for one in use.containers}
    users = {one.id: len(one.containers) for one in use.images}
    sizes = {one.name: one.size for one in use.volumes}
    return {
        "LayersSize": use.layers,
        "Images": [{**listed(image), "Containers": users.get(image.id, 0)} for image in images],
        "Containers": [
            {**containers_shapes.listed(one), "SizeRw": private.get(one.id, 0)} for one in containers
        ],
        "Volumes": [
            {**volume(one), "UsageData": {"Size": sizes.get(one.name, -1), "RefCount": len(one.used_by)}}
            for one in volumes
        ],
        "BuildCache": [],
        "BuilderSize": 0,
    }


def _digests(image: ImageSummary) -> list[str]:
    return [f"{name.rpartition(':')[0]}@{image.digest}" for name in image.names] if image.digest else []
