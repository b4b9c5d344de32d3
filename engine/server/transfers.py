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
from engine.images.exchange.saving import Archive
from engine.model import RegistryLogin, Transfer
from engine.server.http import (
    Route,
    answer,
    begin,
    body,
    carried_through,
    encode_lines,
    stream,
)
from engine.server.images import ImageRoutes

TAR = "application/x-tar"


class TransferRoutes:
    """Under /images/ and /tiffin/images/, before the routes whose paths take any name."""

    def __init__(self, containers: Containers, images: ImageRoutes) -> None:
        self._exchange = containers.rooms.images.exchange
        self._events = containers.rooms.events
        self._import = carried_through(images.create)

    def routes(self) -> list[Route]:
        """Its operations; who leaves ends what nobody else follows."""
        return [
            Route("POST", "/images/create", self.create, live=True),
            Route("POST", "/images/load", self.load, live=True),
            Route("GET", "/images/get", self.save, live=True),
            Route("GET", "/images/{ref:.+}/get", self.save, live=True),
            Route("POST", "/images/{ref:.+}/push", self.push, live=True),
            Route("POST", "/auth", self.auth),
            Route("POST", "/tiffin/images/pull", self.pull_noun, live=True),
            Route("POST", "/tiffin/images/push", self.push_noun, live=True),
            Route("POST", "/tiffin/images/load", self.load_noun, live=True),
            Route("GET", "/tiffin/images/save", self.save, live=True),
            Route("POST", "/tiffin/login", self.login_noun),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /images/create: pull `fromImage`, or import what the body holds."""
        name = request.query.get("fromImage", "")
        if not name:
            return await self._import(request)
        if tag := request.query.get("tag", ""):
            name += f"@{tag}" if tag.startswith("sha256:") else f":{tag}"
        platform, login = request.query.get("platform", ""), _login(request)
        return await _told(request, self._exchange.pull(name, self._announce, platform, login))

    async def push(self, request: web.Request) -> web.StreamResponse:
        """POST /images/{ref}/push."""
        ref, tag = request.match_info["ref"], request.query.get("tag", "")
        following = self._exchange.push(f"{ref}:{tag}" if tag else ref, self._announce, "", _login(request))
        return await _told(request, following)

    async def load(self, request: web.Request) -> web.StreamResponse:
        """POST /images/load."""
        platform = request.query.get("platform", "")
        return await _told(request, self._exchange.load(request.content.iter_any(), self._announce, platform))

    async def save(self, request: web.Request) -> web.StreamResponse:
        """GET /images/get, /images/{ref}/get, /tiffin/images/save: an archive, in `format`."""
        one = request.match_info.get("ref")
        refs = (
            [one]
            if one
            else [name for names in request.query.getall("names", []) for name in names.split(",")]
        )
        format = request.query.get("format", "docker-archive")
        return await _archive(request, self._exchange.save(refs, format))

    async def auth(self, request: web.Request) -> web.Response:
        """POST /auth: whether a registry knows this user."""
        await self._exchange.login(_from_docker(await body(request, _Auth)))
        return answer({"Status": "Login Succeeded", "IdentityToken": ""})

    async def pull_noun(self, request: web.Request) -> web.StreamResponse:
        """POST /tiffin/images/pull: Transfers."""
        login = await body(request, RegistryLogin)
        name, platform = request.query.get("name", ""), request.query.get("platform", "")
        return await _sent(request, self._exchange.pull(name, self._announce, platform, login))

    async def push_noun(self, request: web.Request) -> web.StreamResponse:
        """POST /tiffin/images/push: Transfers."""
        login = await body(request, RegistryLogin)
        ref, to = request.query.get("ref", ""), request.query.get("to", "")
        return await _sent(request, self._exchange.push(ref, self._announce, to, login))

    async def load_noun(self, request: web.Request) -> web.StreamResponse:
        """POST /tiffin/images/load: Transfers."""
        source, platform = request.content.iter_any(), request.query.get("platform", "")
        return await _sent(request, self._exchange.load(source, self._announce, platform))

    async def login_noun(self, request: web.Request) -> web.Response:
        """POST /tiffin/login: the RegistryLogin as it is to be kept."""
        login = await body(request, RegistryLogin)
        return answer(msgspec.structs.replace(login, registry=await self._exchange.login(login)))

    def _announce(self, action: str, id: str, name: str) -> None:
        self._events.emit("image", action, id, name)


async def _sent(request: web.Request, following: Following) -> web.StreamResponse:
    """Transfers line by line."""
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


async def _archive(request: web.Request, archive: Archive) -> web.StreamResponse:
    async with archive:
        response = web.StreamResponse(headers={"Content-Type": TAR})
        response.content_length = archive.size
        await response.prepare(request)
        async for piece in archive.pieces():
            await response.write(piece)
    return response


class _Auth(msgspec.Struct):
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    serveraddress: str = ""


def _login(request: web.Request) -> RegistryLogin:
    """What Docker's clients send along: X-Registry-Auth, JSON in URL-safe base64."""
    given = request.headers.get("X-Registry-Auth", "")
    try:
        return _from_docker(decode(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)) or b"{}", _Auth))
    except (binascii.Error, UnicodeError, msgspec.MsgspecError) as error:
        raise BadRequest(f"X-Registry-Auth is malformed: {error}", "log in again") from error


def _from_docker(given: _Auth) -> RegistryLogin:
    return RegistryLogin(
        registry=given.serveraddress,
        username=given.username,
        password=given.password,
        token=given.identitytoken,
    )
