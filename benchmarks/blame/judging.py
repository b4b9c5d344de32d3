"""A trace put before the judge, and what is to be said of his verdict."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.blame.trace import Trace
from engine.model import REST, Blame, ContainerState, ContainerSummary, Suspect
from engine.watch.blame import Judge, Parties


class Outcome(NamedTuple):
    """One trace judged."""

    trace: Trace
    verdict: Blame | None  # on the victim, about the resource of the scenario; the last one while it stalled
    first: str  # the likeliest suspect among the scenario's own cgroups
    accused: set[str]  # those named as the cause of somebody's stall, at any time
    weighed: list[
        tuple[Suspect, bool]
    ]  # every suspect of every verdict on the victim, and whether it was a hog

    @property
    def right(self) -> bool:
        """Whether it is what the plan made true."""
        match self.trace.kind:
            case "hogs":
                return self.first in self.trace.hogs
            case "limit":
                return self.verdict is not None and self.verdict.cause == "limit"
            case "quiet":
                return not self.accused

    @property
    def void(self) -> bool:
        """Whether there was nothing to judge: the hogs did not reach the victim."""
        return self.trace.kind != "quiet" and self.verdict is None


def judge(trace: Trace, rest: bool = True) -> Outcome:
    """Tick by tick, as the engine would; or without the `rest` of the machine, whose culprits nobody knows."""
    judge, verdict, accused = Judge(rest), None, set[str]()
    weighed = list[tuple[Suspect, bool]]()
    parties = parties_of(trace)
    for at, host, samples in trace.samples():
        judge.tick(at, trace.interval, host, samples, parties)
        for found in judge.verdicts.values():
            accused |= {one.accused.id for one in found if one.accused is not None and one.accused.id != REST}
        for one in judge.verdicts.get("victim", []):
            if one.resource == trace.resource:
                verdict = one
                weighed += [(suspect, suspect.id in trace.hogs) for suspect in one.suspects]
    own = [suspect.id for suspect in verdict.suspects if suspect.id != REST] if verdict else []
    return Outcome(trace, verdict, own[0] if own else "", accused, weighed)


def parties_of(trace: Trace) -> Parties:
    """Its actors as containers."""
    names = {id for tick in trace.ticks for id in tick.samples}
    return Parties({name: _summary(name, trace) for name in names})


def _summary(name: str, trace: Trace) -> ContainerSummary:
    limits = trace.limits.get(name)
    more = {"limits": limits} if limits else {}
    return ContainerSummary(
        id=name, name=name, image="", image_id="", command="", created_at=0, state=ContainerState(), **more
    )


def told(outcome: Outcome) -> str:
    """One line of it."""
    trace, verdict = outcome.trace, outcome.verdict
    how = "void" if outcome.void else "right" if outcome.right else "WRONG"
    stall = f"stall {verdict.stall:.2f} {verdict.cause}" if verdict else "no stall"
    return (
        f"{trace.seed:4} {trace.kind:6} {trace.resource:6} {how:5} hogs {','.join(trace.hogs) or '–':14} "
        f"first {outcome.first or '–':7} {stall:20} accused {','.join(sorted(outcome.accused)) or '–'}"
    )
