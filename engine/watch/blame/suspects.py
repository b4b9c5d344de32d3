"""The suspects of one stall, ranked: what each used while the victim waited, and how sure that makes us."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.model import Limits, Resource, Suspect
from engine.watch.blame.confidence import confidence
from engine.watch.blame.evidence import antagonist, share, together
from engine.watch.blame.held import cores_of
from engine.watch.blame.parties import Parties
from engine.watch.blame.window import ParentOf, Tick

HALF_LIFE = 15.0  # seconds after which a tick counts half
LOOKED_AT = 12  # suspects with the most use whose evidence is weighed
SHOWN = 8
IDLE = 0.05  # what a core's use by SCHED_IDLE weighs: it gives way at once, but for cache and boost
NORMAL = 100  # weight


class Inquiry(NamedTuple):
    """One victim's stall: what became known of it."""

    suspects: list[Suspect]
    own_share: float  # of all use, weighed by the stall, the victim's own
    usage: float  # its own use while it waited
    busy: float | None  # share of the machine's cores in use meanwhile
    cornered: bool = False  # it may only use some cores: those can be full while the machine is not


def inquire(
    resource: Resource,
    victim: str,
    ticks: Sequence[Tick],
    parties: Parties,
    also: Iterable[str] = (),
) -> Inquiry:
    """Weigh the evidence of the last ticks, oldest first; that of `also` too, whatever they used."""
    around = _around(victim, parties.parent_of)
    now = ticks[-1].at
    stall = [tick.stall[resource].get(victim, 0.0) for tick in ticks]
    felt = [waited * 0.5 ** ((now - tick.at) / HALF_LIFE) for waited, tick in zip(stall, ticks, strict=True)]
    totals = dict[str, float]()
    for weight, tick in zip(felt, ticks, strict=True):
        if weight > 0:
            for id, used in tick.use[resource].items():
                totals[id] = totals.get(id, 0.0) + weight * used
    whole_felt = sum(felt) or 1.0
    usage = totals.pop(victim, 0.0) / whole_felt
    mine = parties.limits(victim)
    top = sorted(totals, key=totals.__getitem__, reverse=True)[:LOOKED_AT]
    top += [id for id in also if id not in top and id != victim]
    # What is beyond the top is small, and counts in full among all use.
    harm = {
        id: _harm(mine, parties.limits(id)) if resource == "cpu" else 1.0 for id in top if id not in around
    }
    every = [sum(used * harm.get(id, 1.0) for id, used in tick.use[resource].items()) for tick in ticks]
    busy = _busy(felt, ticks) if resource == "cpu" else None
    found = []
    for id, weight in harm.items():
        use = [tick.use[resource].get(id, 0.0) * weight for tick in ticks]
        part, corr, both = share(felt, use, every), antagonist(stall, use), together(stall, use)
        found.append(
            Suspect(
                id=id,
                name=parties.name(id),
                usage=totals.get(id, 0.0) / whole_felt,
                share=round(part, 4),
                correlation=round(corr, 4),
                together=round(both, 4),
                confidence=round(confidence(resource, part, corr, both), 4),
            )
        )
    found.sort(key=lambda suspect: (suspect.confidence, suspect.share), reverse=True)
    own = [tick.use[resource].get(victim, 0.0) for tick in ticks]
    return Inquiry(found, share(felt, own, every), usage, busy, bool(mine.cpuset))


def _harm(victim: Limits, other: Limits) -> float:
    """How much a core's use by another weighs, by what the scheduler lets it take from the victim."""
    if victim.cpuset and other.cpuset and not cores_of(victim.cpuset) & cores_of(other.cpuset):
        return 0.0
    if other.cpu_idle:
        return 1.0 if victim.cpu_idle else IDLE
    mine, his = victim.cpu_weight or NORMAL, other.cpu_weight or NORMAL
    return min(1.0, 2 * his / (his + mine))


def _around(victim: str, parent_of: ParentOf) -> set[str]:
    """The victim and every cgroup it lies in."""
    found = {victim}
    while (victim := parent_of(victim)) and victim not in found:
        found.add(victim)
    return found


def _busy(felt: Sequence[float], ticks: Sequence[Tick]) -> float | None:
    known = [(weight, tick.busy) for weight, tick in zip(felt, ticks, strict=True) if tick.busy is not None]
    total = sum(weight for weight, _ in known)
    return sum(weight * busy for weight, busy in known) / total if total > 0 else None
