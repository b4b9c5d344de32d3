"""The judge: tick by tick, who stalls, and the verdict on why. Works only while somebody stalls.

Calm on purpose: a stall has to last before it gets a verdict and to be over for a while before it loses it, and a
suspect who was named stays named until another is clearly the likelier.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from engine.model import (
    RESOURCES,
    Blame,
    Cause,
    Evidence,
    Held,
    HostSample,
    Line,
    Resource,
    Sample,
    StallMeasure,
    Suspect,
)
from engine.watch.blame.confidence import SURE
from engine.watch.blame.held import held
from engine.watch.blame.parties import Parties
from engine.watch.blame.suspects import SHOWN, Inquiry, inquire
from engine.watch.blame.window import Tick, Window

LASTING = 5  # ticks whose mean is the stall
BEGIN: dict[Resource, float] = {"cpu": 0.2, "memory": 0.1, "io": 0.2}
"""Of that mean: a verdict begins; it ends below half of it. Who waits for memory is the slower for longer than it
waits: what it lost has to be fetched again.
"""
MARGIN = 0.1  # of confidence by which another must be likelier than who was named
FULL = 0.85  # share of the machine's cores in use from which it is full
CONTENDED = 0.7  # and from which one can take it from another: a tick has calm moments beside the full ones
OWN = 0.5  # share of all use, from which a cgroup is its own neighbour
WORK = 40_000  # looks at one cgroup's use in one tick, all inquiries of a tick together: some 10 ms
STALE = 30.0  # seconds; a hole in the ticks from which nothing before it counts


class Ruling(NamedTuple):
    """A verdict that began or ended."""

    verdict: Blame
    begins: bool


class Judge:
    """Keeps the last minute and the verdicts of now."""

    def __init__(self, rest: bool = True) -> None:
        """Without `rest`, what runs in no watched cgroup is no suspect."""
        self.verdicts: dict[str, list[Blame]] = {}
        self._window = Window(rest)
        self._recent = dict[str, deque[Sample]]()  # of those that stall
        self._open = dict[tuple[str, Resource], Blame]()
        self._judged = dict[tuple[str, Resource], float]()  # when, by the clock of the ticks

    def tick(
        self,
        at: float,
        interval: float,
        host: HostSample,
        samples: Mapping[str, Sample],
        parties: Parties,
    ) -> list[Ruling]:
        """Take in one tick, of which the `interval` is the length; what began and ended with it."""
        window = self._window.ticks
        if window and not 0 <= at - window[-1].at < STALE:
            window.clear()
        tick = self._window.add(at, interval, host, samples, parties.parent_of)
        self._remember(tick, samples)
        rulings = self._end(samples)
        left = WORK
        for key, stall in self._due(tick, samples, parties):
            if left <= 0:
                break
            id, resource = key
            left -= sum(len(one.use[resource]) for one in window)
            inquiry = inquire(resource, id, list(window), parties)
            hold = held(resource, list(self._recent.get(id, ())), parties.limits(id), host)
            before = self._open.get(key)
            measured: StallMeasure = (
                "run queue" if resource == "cpu" and samples[id].cpu_some is None else "psi"
            )
            verdict = Blame(
                id=id,
                name=parties.name(id),
                resource=resource,
                cause=_cause(resource, inquiry, hold),
                stall=stall,
                since=before.since if before else at,
                measure=measured,
                held=hold,
                suspects=_steady(inquiry.suspects, before)[:SHOWN],
                busy=inquiry.busy,
                usage=inquiry.usage,
            )
            self._open[key], self._judged[key] = verdict, at
            if before is None:
                rulings.append(Ruling(verdict, True))
        self._publish()
        return rulings

    def evidence(self, id: str, resource: Resource, parties: Parties, also: Iterable[str] = ()) -> Evidence:
        """The last minute of one victim and its suspects, and of `also`; whether it stalls now or not."""
        ticks = list(self._window.ticks)
        lines = []
        if ticks:
            found = inquire(resource, id, ticks, parties, also).suspects
            shown = [suspect for place, suspect in enumerate(found) if place < SHOWN or suspect.id in also]
            lines = [
                Line(suspect=suspect, use=[tick.use[resource].get(suspect.id, 0.0) for tick in ticks])
                for suspect in shown
            ]
        return Evidence(
            id=id,
            name=parties.name(id),
            resource=resource,
            at=[tick.at for tick in ticks],
            stall=[tick.stall[resource].get(id, 0.0) for tick in ticks],
            lines=lines,
            blame=self._open.get((id, resource)),
        )

    def _remember(self, tick: Tick, samples: Mapping[str, Sample]) -> None:
        """Keep the latest samples of those that stall now or have a verdict."""
        stalled = {id for resource in RESOURCES for id in tick.stall[resource]} | {id for id, _ in self._open}
        for id in self._recent.keys() - stalled:
            del self._recent[id]
        for id in stalled:
            if id in samples:
                self._recent.setdefault(id, deque(maxlen=LASTING)).append(samples[id])

    def _mean(self, id: str, resource: Resource) -> float:
        """Of the last ticks; one that was not there yet counts as none."""
        latest = list(self._window.ticks)[-LASTING:]
        return sum(tick.stall[resource].get(id, 0.0) for tick in latest) / LASTING

    def _end(self, samples: Mapping[str, Sample]) -> list[Ruling]:
        over = [key for key in self._open if key[0] not in samples or self._mean(*key) < BEGIN[key[1]] / 2]
        rulings = []
        for key in over:
            rulings.append(Ruling(self._open.pop(key), False))
            self._judged.pop(key, None)
        return rulings

    def _due(
        self, tick: Tick, samples: Mapping[str, Sample], parties: Parties
    ) -> list[tuple[tuple[str, Resource], float]]:
        """Those to be judged now with their stalls: longest ago first, then the worst.

        A cgroup that others lie in stalls when they do: they are judged, not it.
        """
        found = []
        for resource in RESOURCES:
            stalls = {id: self._mean(id, resource) for id in tick.stall[resource] if id in samples}
            stalls.update(
                {id: self._mean(id, of) for id, of in self._open if of == resource and id in samples}
            )
            outer = {parties.parent_of(id) for id, stall in stalls.items() if stall >= BEGIN[resource] / 2}
            for id, stall in stalls.items():
                if id not in outer and ((id, resource) in self._open or stall >= BEGIN[resource]):
                    found.append(((id, resource), stall))
        return sorted(found, key=lambda one: (self._judged.get(one[0], 0.0), -one[1]))

    def _publish(self) -> None:
        verdicts = dict[str, list[Blame]]()
        for (id, _), verdict in self._open.items():
            verdicts.setdefault(id, []).append(verdict)
        for found in verdicts.values():
            found.sort(key=lambda verdict: -verdict.stall)
        self.verdicts = verdicts


def _cause(resource: Resource, inquiry: Inquiry, hold: Held | None) -> Cause:
    if hold is not None:
        return "limit"
    if inquiry.own_share >= OWN:
        return "itself"
    contended = resource != "cpu" or inquiry.cornered or inquiry.busy is None or inquiry.busy >= CONTENDED
    if contended and inquiry.suspects and inquiry.suspects[0].confidence >= SURE:
        return "neighbour"
    if resource == "cpu" and (inquiry.busy or 0.0) < FULL:
        return "unclear"
    return "host" if inquiry.suspects else "unclear"


def _steady(suspects: list[Suspect], before: Blame | None) -> list[Suspect]:
    """The same order, but for who was named last time, unless another is clearly the likelier by now."""
    if before is None or not before.suspects or not suspects:
        return suspects
    named = next((suspect for suspect in suspects if suspect.id == before.suspects[0].id), None)
    if named is None or named is suspects[0] or suspects[0].confidence - named.confidence >= MARGIN:
        return suspects
    return [named, *(suspect for suspect in suspects if suspect is not named)]
