"""Every cgroup of the host, under /tiffin/groups. One goes by the parameter `id`: an id, a path, or a name."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import aclosing

import msgspec
from aiohttp import web

from engine.cgroups import Cgroup
from engine.containers import Containers
from engine.containers.processes import processes
from engine.foreign import Caller
from engine.model import LimitsChange
from engine.server.http import Route, answer, body, stream


class _Act(msgspec.Struct):
    id: str
    consent: str = ""  # the path again, by which the one who asks says that he knows whose it is
    limits: LimitsChange = LimitsChange()


class _Back(msgspec.Struct):
    id: str = ""  # empty: everything


class GroupRoutes:
    """The host's tree, and acting on what is not tiffin's."""

    def __init__(self, containers: Containers) -> None:
        self._watch = containers.rooms.watch
        self._foreign = containers.rooms.foreign

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/tiffin/groups", self.list),
            Route("GET", "/tiffin/groups/live", self.live, live=True),
            Route("GET", "/tiffin/groups/one", self.one),
            Route("GET", "/tiffin/groups/top", self.top),
            Route("GET", "/tiffin/groups/limits", self.limits),
            Route("PATCH", "/tiffin/groups/limits", self.update),
            Route("POST", "/tiffin/groups/freeze", self.freeze),
            Route("POST", "/tiffin/groups/thaw", self.thaw),
            Route("POST", "/tiffin/groups/undo", self.undo),
            Route("POST", "/tiffin/groups/put-back", self.put_back),
            Route("GET", "/tiffin/groups/changes", self.changes),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """GET /tiffin/groups: GroupSnapshot."""
        return answer(self._watch.group_snapshot())

    async def live(self, request: web.Request) -> web.StreamResponse:
        """GET /tiffin/groups/live: GroupNews by GroupNews."""
        async with aclosing(self._watch.subscribe_groups()) as news:
            return await stream(request, news)

    async def one(self, request: web.Request) -> web.Response:
        """GET …/one: Group."""
        return answer(self._foreign.find(_id(request)))

    async def top(self, request: web.Request) -> web.Response:
        """GET …/top: Processes, of the cgroup and those below it."""
        cgroup: Cgroup = self._foreign.cgroup(_id(request))
        return answer(await asyncio.to_thread(processes, cgroup))

    async def limits(self, request: web.Request) -> web.Response:
        """GET …/limits: LimitReadings."""
        return answer(self._foreign.limits(_id(request)))

    async def update(self, request: web.Request) -> web.Response:
        """PATCH …/limits: GroupApplied."""
        asked = await body(request, _Act)
        return answer(await self._foreign.update(asked.id, asked.limits, asked.consent))

    async def freeze(self, request: web.Request) -> web.Response:
        """POST …/freeze: GroupApplied."""
        asked = await body(request, _Act)
        return answer(await self._foreign.freeze(asked.id, asked.consent, _caller(request)))

    async def thaw(self, request: web.Request) -> web.Response:
        """POST …/thaw: GroupApplied."""
        asked = await body(request, _Act)
        return answer(await self._foreign.thaw(asked.id, asked.consent))

    async def undo(self, request: web.Request) -> web.Response:
        """POST …/undo: GroupApplied."""
        return answer(await self._foreign.undo((await body(request, _Act)).id))

    async def put_back(self, request: web.Request) -> web.Response:
        """POST …/put-back: PutBacks."""
        return answer(await self._foreign.put_back((await body(request, _Back)).id))

    async def changes(self, request: web.Request) -> web.Response:
        """GET …/changes: GroupChanges."""
        return answer(self._foreign.changes())


def _id(request: web.Request) -> str:
    return request.query.get("id", "")


def _caller(request: web.Request) -> Caller:
    """The process that has the other end of the socket: neither it nor what it runs in is to stand still."""
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is None:
        return Caller()
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Caller(pid)
