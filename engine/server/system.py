"""What clients ask of the engine itself, in Docker's words."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from aiohttp import web

from engine.containers import Containers
from engine.docker import system as shapes
from engine.model import Event
from engine.server.http import Route, answer, begin, encode_lines, filters, moment
from engine.server.status import version


class SystemRoutes:
    """Ping, version, info, events, disk usage."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/_ping", self.ping),
            Route("HEAD", "/_ping", self.ping),
            Route("GET", "/version", self.version),
            Route("GET", "/info", self.info),
            Route("GET", "/events", self.events, live=True),
            Route("GET", "/tiffin/events", self.nouns, live=True),
        ]

    async def ping(self, request: web.Request) -> web.Response:
        """GET /_ping."""
        headers = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"}
        return web.Response(text="" if request.method == "HEAD" else "OK", headers=headers)

    async def version(self, request: web.Request) -> web.Response:
        """GET /version."""
        return answer(shapes.version(version()))

    async def info(self, request: web.Request) -> web.Response:
        """GET /info."""
        rooms = self._containers.rooms
        memory = rooms.watch.snapshot().host.memory_total
        images = len(rooms.images.list())
        return answer(
            shapes.info(
                version(), rooms.instance, rooms.hierarchy.mode, self._containers.list(), images, memory
            )
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        """GET /events."""
        return await self._send(request, shapes.event)

    async def nouns(self, request: web.Request) -> web.StreamResponse:
        """GET /tiffin/events."""
        return await self._send(request, lambda event: event)

    async def _send(self, request: web.Request, shape: Callable[[Event], object]) -> web.StreamResponse:
        """Those since `since`, then those to come, up to `until`."""
        wanted = filters(request, shapes.EVENT_FILTERS)
        since, until = moment(request, "since"), moment(request, "until")
        events = self._containers.rooms.events
        with events.listen() as listener:
            past = events.since(since, until or math.inf) if request.query.get("since") else []
            end = asyncio.get_running_loop().call_later(max(0, until - time.time()), listener.close)
            if not until:
                end.cancel()
            try:
                response = await begin(request)
                await response.write(encode_lines(shape(e) for e in past if shapes.event_matches(e, wanted)))
                async for event in listener:
                    if shapes.event_matches(event, wanted):
                        await response.write(encode_lines([shape(event)]))
            finally:
                end.cancel()
        return response
