"""Who is hurting whom: the evidence, and the proof."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.client.calls import Calls
from engine.client.http import Query
from engine.model import Evidence, Proof, Resource


class BlameCalls(Calls):
    """Verdicts come with every snapshot; here is what stands behind them. See EngineClient.

    `victim` and `suspect` are containers, or cgroups of the host by their ids ("cgroup:/system.slice/x.service").
    """

    def evidence(self, victim: str, resource: Resource, also: Iterable[str] = ()) -> Evidence:
        """The last minute of a victim's stall and of its suspects' use; of those in `also` whatever they used."""
        query: Query = {"id": victim, "resource": resource, "also": ",".join(also)}
        return self._get("/tiffin/blame", Evidence, query)

    def prove(
        self, victim: str, suspect: str, resource: Resource = "cpu", rounds: int = 4, confirm: str = ""
    ) -> Proof:
        """Freeze a suspect for moments and compare the victim's stall; about a second a round.

        One that is not this engine's own container takes its name in `confirm`.
        """
        asked = {
            "victim": victim, "suspect": suspect, "resource": resource, "rounds": rounds, "confirm": confirm
        }  # fmt: skip
        return self._send("POST", "/tiffin/blame/proof", Proof, body=msgspec.json.encode(asked))
