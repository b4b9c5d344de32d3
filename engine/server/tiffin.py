"""What Docker's API has no words for: live snapshots, history, limits as the kernel has them, the doctor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing

import msgspec
from aiohttp import web

from engine.containers import Containers
from engine.docker.config import from_docker
from engine.errors import BadRequest
from engine.model import GROUP_PREFIX, SAMPLE_FIELDS, Check, LimitsChange, RestartPolicy
from engine.server.containers import select
from engine.server.http import Route, answer, body, done, json_body, number, stream
from engine.server.status import status
from engine.watch.history import HOST, HOST_FIELDS

HISTORY = 600.0  # seconds


class _Update(msgspec.Struct):
    limits: LimitsChange
    restart: RestartPolicy | None = None


class TiffinRoutes:
    """Under /tiffin/, but for what belongs to a noun's own module."""

    def __init__(self, containers: Containers, shut_down: Callable[[], None]) -> None:
        self._containers = containers
        self._watch = containers.rooms.watch
        self._shut_down = shut_down
        self._started_at = time.time()

    def routes(self) -> list[Route]:
        """Its operations."""
        one = "/tiffin/containers/{ref}"
        return [
            Route("GET", "/tiffin/status", self.status),
            Route("POST", "/tiffin/shutdown", self.shutdown),
            Route("GET", "/tiffin/doctor", self.doctor),
            Route("GET", "/tiffin/snapshot", self.snapshot),
            Route("GET", "/tiffin/live", self.live, live=True),
            Route("GET", "/tiffin/history", self.history),
            Route("POST", "/tiffin/run", self.run),
            Route("GET", "/tiffin/containers", self.containers),
            Route("GET", f"{one}/limits", self.limits),
            Route("PATCH", f"{one}/limits", self.update),
            Route("POST", f"{one}/limits/undo", self.undo),
            Route("GET", f"{one}/top", self.top),
            Route("GET", f"{one}/changes", self.changes),
            Route("GET", "/tiffin/exec/{id}/wait", self.wait_exec, live=True),
        ]

    async def status(self, request: web.Request) -> web.Response:
        """GET /tiffin/status: EngineStatus."""
        return answer(await asyncio.to_thread(status, self._containers, self._started_at))

    async def shutdown(self, request: web.Request) -> web.Response:
        """POST /tiffin/shutdown: the engine ends soon."""
        self._shut_down()
        return done()

    async def doctor(self, request: web.Request) -> web.Response:
        """GET /tiffin/doctor: DoctorReport."""
        from engine.watch.doctor import doctor  # rarely asked for, and much to import

        rooms = self._containers.rooms
        extra = await rooms.networks.checks()
        extra += [Check(name="image host", verdict="limited", found=gap) for gap in rooms.images.host_gaps()]
        return answer(await asyncio.to_thread(doctor, rooms.instance, extra))

    async def snapshot(self, request: web.Request) -> web.Response:
        """GET /tiffin/snapshot: Snapshot."""
        return answer(self._watch.snapshot())

    async def live(self, request: web.Request) -> web.StreamResponse:
        """GET /tiffin/live: Snapshot by Snapshot."""
        async with aclosing(self._watch.subscribe()) as snapshots:
            return await stream(request, snapshots)

    async def history(self, request: web.Request) -> web.Response:
        """GET /tiffin/history: History of one (`id`: a container, host, or a Group's id) or of all containers."""
        seconds = number(request, "seconds", float)
        fields = [field for field in request.query.get("fields", "").split(",") if field]
        id = request.query.get("id", "")
        kept, ids = self._watch.history, self._watch.history.ids()
        if id.startswith(GROUP_PREFIX):
            kept, ids = self._watch.group_history, [self._containers.rooms.foreign.find(id).id]
        elif id:
            ids = [id if id == HOST else self._containers.get(id).id]
        if strange := [name for name in fields if name not in HOST_FIELDS + SAMPLE_FIELDS]:
            raise BadRequest(
                f"history has no field {strange[0]!r}", f"choose from {', '.join(SAMPLE_FIELDS)}"
            )
        found = []
        for one in ids:
            wanted = [name for name in fields if name in (HOST_FIELDS if one == HOST else SAMPLE_FIELDS)]
            if wanted or not fields:
                found.append(kept.history(one, HISTORY if seconds is None else seconds, wanted))
        return answer(found)

    async def run(self, request: web.Request) -> web.Response:
        """POST /tiffin/run: create and start."""
        config = from_docker(await json_body(request))
        id = await self._containers.run(config, request.query.get("name", ""))
        return answer({"Id": id}, 201)

    async def containers(self, request: web.Request) -> web.Response:
        """GET /tiffin/containers: ContainerSummaries."""
        return answer(select(self._containers, request))

    async def limits(self, request: web.Request) -> web.Response:
        """GET …/limits: LimitReadings."""
        return answer(self._containers.limits(request.match_info["ref"]))

    async def update(self, request: web.Request) -> web.Response:
        """PATCH …/limits: LimitsApplied."""
        asked = await body(request, _Update)
        return answer(await self._containers.update(request.match_info["ref"], asked.limits, asked.restart))

    async def undo(self, request: web.Request) -> web.Response:
        """POST …/limits/undo: LimitsApplied."""
        return answer(await self._containers.undo(request.match_info["ref"]))

    async def top(self, request: web.Request) -> web.Response:
        """GET …/top: Processes."""
        return answer(await self._containers.top(request.match_info["ref"]))

    async def changes(self, request: web.Request) -> web.Response:
        """GET …/changes: Changes."""
        return answer(await self._containers.diff(request.match_info["ref"]))

    async def wait_exec(self, request: web.Request) -> web.Response:
        """GET /tiffin/exec/{id}/wait: ExitStatus, once it has ended."""
        return answer(await self._containers.exec_wait(request.match_info["id"]))
