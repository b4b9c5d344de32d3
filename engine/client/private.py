"""A container's private layer: single changes, reset, snapshots, export, commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.client.calls import Calls, container_path, part, pieces, tiffin_path
from engine.client.http import Query
from engine.model import FileChange, ImageSummary, LayerSnapshot


class PrivateCalls(Calls):
    """What is done with a private layer; see EngineClient."""

    def change(self, ref: str, path: str) -> FileChange:
        """One path as the image has it and as the container does, with the text of small text files."""
        return self._get(tiffin_path(ref, "change"), FileChange, {"path": path})

    def reset(self, ref: str, *, restart: bool = False, grace: float | None = None) -> None:
        """Throw all its changes away; volumes, logs and snapshots stay.

        Conflict where it runs, unless it may `restart` (stopped with `grace` seconds, as `stop` does).
        """
        self._do("POST", tiffin_path(ref, "reset"), {"restart": restart, "t": grace})

    def snapshots(self, ref: str) -> list[LayerSnapshot]:
        """Kept copies of its private layer, the oldest first."""
        return self._get(tiffin_path(ref, "snapshots"), list[LayerSnapshot])

    def snapshot_create(
        self, ref: str, name: str = "", *, note: str = "", pause: bool = True
    ) -> LayerSnapshot:
        """Keep a copy of its private layer; an empty name is chosen. Frozen meanwhile if it is to `pause`."""
        query: Query = {"name": name, "note": note, "pause": pause}
        return self._send("POST", tiffin_path(ref, "snapshots"), LayerSnapshot, query)

    def snapshot_remove(self, ref: str, name: str) -> None:
        """Forget a snapshot."""
        self._do("DELETE", tiffin_path(ref, f"snapshots/{part(name, 'snapshot')}"))

    def rollback(
        self, ref: str, name: str = "", *, restart: bool = False, grace: float | None = None
    ) -> LayerSnapshot:
        """Put its private layer back to a snapshot, the latest by default; `restart` as in `reset`."""
        query: Query = {"name": name, "restart": restart, "t": grace}
        return self._send("POST", tiffin_path(ref, "rollback"), LayerSnapshot, query)

    def export(self, ref: str) -> Iterator[bytes]:
        """Its whole root as a tar stream, without what is mounted in it."""
        return pieces(self._request("GET", container_path(ref, "export")))

    def commit(
        self,
        ref: str,
        name: str = "",
        *,
        message: str = "",
        author: str = "",
        changes: Sequence[str] = (),
        pause: bool = True,
        epoch: float | None = None,
    ) -> ImageSummary:
        """Make an image of it: its image's layers, and its private layer as one more on top.

        `changes` are such as `CMD ["web"]` or `ENV A=b`; with `epoch` (SOURCE_DATE_EPOCH) the same changes
        give the same image.
        """
        query: Query = {
            "name": name,
            "comment": message,
            "author": author,
            "changes": "\n".join(changes),
            "pause": pause,
            "epoch": epoch,
        }
        return self._send("POST", tiffin_path(ref, "commit"), ImageSummary, query)
