"""Images: lists, inspection, import, removal."""

from __future__ import annotations

import msgspec
from aiohttp import web

from engine.containers import Containers
from engine.docker import images as shapes
from engine.docker.containers import has_label
from engine.errors import BadRequest, TiffinError, Unsupported
from engine.model import ImageRemoval, ImageSummary
from engine.server.http import Route, answer, begin, filters, flag

FILTERS = ("reference", "label", "dangling")


class ImageRoutes:
    """Under /images/ and /tiffin/images/."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._images = containers.rooms.images

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/images/json", self.list),
            Route("GET", "/images/{ref:.+}/json", self.inspect),
            Route("DELETE", "/images/{ref:.+}", self.remove),
            Route("GET", "/tiffin/images", self.nouns),
            Route("POST", "/tiffin/images/import", self.import_noun),
            Route("GET", "/tiffin/images/{ref:.+}", self.noun),
            Route("DELETE", "/tiffin/images/{ref:.+}", self.remove_noun),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """GET /images/json."""
        wanted = filters(request, FILTERS)
        return answer([shapes.listed(image) for image in self._images.list() if _matches(image, wanted)])

    async def inspect(self, request: web.Request) -> web.Response:
        """GET /images/{ref}/json."""
        return answer(shapes.inspect(self._images.get(request.match_info["ref"])))

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /images/create with fromSrc=-: import the body's tar as an image."""
        if request.query.get("fromSrc") != "-":
            raise Unsupported(
                "an image is imported from the request's body only", "send the archive, and fromSrc=-"
            )
        repo, tag = request.query.get("repo", ""), request.query.get("tag", "")
        response = await begin(request)
        try:
            image = await self._import(request, f"{repo}:{tag}" if tag else repo)
            told: dict[str, object] = {"status": image.id}
        except TiffinError as error:
            told = {"error": str(error), "errorDetail": {"message": str(error)}}
        await response.write(msgspec.json.encode(told) + b"\r\n")
        return response

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE /images/{ref}."""
        removal = await self._remove(request)
        untagged = [{"Untagged": name} for name in removal.untagged]
        return answer(untagged + [{"Deleted": id} for id in removal.deleted])

    async def remove_noun(self, request: web.Request) -> web.Response:
        """DELETE /tiffin/images/{ref}: ImageRemoval."""
        return answer(await self._remove(request))

    async def _remove(self, request: web.Request) -> ImageRemoval:
        users: dict[str, list[str]] = {}
        for summary in self._containers.list():
            users.setdefault(summary.image_id, []).append(summary.name)
        ref, events = request.match_info["ref"], self._containers.rooms.events
        removal = await self._images.remove(ref, users, flag(request, "force"))
        for name in removal.untagged:
            events.emit("image", "untag", ref, name)
        for id in removal.deleted:
            events.emit("image", "delete", id, ref)
        return removal

    async def nouns(self, request: web.Request) -> web.Response:
        """GET /tiffin/images."""
        return answer(self._images.list())

    async def noun(self, request: web.Request) -> web.Response:
        """GET /tiffin/images/{ref}."""
        return answer(self._images.get(request.match_info["ref"]))

    async def import_noun(self, request: web.Request) -> web.Response:
        """POST /tiffin/images/import."""
        return answer(await self._import(request, request.query.get("name", "")))

    async def _import(self, request: web.Request, name: str) -> ImageSummary:
        if not name:
            raise BadRequest("the image's name is missing", "give NAME or NAME:TAG")
        image = await self._images.import_rootfs(request.content.iter_any(), name)
        self._containers.rooms.events.emit("image", "import", image.id, name)
        return image


def _matches(image: ImageSummary, wanted: dict[str, list[str]]) -> bool:
    labels, references = wanted.get("label", []), wanted.get("reference", [])
    if dangling := wanted.get("dangling", []):
        without_name = image.id != "host" and not image.names
        if without_name != (dangling[0] in ("1", "true")):
            return False
    plain = [name.rpartition(":")[0] for name in image.names]
    return all(has_label(image.config.labels, label) for label in labels) and (
        not references or any(ref in image.names or ref in plain for ref in references)
    )
