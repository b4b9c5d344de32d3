"""Images from and to registries and archives."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from engine.containers import Containers
from engine.decoding import decode
from engine.docker import transfers as shapes
from engine.errors import BadRequest
from engine.images.exchange.exchange import Following
from engine.model import RegistryLogin, Transfer
from engine.server.http import Route, begin, body, carried_through, encode_lines, stream
from engine.server.images import ImageRoutes


class TransferRoutes:
    """Under /images/ and /tiffin/images/, before the routes whose paths take any name."""

    def __init__(self, containers: Containers, images: ImageRoutes) -> None:
        self._exchange = containers.rooms.images.exchange
        self._events = containers.rooms.events
        self._import = carried_through(images.create)

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("POST", "/images/create", self.create, live=True),
            Route("POST", "/tiffin/images/pull", self.pull_noun, live=True),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /images/create: pull `fromImage`, or import what the body holds."""
        name = request.query.get("fromImage", "")
        if not name:
            return await self._import(request)
        if tag := request.query.get("tag", ""):
            name += f"@{tag}" if tag.startswith("sha256:") else f":{tag}"
        following = self._exchange.pull(
            name, self._announce, request.query.get("platform", ""), _login(request)
        )
        return await _told(request, following)

    async def pull_noun(self, request: web.Request) -> web.StreamResponse:
        """POST /tiffin/images/pull: Transfers."""
        login = await body(request, RegistryLogin)
        name, platform = request.query.get("name", ""), request.query.get("platform", "")
        return await _sent(request, self._exchange.pull(name, self._announce, platform, login))

    def _announce(self, action: str, id: str, name: str) -> None:
        self._events.emit("image", action, id, name)


async def _sent(request: web.Request, following: Following) -> web.StreamResponse:
    """Transfers line by line; who leaves ends what nobody else follows."""
    async with following as transfers:
        return await stream(request, transfers)


async def _told(request: web.Request, following: Following) -> web.StreamResponse:
    """The same in Docker's words."""
    async with following as transfers:
        response = await begin(request)
        async for lines in _docker(transfers):
            await response.write(lines)
    return response


async def _docker(transfers: AsyncIterator[Transfer]) -> AsyncIterator[bytes]:
    before = None
    async for transfer in transfers:
        yield encode_lines(shapes.messages(transfer, before))
        before = transfer


class _Auth(msgspec.Struct):
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    serveraddress: str = ""


def _login(request: web.Request) -> RegistryLogin:
    """What Docker's clients send along: X-Registry-Auth, JSON in URL-safe base64."""
    given = request.headers.get("X-Registry-Auth", "")
    try:
        found = decode(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)) or b"{}", _Auth)
    except (binascii.Error, msgspec.MsgspecError) as error:
        raise BadRequest(f"X-Registry-Auth is malformed: {error}", "log in again") from error
    return RegistryLogin(
        registry=found.serveraddress,
        username=found.username,
        password=found.password,
        token=found.identitytoken,
    )
