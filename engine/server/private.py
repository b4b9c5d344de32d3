"""A container's private layer: single changes, reset, snapshots, export, commit."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import web

from engine.containers import Containers
from engine.containers.private import PrivateLayers
from engine.errors import BadRequest
from engine.model import ImageSummary
from engine.server.http import Route, answer, done, flag, number


class PrivateRoutes:
    """/commit, /containers/{ref}/export and under /tiffin/containers/{ref}/."""

    def __init__(self, containers: Containers) -> None:
        self._private = PrivateLayers(containers)

    def routes(self) -> list[Route]:
        """Its operations."""
        one = "/tiffin/containers/{ref}"
        return [
            Route("POST", "/commit", self.commit),
            Route("GET", "/containers/{ref}/export", self.export, live=True),
            Route("GET", f"{one}/change", self.change),
            Route("POST", f"{one}/reset", self.reset),
            Route("POST", f"{one}/commit", self.commit_noun),
            Route("GET", f"{one}/snapshots", self.snapshots),
            Route("POST", f"{one}/snapshots", self.snapshot),
            Route("DELETE", f"{one}/snapshots/{{name}}", self.remove),
            Route("POST", f"{one}/rollback", self.rollback),
        ]

    async def change(self, request: web.Request) -> web.Response:
        """GET …/change?path=: FileChange."""
        path = request.query.get("path", "")
        if not path:
            raise BadRequest("path is missing", "name a path in the container")
        return answer(await self._private.change(request.match_info["ref"], path))

    async def export(self, request: web.Request) -> web.StreamResponse:
        """GET /containers/{ref}/export: its whole root as a tar stream."""
        pieces = await self._private.export(request.match_info["ref"])
        response = web.StreamResponse(headers={"Content-Type": "application/x-tar"})
        await response.prepare(request)
        async with aclosing(pieces):  # a client that leaves early ends the worker that packs
            async for piece in pieces:
                await response.write(piece)
        return response

    async def reset(self, request: web.Request) -> web.Response:
        """POST …/reset."""
        await self._private.reset(
            request.match_info["ref"], restart=flag(request, "restart"), grace=number(request, "t", float)
        )
        return done()

    async def snapshots(self, request: web.Request) -> web.Response:
        """GET …/snapshots: LayerSnapshots."""
        return answer(self._private.snapshots(request.match_info["ref"]))

    async def snapshot(self, request: web.Request) -> web.Response:
        """POST …/snapshots: LayerSnapshot."""
        name, note = request.query.get("name", ""), request.query.get("note", "")
        pause = flag(request, "pause", True)
        return answer(
            await self._private.snapshot(request.match_info["ref"], name, note=note, pause=pause), 201
        )

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE …/snapshots/{name}."""
        await self._private.snapshot_remove(request.match_info["ref"], request.match_info["name"])
        return done()

    async def rollback(self, request: web.Request) -> web.Response:
        """POST …/rollback: the LayerSnapshot it is back to."""
        return answer(
            await self._private.rollback(
                request.match_info["ref"],
                request.query.get("name", ""),
                restart=flag(request, "restart"),
                grace=number(request, "t", float),
            )
        )

    async def commit(self, request: web.Request) -> web.Response:
        """POST /commit?container=."""
        repo, tag = request.query.get("repo", ""), request.query.get("tag", "")
        name = f"{repo}:{tag}" if repo and tag else repo
        made = await self._commit(request, request.query.get("container", ""), name)
        return answer({"Id": made.id}, 201)

    async def commit_noun(self, request: web.Request) -> web.Response:
        """POST …/commit: ImageSummary."""
        name = request.query.get("name", "")
        return answer(await self._commit(request, request.match_info["ref"], name), 201)

    async def _commit(self, request: web.Request, ref: str, name: str) -> ImageSummary:
        if not ref:
            raise BadRequest("the container is missing", "name the container to commit")
        changes = [line for text in request.query.getall("changes", []) for line in text.split("\n")]
        return await self._private.commit(
            ref,
            name,
            message=request.query.get("comment", ""),
            author=request.query.get("author", ""),
            changes=[change for change in changes if change.strip()],
            pause=flag(request, "pause", True),
            epoch=number(request, "epoch", float),
        )
