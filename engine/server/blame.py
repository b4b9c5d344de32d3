"""Who is hurting whom: the evidence, and the proof."""

from __future__ import annotations

import socket
import struct

import msgspec
from aiohttp import web

from engine.containers import Containers
from engine.errors import BadRequest
from engine.model import GROUP_PREFIX, RESOURCES, Resource
from engine.server.http import Route, answer, body


class _Prove(msgspec.Struct):
    victim: str
    suspect: str
    resource: Resource = "cpu"
    rounds: int = 4
    confirm: str = ""


class BlameRoutes:
    """Under /tiffin/blame."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/tiffin/blame", self.evidence),
            Route("POST", "/tiffin/blame/proof", self.prove),
        ]

    async def evidence(self, request: web.Request) -> web.Response:
        """GET /tiffin/blame?id=…&resource=…&also=…: Evidence."""
        resource = request.query.get("resource", "cpu")
        if resource not in RESOURCES:
            raise BadRequest(f"nobody waits for {resource!r}", f"choose from {', '.join(RESOURCES)}")
        also = [id for id in request.query.get("also", "").split(",") if id]
        id = self._id(request.query.get("id", ""))
        return answer(self._containers.rooms.watch.evidence(id, resource, also))

    async def prove(self, request: web.Request) -> web.Response:
        """POST /tiffin/blame/proof: Proof."""
        asked = await body(request, _Prove)
        return answer(
            await self._containers.prove(
                self._id(asked.victim),
                self._id(asked.suspect),
                asked.resource,
                asked.rounds,
                asked.confirm,
                _peer(request),
            )
        )

    def _id(self, ref: str) -> str:
        return ref if ref.startswith(GROUP_PREFIX) else self._containers.get(ref).id


def _peer(request: web.Request) -> int:
    """The process that asks."""
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is None:
        return 0
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)
