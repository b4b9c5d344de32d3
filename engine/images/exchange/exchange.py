"""How images come and go: one object in the one engine process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from engine.images import names, platforms
from engine.images.exchange.progress import Job, Jobs
from engine.images.exchange.pulling import Pulling
from engine.images.registry import reference
from engine.images.registry.settings import Settings
from engine.images.shelf import Shelf
from engine.instance import Instance
from engine.model import ImageSummary, RegistryLogin, Transfer

Following = AbstractAsyncContextManager[AsyncIterator[Transfer]]
Announce = Callable[[str, str, str], object]  # an event: what happened, the image's id, its name
NOBODY = RegistryLogin()


class Exchange:
    """Pulls, pushes, loads and saves of one instance."""

    def __init__(self, instance: Instance, shelf: Shelf, get: Callable[[str], ImageSummary]) -> None:
        self._get = get
        self._jobs = Jobs()
        self.settings = Settings(instance.config)
        self._pulling = Pulling(shelf, self.settings, instance.state / "downloads")

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
