"""Copying in and out of containers as tar streams."""

from __future__ import annotations

from binascii import b2a_base64
from contextlib import aclosing

import msgspec
from aiohttp import web

from engine.containers import Containers
from engine.errors import BadRequest
from engine.server.http import Route

STAT = "X-Docker-Container-Path-Stat"


class ArchiveRoutes:
    """/containers/{ref}/archive."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("HEAD", "/containers/{ref}/archive", self.stat),
            Route("GET", "/containers/{ref}/archive", self.get, live=True),
            Route("PUT", "/containers/{ref}/archive", self.put),
        ]

    async def stat(self, request: web.Request) -> web.Response:
        """HEAD: what is at the path, in a header."""
        return web.Response(headers={STAT: await self._stat(request)})

    async def get(self, request: web.Request) -> web.StreamResponse:
        """GET: a tar stream of it."""
        stat = await self._stat(request)
        pieces = await self._containers.archive_get(request.match_info["ref"], _path(request))
        response = web.StreamResponse(headers={STAT: stat, "Content-Type": "application/x-tar"})
        await response.prepare(request)
        async with aclosing(pieces):  # a client that leaves early ends the worker that packs
            async for piece in pieces:
                await response.write(piece)
        return response

    async def put(self, request: web.Request) -> web.Response:
        """PUT: unpack the body's tar stream in the folder at the path."""
        pieces = request.content.iter_any()
        await self._containers.archive_put(request.match_info["ref"], _path(request), pieces)
        return web.Response()

    async def _stat(self, request: web.Request) -> str:
        found = await self._containers.archive_stat(request.match_info["ref"], _path(request))
        return b2a_base64(msgspec.json.encode(found), newline=False).decode()


def _path(request: web.Request) -> str:
    path = request.query.get("path", "")
    if not path:
        raise BadRequest("path is missing", "name a path in the container")
    return path
