"""Every cgroup of the host, under /tiffin/groups."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import web

from engine.containers import Containers
from engine.server.http import Route, answer, stream


class GroupRoutes:
    """The host's tree."""

    def __init__(self, containers: Containers) -> None:
        self._watch = containers.rooms.watch

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/tiffin/groups", self.list),
            Route("GET", "/tiffin/groups/live", self.live, live=True),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """GET /tiffin/groups: GroupSnapshot."""
        return answer(self._watch.group_snapshot())

    async def live(self, request: web.Request) -> web.StreamResponse:
        """GET /tiffin/groups/live: GroupNews by GroupNews."""
        async with aclosing(self._watch.subscribe_groups()) as news:
            return await stream(request, news)
