"""Named volumes."""

from __future__ import annotations

import os

import msgspec
from aiohttp import web

from engine.containers import Containers
from engine.docker import volumes as shapes
from engine.docker.containers import has_label
from engine.errors import NotFound, Unsupported
from engine.model import VolumeSummary
from engine.server.http import Route, answer, body, done, filters, flag
from engine.volumes import users

Summaries = list[VolumeSummary]  # within the class, `list` is a route
FILTERS = ("name", "driver", "label", "dangling")


class _Create(msgspec.Struct, rename="pascal"):
    name: str | None = None
    driver: str | None = None
    driver_opts: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class VolumeRoutes:
    """Under /volumes and /tiffin/volumes."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._volumes = containers.rooms.volumes

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/volumes", self.list),
            Route("POST", "/volumes/create", self.create),
            Route("POST", "/volumes/prune", self.prune),
            Route("GET", "/volumes/{name}", self.inspect),
            Route("DELETE", "/volumes/{name}", self.remove),
            Route("GET", "/tiffin/volumes", self.nouns),
            Route("GET", "/tiffin/volumes/{name}", self.noun),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """GET /volumes."""
        wanted = filters(request, FILTERS)
        found = [shapes.volume(volume) for volume in self._all() if _matches(volume, wanted)]
        return answer({"Volumes": found, "Warnings": None})

    async def create(self, request: web.Request) -> web.Response:
        """POST /volumes/create; one that is there already is answered with."""
        asked = await body(request, _Create)
        if (asked.driver or "local") != "local" or asked.driver_opts:
            raise Unsupported(
                "volumes of other drivers, or with driver options, are not supported", "use local"
            )
        name = asked.name or os.urandom(32).hex()
        made = self._volumes.create(name, asked.labels)
        self._tell("create", name)
        return answer(shapes.volume(made), 201)

    async def inspect(self, request: web.Request) -> web.Response:
        """GET /volumes/{name}."""
        return answer(shapes.volume(self._volumes.get(request.match_info["name"])))

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE /volumes/{name}; with force a missing one is no error."""
        name = request.match_info["name"]
        try:
            await self._volumes.remove(name, volume_users(self._containers))
        except NotFound:
            if not flag(request, "force"):
                raise
        else:
            self._tell("destroy", name)
        return done()

    async def prune(self, request: web.Request) -> web.Response:
        """POST /volumes/prune: remove all that no container mounts."""
        wanted = filters(request, ("label", "all"))
        labels = {"label": wanted.get("label", [])}
        removed = []
        for volume in self._all():
            if not volume.used_by and _matches(volume, labels):
                await self._volumes.remove(volume.name, volume_users(self._containers))
                self._tell("destroy", volume.name)
                removed.append(volume.name)
        return answer({"VolumesDeleted": removed, "SpaceReclaimed": 0})

    async def nouns(self, request: web.Request) -> web.Response:
        """GET /tiffin/volumes."""
        return answer(self._all())

    async def noun(self, request: web.Request) -> web.Response:
        """GET /tiffin/volumes/{name}."""
        return answer(self._volumes.get(request.match_info["name"], volume_users(self._containers)))

    def _all(self) -> Summaries:
        return self._volumes.list(volume_users(self._containers))

    def _tell(self, action: str, name: str) -> None:
        self._containers.rooms.events.emit("volume", action, name, name, {"driver": "local"})


def volume_users(containers: Containers) -> dict[str, list[str]]:
    """Container ids by volume name."""
    return users({container.id: container.record.config for container in containers.registry})


def _matches(volume: VolumeSummary, wanted: dict[str, list[str]]) -> bool:
    tests = {
        "name": lambda v: v in volume.name,
        "driver": lambda v: v == "local",
        "label": lambda v: has_label(volume.labels, v),
        "dangling": lambda v: (v in ("1", "true")) != bool(volume.used_by),
    }
    return all(any(map(tests[name], values)) for name, values in wanted.items() if values)
