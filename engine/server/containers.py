"""Containers: lists, the verbs, waiting, usage, copying."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from engine.containers import Containers
from engine.docker import containers as shapes
from engine.docker.body import UpdateBody, parse
from engine.docker.config import from_docker, restart_from_docker
from engine.docker.resources import change_from_resources
from engine.errors import BadRequest
from engine.model import ContainerSummary
from engine.server import facts
from engine.server.http import Route, answer, begin, done, filters, flag, json_body, number

CONDITIONS = {"": "not-running", "not-running": "not-running", "next-exit": "next-exit", "removed": "removed"}


def select(containers: Containers, request: web.Request) -> list[ContainerSummary]:
    """The containers that a list's parameters ask for; the running ones unless asked for others."""
    wanted = filters(request, shapes.FILTERS)
    every = flag(request, "all") or "status" in wanted or "exited" in wanted
    limit = number(request, "limit") or 0
    names = (
        {image.id: image.names for image in containers.rooms.images.list()} if "ancestor" in wanted else {}
    )
    found = [
        summary
        for summary in containers.list()
        if (every or limit > 0 or summary.state.status in ("running", "paused", "restarting"))
        and shapes.matches(summary, wanted, [summary.image, *names.get(summary.image_id, [])])
    ]
    return found[: int(limit)] if limit > 0 else found


class ContainerRoutes:
    """Under /containers/."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/containers/json", self.list),
            Route("POST", "/containers/create", self.create),
            Route("POST", "/containers/prune", self.prune),
            Route("GET", "/containers/{ref}/json", self.inspect),
            Route("POST", "/containers/{ref}/start", self.start),
            Route("POST", "/containers/{ref}/stop", self.stop),
            Route("POST", "/containers/{ref}/restart", self.restart),
            Route("POST", "/containers/{ref}/kill", self.kill),
            Route("POST", "/containers/{ref}/pause", self.pause),
            Route("POST", "/containers/{ref}/unpause", self.unpause),
            Route("POST", "/containers/{ref}/wait", self.wait, live=True),
            Route("POST", "/containers/{ref}/rename", self.rename),
            Route("POST", "/containers/{ref}/update", self.update),
            Route("DELETE", "/containers/{ref}", self.remove),
            Route("GET", "/containers/{ref}/top", self.top),
            Route("GET", "/containers/{ref}/changes", self.changes),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """GET /containers/json."""
        return answer([shapes.listed(summary) for summary in select(self._containers, request)])

    async def create(self, request: web.Request) -> web.Response:
        """POST /containers/create."""
        config = from_docker(await json_body(request))
        id = await self._containers.create(config, request.query.get("name", "").removeprefix("/"))
        return answer({"Id": id, "Warnings": []}, 201)

    async def prune(self, request: web.Request) -> web.Response:
        """POST /containers/prune: remove all that do not run."""
        wanted = filters(request, ("label",))
        removed = []
        for summary in self._containers.list():
            ended = summary.state.status in ("created", "exited", "dead")
            if ended and shapes.matches(summary, wanted, []):
                await self._containers.remove(summary.id)
                removed.append(summary.id)
        return answer({"ContainersDeleted": removed, "SpaceReclaimed": 0})

    async def inspect(self, request: web.Request) -> web.Response:
        """GET /containers/{ref}/json."""
        container = self._containers.get(request.match_info["ref"])
        return answer(
            shapes.inspect(
                container.summary(), container.record.config, facts.of(self._containers, container)
            )
        )

    async def start(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/start; 304 where it runs."""
        return done(await self._containers.start(request.match_info["ref"]))

    async def stop(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/stop; 304 where it does not run."""
        return done(await self._containers.stop(request.match_info["ref"], _grace(request)))

    async def restart(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/restart."""
        await self._containers.restart(request.match_info["ref"], _grace(request))
        return done()

    async def kill(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/kill."""
        await self._containers.kill(request.match_info["ref"], request.query.get("signal") or "SIGKILL")
        return done()

    async def pause(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/pause."""
        await self._containers.pause(request.match_info["ref"])
        return done()

    async def unpause(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/unpause."""
        await self._containers.unpause(request.match_info["ref"])
        return done()

    async def wait(self, request: web.Request) -> web.StreamResponse:
        """POST /containers/{ref}/wait.

        The head of the answer says that the waiting has begun: Docker's `run` starts the container only then.
        """
        ref, condition = request.match_info["ref"], request.query.get("condition", "")
        if condition not in CONDITIONS:
            raise BadRequest(
                f"the condition is {condition!r}", f"give one of {', '.join(filter(None, CONDITIONS))}"
            )
        waiting = asyncio.create_task(self._containers.wait(ref, CONDITIONS[condition]))
        try:
            await asyncio.sleep(0)  # lets it find the container and begin
            if waiting.done():
                waiting.result()
            response = await begin(request)
            status = await waiting
            told = {
                "StatusCode": status.exit_code,
                "Error": {"Message": status.error} if status.error else None,
                "Tiffin": status,
            }
            await response.write(msgspec.json.encode(told))
        finally:
            waiting.cancel()
        return response

    async def rename(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/rename."""
        await self._containers.rename(
            request.match_info["ref"], request.query.get("name", "").removeprefix("/")
        )
        return done()

    async def update(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/update."""
        asked = parse(await json_body(request), UpdateBody)
        ref = request.match_info["ref"]
        change = change_from_resources(asked, self._containers.get(ref).record.config.limits)
        await self._containers.update(ref, change, restart_from_docker(asked.restart_policy))
        return answer({"Warnings": []})

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE /containers/{ref}."""
        if flag(request, "link"):
            raise BadRequest("links between containers do not exist here", "leave link out")
        await self._containers.remove(request.match_info["ref"], flag(request, "force"), flag(request, "v"))
        return done()

    async def top(self, request: web.Request) -> web.Response:
        """GET /containers/{ref}/top; ps_args is passed over, the columns are those of `ps -ef`."""
        return answer(shapes.top(await self._containers.top(request.match_info["ref"])))

    async def changes(self, request: web.Request) -> web.Response:
        """GET /containers/{ref}/changes."""
        return answer(shapes.changes(await self._containers.diff(request.match_info["ref"])))


def _grace(request: web.Request) -> float | None:
    grace = number(request, "t", float)
    if grace is not None and grace < 0:
        return -1  # Docker's word for as long as it takes, and the monitor's
    return grace
