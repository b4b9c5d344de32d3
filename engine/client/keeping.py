"""What is kept: images' history and names, disk use, pruning, verifying."""

from __future__ import annotations

from engine.client.calls import Calls, part
from engine.client.http import Query
from engine.model import DiskUse, HistoryStep, ImageCheck, Pruned, StoreReport


class KeepingCalls(Calls):
    """What looks after the store; see EngineClient."""

    def image_history(self, ref: str) -> list[HistoryStep]:
        """How an image was made, the latest step first, with the size of each layer and who shares it."""
        return self._get(f"/tiffin/images/{part(ref, 'image')}/history", list[HistoryStep])

    def image_tag(self, ref: str, name: str) -> None:
        """Give an image one more name; whoever had it loses it."""
        self._do("POST", f"/tiffin/images/{part(ref, 'image')}/tag", {"repo": name})

    def images_check(self, ref: str = "") -> list[ImageCheck]:
        """Whether containers of one image, or of all stored ones, can run on this machine, and why not."""
        return self._get("/tiffin/check", list[ImageCheck], {"image": ref})

    def images_verify(self) -> StoreReport:
        """Read the whole store, and say what is wrong with it; takes as long as reading it does."""
        return self._get("/tiffin/verify", StoreReport)

    def disk_use(self) -> DiskUse:
        """What of images, containers and volumes takes how much room."""
        return self._get("/tiffin/df", DiskUse)

    def prune(
        self,
        *,
        images: bool = True,
        all_images: bool = False,
        containers: bool = False,
        volumes: bool = False,
        dry: bool = False,
    ) -> Pruned:
        """Remove images without a name (or `all_images` without containers), stopped containers, unused volumes.

        Nothing that is in use is touched; with `dry` it only tells what it would do.
        """
        query: Query = {
            "images": images,
            "all": all_images,
            "containers": containers,
            "volumes": volumes,
            "dry": dry,
        }
        return self._send("POST", "/tiffin/prune", Pruned, query)
