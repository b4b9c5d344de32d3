"""What a recording answers in the place of an engine: what it has; to all else, one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import NotFound, Unsupported
from engine.instance import Instance
from engine.model import SAMPLE_FIELDS, History, HostSample
from engine.recording import Frame, Recording

HOST = "host"
NOT_RECORDED = {
    "log_extent": "output", "log_read": "output", "logs": "output", "top": "processes", "diff": "changed files",
    "changes": "changed files", "inspect": "the settings of containers", "limits": "kernel files",
}  # fmt: skip
"""What is asked for by calls that only read."""


class ReplayClient:
    """Has the calls of EngineClient: history is read from the recording, and every other raises Unsupported."""

    def __init__(self, instance: Instance, recording: Recording, now: Callable[[], float]) -> None:
        self.instance = instance
        self._recording = recording
        self._now = now

    def history(self, ref: str, seconds: float = 600) -> History:
        """See WatchCalls; the seconds before the moment that is shown."""
        now = self._now()
        return history(list(self._recording.frames(now - seconds, now)), ref, SAMPLE_FIELDS)

    def history_all(self, seconds: float = 60, fields: Sequence[str] = ()) -> list[History]:
        """See WatchCalls."""
        now = self._now()
        frames = list(self._recording.frames(now - seconds, now))
        ids = {id for frame in frames for id in frame.rows}
        return [history(frames, id, fields or SAMPLE_FIELDS) for id in ids]

    def __getattr__(self, verb: str) -> Any:
        if verb.startswith("_"):
            raise AttributeError(verb)

        def refuse(*args: object, **kwargs: object) -> None:
            if verb in NOT_RECORDED:
                raise NotFound(f"a recording does not have {NOT_RECORDED[verb]}")
            raise Unsupported(
                "this is a recording: nothing in it can be changed", "open tiffin for what is now"
            )

        return refuse


def history(frames: Sequence[Frame], id: str, fields: Sequence[str]) -> History:
    """Some fields of one container, or of the host, in some frames."""
    at, columns = [], []
    for frame in frames:
        sample = frame.host() if id == HOST else frame.sample(id)
        if sample is not None:
            known: Sequence[str] = HostSample.__struct_fields__ if id == HOST else SAMPLE_FIELDS
            at.append(frame.at)
            columns.append([getattr(sample, field) if field in known else None for field in fields])
    series = [list(column) for column in zip(*columns, strict=True)] or [[] for _ in fields]
    return History(id=id, at=at, fields=dict(zip(fields, series, strict=True)))
