"""The server: all routes behind one unix socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from aiohttp import web

from engine.building import Builder
from engine.client.http import reachable
from engine.containers import Containers
from engine.docker.system import API, API_MIN
from engine.errors import BadRequest, KernelError
from engine.instance import Instance
from engine.scenarios import Scenarios
from engine.server.archive import ArchiveRoutes
from engine.server.blame import BlameRoutes
from engine.server.building import BuildRoutes
from engine.server.containers import ContainerRoutes
from engine.server.groups import GroupRoutes
from engine.server.http import BEGUN, MAX_BODY, Handler, carried_through, problems
from engine.server.images import ImageRoutes
from engine.server.keeping import KeepingRoutes
from engine.server.metrics import MetricsRoutes
from engine.server.networks import NetworkRoutes
from engine.server.output import OutputRoutes
from engine.server.private import PrivateRoutes
from engine.server.scenarios import ScenarioRoutes
from engine.server.system import SystemRoutes
from engine.server.terminals import TerminalRoutes
from engine.server.tiffin import TiffinRoutes
from engine.server.transfers import TransferRoutes
from engine.server.volumes import VolumeRoutes

PATIENCE = 0.2  # seconds that open connections get at the end
HEADERS = {"API-Version": API, "Docker-Experimental": "false", "Ostype": "linux"}


class Server:
    """Serves one instance's containers over HTTP."""

    def __init__(self, containers: Containers, shut_down: Callable[[], None]) -> None:
        """`shut_down` is called when a client asks for the engine's end."""
        self._output = OutputRoutes(containers)
        self._scenarios = Scenarios(containers)
        self._builder = Builder(containers)
        images = ImageRoutes(containers)
        app = web.Application(middlewares=[problems], client_max_size=MAX_BODY)
        app.on_response_prepare.append(_sign)
        for part in (
            SystemRoutes(containers),
            ContainerRoutes(containers),
            TerminalRoutes(containers),
            self._output,
            ArchiveRoutes(containers),
            TransferRoutes(containers, images),
            KeepingRoutes(containers),
            PrivateRoutes(containers),
            images,
            BuildRoutes(self._builder),
            NetworkRoutes(containers),
            VolumeRoutes(containers),
            GroupRoutes(containers),
            BlameRoutes(containers),
            ScenarioRoutes(self._scenarios),
            TiffinRoutes(containers, shut_down),
            MetricsRoutes(containers),
        ):
            for route in part.routes():
                handler = route.handler if route.live else carried_through(route.handler)
                app.router.add_route(route.method, route.path, handler)
                app.router.add_route(
                    route.method, "/v{version:[0-9]+\\.[0-9]+}" + route.path, _versioned(handler)
                )

        async def end_live(_: web.Application) -> None:
            await containers.rooms.watch.close()
            await self._builder.close()

        app.on_shutdown.append(end_live)  # live streams end whole: their readers know that this was no crash
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=PATIENCE
        )

    async def start(self, listening: socket.socket) -> None:
        """Begin to answer on a bound socket."""
        await self._scenarios.open()
        await self._builder.open()
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def close(self) -> None:
        """Answer no more; what clients are still being sent ends."""
        await self._scenarios.close()
        await self._runner.cleanup()
        self._output.close()


def bind(instance: Instance) -> socket.socket:
    """The instance's socket, for its owner alone; a stale one of a dead engine is replaced."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        instance.socket.unlink(missing_ok=True)
        with reachable(instance.socket) as name:
            listening.bind(name)
    except OSError as error:
        listening.close()
        raise KernelError.of(f"binding {instance.socket}", error) from error
    finally:
        os.umask(mask)
    listening.setblocking(False)
    return listening


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    request[BEGUN] = True
    response.headers["Server"] = "tiffin"
    response.headers.update(HEADERS)


def _versioned(handler: Handler) -> Handler:
    low, high = (tuple(map(int, text.split("."))) for text in (API_MIN, API))

    async def run(request: web.Request) -> web.StreamResponse:
        asked = tuple(map(int, request.match_info["version"].split(".")))
        if not low <= asked <= high:
            raise BadRequest(
                f"version {request.match_info['version']} of the API is not spoken here",
                f"use {API_MIN} to {API}: set DOCKER_API_VERSION={API}, or let the client negotiate",
            )
        return await handler(request)

    return run
