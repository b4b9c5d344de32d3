"""Images as Docker's lists and inspections show them."""

from __future__ import annotations

from engine.docker.times import rfc3339
from engine.model import JSON, ImageSummary


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
        "SharedSize": -1,
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


def _digests(image: ImageSummary) -> list[str]:
    return [f"{name.rpartition(':')[0]}@{image.digest}" for name in image.names] if image.digest else []
