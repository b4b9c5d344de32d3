"""One run of a demo, followed by a thread; only its newest frame waits for the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.client import EngineClient
from engine.client.calls import Answers
from engine.errors import TiffinError
from engine.model import ScenarioAsk, ScenarioRun


class Playing:
    """Plays until the run ends or `stop`; the engine clears everything away when the connection ends."""

    def __init__(self, client: EngineClient, name: str, ask: ScenarioAsk, told: Callable[[], object]) -> None:
        """`told` is called, in a thread, when there is a frame or an error to be taken."""
        self._client = client
        self._name = name
        self._ask = ask
        self._told = told
        self._lock = threading.Lock()
        self._answers: Answers[ScenarioRun] | None = None
        self._newest: ScenarioRun | None = None
        self._stopped = False
        self.error: TiffinError | None = None
        threading.Thread(target=self._follow, daemon=True, name="deck-demo").start()

    def stop(self) -> None:
        """End the run; does not wait."""
        with self._lock:
            self._stopped = True
            if self._answers is not None:
                self._answers.close()

    def take(self) -> ScenarioRun | None:
        """The newest frame not taken yet."""
        with self._lock:
            newest, self._newest = self._newest, None
            return newest

    def _follow(self) -> None:
        try:
            answers = self._client.play(self._name, self._ask)
            with self._lock:
                self._answers = answers
                if self._stopped:
                    answers.close()
            for frame in answers:
                with self._lock:
                    announced = self._newest is not None
                    self._newest = frame
                if not announced:
                    self._told()
        except TiffinError as error:
            if not self._stopped:
                self.error = error
                self._told()
