"""How images come and go: one object in the one engine process."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress

from engine.errors import BadRequest
from engine.images import names, platforms
from engine.images.exchange.loading import load
from engine.images.exchange.progress import Job, Jobs
from engine.images.exchange.pulling import Pulling
from engine.images.exchange.pushing import push
from engine.images.exchange.saving import FORMATS, Archive, Chosen
from engine.images.exchange.unpackers import Unpackers
from engine.images.registry import reference
from engine.images.registry.session import Session
from engine.images.registry.settings import Settings
from engine.images.shelf import Shelf
from engine.images.store import Stored
from engine.instance import Instance
from engine.model import ImageSummary, RegistryLogin, Transfer

Following = AbstractAsyncContextManager[AsyncIterator[Transfer]]
Announce = Callable[[str, str, str], object]  # an event: what happened, the image's id, its name
NOBODY = RegistryLogin()


class Exchange:
    """Pulls, pushes, loads and saves of one instance."""

    def __init__(
        self,
        instance: Instance,
        shelf: Shelf,
        get: Callable[[str], ImageSummary],
        find: Callable[[str], Stored],
    ) -> None:
        """`get` and `find` look an image up by name or id, for clients and in the store.

        Both raise NotFound; `find` raises Unsupported for the built-in one, which is not in the store.
        """
        self._shelf = shelf
        self._get = get
        self._find = find
        self._jobs = Jobs()
        self.settings = Settings(instance.config)
        self._unpackers = Unpackers(shelf)
        self._pulling = Pulling(shelf, self._unpackers, self.settings, instance.state / "downloads")

    def open(self) -> None:
        """Make the folders; once, before all else."""
        self._pulling.downloads.open()

    async def close(self) -> None:
        """End all work."""
        await self._jobs.close()

    def pull(
        self, name: str, announce: Announce, platform: str = "", login: RegistryLogin = NOBODY
    ) -> Following:
        """Fetch an image from its registry; two who ask for the same follow one pull.

        It ends when the last of them leaves, and what has arrived is kept for the next. Raises BadRequest for
        what is no name or platform; other failures are told in the last Transfer.
        """
        place = reference.parse(name)
        if place.name:
            names.for_new(place.name)
        wanted = platforms.parse(platform) if platform else None

        async def work(job: Job) -> None:
            id = await self._pulling.pull(job, place, wanted, login)
            job.images = [self._get(id)]
            announce("pull", id, str(place))

        return self._jobs.follow(("pull", place, wanted, login), "pull", str(place), work)

    def push(
        self, ref: str, announce: Announce, destination: str = "", login: RegistryLogin = NOBODY
    ) -> Following:
        """Send an image to its registry, or to `destination`; raises NotFound, BadRequest, Unsupported."""
        image = self._find(ref)
        if not destination and not (destination := self._name_of(ref, image)):
            raise BadRequest(
                f"pushing {ref}: it is known by its id only", "say where: tiffin push IMAGE NAME"
            )
        place = reference.parse(destination)
        if place.digest:
            raise BadRequest(f"pushing to {destination!r}: a digest is no place", "give a name and a tag")

        async def work(job: Job) -> None:
            await push(self._shelf, self.settings, job, image, place, login)
            job.images = [self._get(image.id)]
            announce("push", image.id, str(place))

        return self._jobs.follow(("push", image.id, place, login), "push", str(place), work)

    def load(self, source: AsyncIterable[bytes], announce: Announce, platform: str = "") -> Following:
        """Take in the images of an archive: docker-archive, OCI archive; gzip, zstd, xz or as it is."""
        if platform:
            platforms.parse(platform)

        async def work(job: Job) -> None:
            ids = await load(self._shelf, job, self._unpackers, source, platform)
            job.images = [self._get(id) for id in dict.fromkeys(ids)]
            for image in job.images:
                announce("load", image.id, image.names[0] if image.names else "")

        return self._jobs.follow(object(), "load", "an archive", work)

    def save(self, refs: Sequence[str], format: str = "docker-archive") -> Archive:
        """Images as one archive; those asked for by a name have that name in it. Raises NotFound, BadRequest."""
        if not refs:
            raise BadRequest("saving: no image is named", "name at least one")
        if format not in FORMATS:
            raise BadRequest(f"saving: {format!r} is no format", f"use {' or '.join(FORMATS)}")
        chosen: dict[str, Chosen] = {}
        for ref in refs:
            image = self._find(ref)
            one = chosen.setdefault(image.id, Chosen(image, []))
            if (name := self._name_of(ref, image)) and name not in one.names:
                one.names.append(name)
        return Archive(self._shelf, list(chosen.values()), format)

    async def login(self, login: RegistryLogin) -> str:
        """Ask a registry whether it knows this user; its name as credentials are kept under.

        Raises NotPermitted where it does not, Unreachable.
        """
        if not login.username and not login.token:
            raise BadRequest("logging in: the user's name is missing", "give one with --username")
        registry = reference.registry(login.registry)
        place = reference.Reference(registry, "", "")
        session = Session(registry, place.host, self.settings, login, "logging in")
        async with session, session.request("GET", session.url(""), "its version"):
            return registry

    def _name_of(self, ref: str, image: Stored) -> str:
        """The name by which an image was asked for; empty where it was by its id or digest."""
        with suppress(BadRequest):
            if (name := names.normal(ref)) in image.names:
                return name
        return ""
