"""Building images, as Docker's clients ask for it and as our own do."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec
from aiohttp import web

from engine.building import Builder
from engine.building.bootstrap import check
from engine.decoding import decode
from engine.docker import building as shapes
from engine.errors import BadRequest
from engine.model import BootstrapOptions, BuildOptions
from engine.server.http import MAX_BODY, Route, begin, body, encode_lines, stream


class BuildRoutes:
    """POST /build and /tiffin/build."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def routes(self) -> list[Route]:
        """Its operations; a build ends with its client."""
        return [
            Route("POST", "/build", self.build, live=True),
            Route("POST", "/tiffin/build", self.build_noun, live=True),
            Route("POST", "/tiffin/bootstrap", self.bootstrap, live=True),
        ]

    async def build(self, request: web.Request) -> web.StreamResponse:
        """POST /build: the body is the context's tar stream."""
        query = request.query
        shapes.options(query, [], "")  # refuse before the context is taken
        async with self._builder.site(request.content.iter_any()) as site:
            text = await self._builder.containerfile(site, query.get("dockerfile") or "Dockerfile")
            options = shapes.options(query, query.getall("t", []), text)
            response = await begin(request)
            async with aclosing(self._builder.build(site, options)) as told:
                async for progress in told:
                    await response.write(encode_lines(shapes.messages(progress)))
            return response

    async def build_noun(self, request: web.Request) -> web.StreamResponse:
        """POST /tiffin/build: BuildProgress line by line.

        The body is the length of the BuildOptions in decimal digits, a line feed, they as JSON, and then the
        context's tar stream.
        """
        options = await _options(request)
        async with (
            self._builder.site(request.content.iter_any()) as site,
            aclosing(self._builder.build(site, options)) as told,
        ):
            return await stream(request, told)

    async def bootstrap(self, request: web.Request) -> web.StreamResponse:
        """POST /tiffin/bootstrap: BuildProgress line by line."""
        options = await body(request, BootstrapOptions)
        check(options)
        async with aclosing(self._builder.bootstrap(options)) as told:
            return await stream(request, told)


async def _options(request: web.Request) -> BuildOptions:
    try:
        length = int(await request.content.readline())
        if not 0 < length <= MAX_BODY:
            raise BadRequest(f"the build's options have {length} bytes", f"at most {MAX_BODY} are read")
        return decode(await request.content.readexactly(length), BuildOptions)
    except (ValueError, asyncio.IncompleteReadError, msgspec.MsgspecError) as error:
        raise BadRequest(f"the build's options are malformed: {error}", "see ARCHITECTURE.md") from error
