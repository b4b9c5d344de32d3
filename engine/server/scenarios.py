"""The demos."""

from __future__ import annotations

from contextlib import aclosing

import msgspec
from aiohttp import web

from engine.model import ScenarioAsk
from engine.scenarios import Scenarios
from engine.server.http import Route, answer, body, done, stream


class _Protect(msgspec.Struct):
    protection: str


class ScenarioRoutes:
    """Under /tiffin/scenarios."""

    def __init__(self, scenarios: Scenarios) -> None:
        self._scenarios = scenarios

    def routes(self) -> list[Route]:
        """Its operations."""
        one = "/tiffin/scenarios/{name}"
        return [
            Route("GET", "/tiffin/scenarios", self.list),
            Route("POST", f"{one}/run", self.run, live=True),
            Route("POST", f"{one}/protect", self.protect),
            Route("POST", f"{one}/leave", self.leave),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """GET /tiffin/scenarios: Scenarios."""
        return answer(self._scenarios.list())

    async def run(self, request: web.Request) -> web.StreamResponse:
        """POST …/run: ScenarioRun by ScenarioRun until its end; the run is left when the client goes."""
        run = self._scenarios.begin(request.match_info["name"], await body(request, ScenarioAsk))
        async with aclosing(self._scenarios.follow(run)) as frames:
            return await stream(request, frames)

    async def protect(self, request: web.Request) -> web.Response:
        """POST …/protect: another protection for the run that is being played."""
        asked = await body(request, _Protect)
        self._scenarios.protect(request.match_info["name"], asked.protection)
        return done()

    async def leave(self, request: web.Request) -> web.Response:
        """POST …/leave: end the run; answered when nothing of it is left."""
        await self._scenarios.leave(request.match_info["name"])
        return done()
