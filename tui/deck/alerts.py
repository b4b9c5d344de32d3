"""What is worth a banner: the one thing a person should know now, told with figures the kernel gave."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.model import ContainerSummary
from tui.deck.store import Store, Trace
from tui.presentation.blame import sentence
from tui.presentation.quantities import exact_cores, share
from tui.presentation.states import failed, why

RECENT = 20.0  # seconds for which an end nobody asked for stays in the banner
LASTING = 5.0  # seconds of stall before it is worth a word
STALL = 0.3
HELD_BACK = 0.2  # share of periods throttled from which a container's own limit is to blame
FULL = 0.9  # share of the machine's cores from which it is full


class Alert(msgspec.Struct, frozen=True):
    """One sentence, and which colour it has."""

    text: str
    tone: Literal["failed", "stalled", "warn", "text"]
    id: str = ""  # of the container it is about


def alert(store: Store) -> Alert | None:
    """The most pressing: an engine that is gone, a container that just died, the one that waits most."""
    if store.gone:
        if store.snapshot is None:
            return Alert(store.gone, "failed")
        told = f"{store.gone} · containers run on, their output is kept"
        return Alert(f"{told} · press E to start it", "warn") if store.stopped else Alert(told, "failed")
    if store.snapshot is None:
        return None
    died = [c for c in store.containers.values() if _died(c, store.now)]
    if died:
        last = max(died, key=lambda c: c.state.finished_at)
        return Alert(f"{last.name} {why(last.state)}", "failed", last.id)
    if (blame := store.pressing.blame) is not None:
        act = " · press x to act" if blame.suspects or blame.held else ""
        return Alert(f"{sentence(blame.name, blame)}{act}", "stalled", blame.id)
    waits = [
        (stall, id) for id, trace in store.traces.items() if (stall := _waits(trace, store.now)) >= STALL
    ]
    return _stalled(store, *max(waits)) if waits else None


def _died(container: ContainerSummary, now: float) -> bool:
    state = container.state
    return state.status in ("exited", "dead") and failed(state) and now - state.finished_at < RECENT


def _waits(trace: Trace, now: float) -> float:
    """The mean stall of the last seconds; 0 before there are as many."""
    recent = [
        p.stall
        for p in list(trace.points)[-int(LASTING) - 2 :]
        if p.at > now - LASTING and p.stall is not None
    ]
    return sum(recent) / len(recent) if len(recent) >= LASTING - 1 else 0.0


def _stalled(store: Store, stall: float, id: str) -> Alert:
    container, sample, host = store.containers[id], store.sample(id), store.host
    causes = []
    if (sample.throttled or 0.0) >= HELD_BACK and container.limits.cpus:
        causes.append(f"its own limit of {exact_cores(container.limits.cpus)} cores holds it back")
    if host.cpu is not None and host.cpu >= FULL * host.cores:
        causes.append(f"the machine is full, {host.cpu:.2f} of {host.cores} cores")
    because = f" · {' and '.join(causes)}" if causes else ""
    return Alert(f"{container.name} waits {share(stall)} of the time for CPU{because}", "stalled", id)
