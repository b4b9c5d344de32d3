"""What is kept: history and names of images, disk use, pruning, verifying."""

from __future__ import annotations

from aiohttp import web

from engine.containers import Containers
from engine.containers.housekeeping import Housekeeping
from engine.docker import images as shapes
from engine.errors import BadRequest
from engine.server.http import Route, answer, done, filters, flag


class KeepingRoutes:
    """Under /images/ and /tiffin/; before ImageRoutes, whose patterns take any name."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._images = containers.rooms.images
        self._house = Housekeeping(containers)

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/images/{ref:.+}/history", self.history),
            Route("POST", "/images/{ref:.+}/tag", self.tag),
            Route("POST", "/images/prune", self.prune_images),
            Route("GET", "/system/df", self.disk_use),
            Route("GET", "/tiffin/df", self.disk_use_noun),
            Route("POST", "/tiffin/prune", self.prune),
            Route("GET", "/tiffin/verify", self.verify),
            Route("GET", "/tiffin/check", self.check),
            Route("GET", "/tiffin/images/{ref:.+}/history", self.history_noun),
            Route("POST", "/tiffin/images/{ref:.+}/tag", self.tag),
        ]

    async def history(self, request: web.Request) -> web.Response:
        """GET /images/{ref}/history."""
        ref = request.match_info["ref"]
        return answer(shapes.history(self._images.get(ref), self._images.keeping.history(ref)))

    async def history_noun(self, request: web.Request) -> web.Response:
        """GET /tiffin/images/{ref}/history: HistorySteps."""
        return answer(self._images.keeping.history(request.match_info["ref"]))

    async def tag(self, request: web.Request) -> web.Response:
        """POST …/{ref}/tag."""
        ref, repo, tag = (
            request.match_info["ref"],
            request.query.get("repo", ""),
            request.query.get("tag", ""),
        )
        if not repo:
            raise BadRequest("the image's new name is missing", "give NAME or NAME:TAG")
        name = await self._images.keeping.tag(ref, f"{repo}:{tag}" if tag else repo)
        self._containers.rooms.events.emit("image", "tag", self._images.get(ref).id, name)
        return done() if request.path.startswith("/tiffin") else web.Response(status=201)

    async def prune_images(self, request: web.Request) -> web.Response:
        """POST /images/prune: those without a name, or with dangling=false all that no container needs."""
        dangling = filters(request, ("dangling",)).get("dangling", ["true"])
        pruned = await self._house.prune(all_images=dangling[0] in ("0", "false"))
        return answer(
            {
                "ImagesDeleted": [{"Deleted": name} for name in pruned.images],
                "SpaceReclaimed": pruned.reclaimed,
            }
        )

    async def prune(self, request: web.Request) -> web.Response:
        """POST /tiffin/prune: Pruned."""
        return answer(
            await self._house.prune(
                images=flag(request, "images", True),
                all_images=flag(request, "all"),
                containers=flag(request, "containers"),
                volumes=flag(request, "volumes"),
                dry=flag(request, "dry"),
            )
        )

    async def disk_use(self, request: web.Request) -> web.Response:
        """GET /system/df."""
        rooms = self._containers.rooms
        volumes = rooms.volumes.list(self._containers.volume_users())
        use = await self._house.disk_use()
        return answer(shapes.disk_use(use, rooms.images.list(), self._containers.list(), volumes))

    async def disk_use_noun(self, request: web.Request) -> web.Response:
        """GET /tiffin/df: DiskUse."""
        return answer(await self._house.disk_use())

    async def check(self, request: web.Request) -> web.Response:
        """GET /tiffin/check: ImageChecks, of one `image` or of all."""
        return answer(await self._images.check(request.query.get("image", "")))

    async def verify(self, request: web.Request) -> web.Response:
        """GET /tiffin/verify: StoreReport."""
        return answer(await self._images.verify())
