"""The demos: what there is, playing one, changing its protection while it runs."""

from __future__ import annotations

import msgspec

from engine.client.calls import Answers, Calls, part
from engine.model import Scenario, ScenarioAsk, ScenarioRun


class ScenarioCalls(Calls):
    """See EngineClient."""

    def scenarios(self) -> list[Scenario]:
        """All demos of the gallery."""
        return self._get("/tiffin/scenarios", list[Scenario])

    def play(self, name: str, ask: ScenarioAsk | None = None) -> Answers[ScenarioRun]:
        """Play a demo: the run as it stands, four times a second; closing it leaves the run."""
        body = msgspec.json.encode(ask or ScenarioAsk())
        return self._lines(_path(name, "run"), ScenarioRun, method="POST", body=body)

    def protect(self, name: str, protection: str) -> None:
        """Have the demo that is being played use another protection."""
        self._do("POST", _path(name, "protect"), body=msgspec.json.encode({"protection": protection}))

    def leave(self, name: str) -> None:
        """End the demo that is being played; returns when nothing of it is left, and it can be resumed."""
        self._do("POST", _path(name, "leave"))


def _path(name: str, verb: str) -> str:
    return f"/tiffin/scenarios/{part(name, 'demo')}/{verb}"
