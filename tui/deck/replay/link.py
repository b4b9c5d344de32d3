"""The deck's line to a recording: plays it, and goes wherever it is told."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable
from time import monotonic
from typing import cast

from textual.message import Message

from engine.client import EngineClient
from engine.errors import TiffinError
from engine.instance import Instance
from engine.model import History, Snapshot
from engine.recording import Frame, Recording
from tui.deck.engine_link import HISTORY_FIELDS
from tui.deck.messages import EngineBack, Notice, SnapshotReady
from tui.deck.replay.client import ReplayClient, history
from tui.deck.replay.moments import Survey, survey
from tui.deck.store import MINUTE

SPEEDS = (1, 10, 60)
FRAME = 0.25  # seconds between two pictures at most: a terminal is no cinema
FOLLOWS = 1.5  # intervals between two frames up to which the later one goes on from the other


class Surveyed(Message):
    """The recording was looked through: `link.survey`."""


class ReplayLink:
    """Shows one moment of a recording after another; see Link for what the app needs.

    Its thread reads; `seek` and the like return at once, and what they ask for last is what is shown.
    """

    def __init__(self, instance: Instance, recording: Recording) -> None:
        self.recording = recording
        self.client = cast("EngineClient", ReplayClient(instance, recording, lambda: self.position))
        self.position = recording.begin
        self.playing = False
        self.speed = SPEEDS[0]
        self.survey: Survey | None = None  # until it was looked through
        self._times = recording.times()
        self._gap = (
            2 * recording.header.interval
        )  # seconds between two frames from which something is missing
        self._post: Callable[[Message], object] = lambda message: None
        self._lock = threading.Lock()
        self._newest: Snapshot | None = None
        self._history: list[History] = []
        self._wake = threading.Event()
        self._stopping = False
        self._seq = 0

    # ── what the app asks for ───────────────────────────────────────────────────────────────────────────────

    def start(self, post: Callable[[Message], object]) -> None:
        """See Link."""
        self._post = post
        post(EngineBack())
        self._wake.set()
        threading.Thread(target=self._play, daemon=True, name="replay").start()
        threading.Thread(target=self._look_through, daemon=True, name="replay-survey").start()

    def stop(self) -> None:
        """See Link."""
        self._stopping = True
        self._wake.set()

    def take(self) -> Snapshot | None:
        """See Link."""
        with self._lock:
            newest, self._newest = self._newest, None
            return newest

    def take_history(self) -> list[History]:
        """See Link."""
        with self._lock:
            told, self._history = self._history, []
            return told

    def revive(self) -> None:
        """See Link; a recording does not go away."""

    # ── moving ──────────────────────────────────────────────────────────────────────────────────────────────

    def seek(self, moment: float) -> None:
        """Go to a moment, or to the end of the recording nearest to it."""
        self.position = min(max(moment, self.recording.begin), self.recording.end)
        self._wake.set()

    def step(self, frames: int) -> None:
        """Go so many frames on, or back."""
        place = bisect_right(self._times, self.position) - 1 + frames
        self.seek(self._times[min(max(place, 0), len(self._times) - 1)])

    def play(self, on: bool) -> None:
        """Play or pause; at the end, play from the beginning."""
        if on and self.position >= self.recording.end:
            self.position = self.recording.begin
        self.playing = on
        self._wake.set()

    def faster(self, step: int) -> None:
        """Take the next speed, or the one before."""
        place = SPEEDS.index(self.speed) + step
        self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]
        self._wake.set()

    # ── the threads ─────────────────────────────────────────────────────────────────────────────────────────

    def _look_through(self) -> None:
        try:
            self.survey = survey(self.recording)
        except TiffinError as error:
            self._post(Notice(str(error), "error"))
        self._post(Surveyed())

    def _play(self) -> None:
        shown: Frame | None = None
        while not self._stopping:
            began, position = monotonic(), self.position
            try:
                frame = self.recording.at(position)
                if shown is None or frame.at != shown.at:
                    self._offer(frame, shown)
                    shown = frame
            except TiffinError as error:
                self._post(Notice(str(error), "error"))
            self._wake.wait(self._pause(position) if self.playing else None)
            if self._wake.is_set():  # something was asked for
                self._wake.clear()
            elif self.playing and self.position == position:
                self._advance(monotonic() - began)

    def _pause(self, position: float) -> float:
        """Seconds until the next picture."""
        place = bisect_right(self._times, position)
        until = self._times[place] - position if place < len(self._times) else 0.0
        return max(FRAME, min(until, self._gap) / self.speed)

    def _advance(self, seconds: float) -> None:
        """Go on by what was played; where nothing was recorded, at once to what was recorded next."""
        place = bisect_right(self._times, self.position)
        to = self.position + seconds * self.speed
        if place < len(self._times) and self._times[place] - self._times[place - 1] > self._gap:
            to = max(to, self._times[place])
        self.position = min(to, self.recording.end)
        self.playing = to < self.recording.end

    def _offer(self, frame: Frame, before: Frame | None) -> None:
        self._seq += 1
        snapshot = frame.snapshot(self._seq)
        follows = before is not None and 0 < frame.at - before.at < FOLLOWS * snapshot.interval
        past: list[History] = []
        if not follows:
            frames = list(self.recording.frames(frame.at - MINUTE, frame.at))
            past = [history(frames, id, HISTORY_FIELDS) for id in frame.rows]
        with self._lock:
            announced = self._newest is not None
            self._newest = snapshot
            self._history = past or self._history
        if not announced:
            self._post(SnapshotReady())
