"""What the suspects screen shows, as charts and lines of text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.model import (
    GROUP_PREFIX,
    REST,
    Evidence,
    Held,
    HostSample,
    IoLimit,
    LimitsChange,
    Proof,
    Resource,
    Suspect,
)
from tui.deck.draw.chart import Chart, nice
from tui.deck.draw.line import Line, Row
from tui.deck.suspects.remedies import Remedy
from tui.deck.theme import Palette
from tui.presentation.blame import WAITS_FOR, certainty, percent
from tui.presentation.quantities import cores, rate, share, size
from tui.presentation.text import clip, harmless, pad
from tui.presentation.times import duration

SETTLING = 1.5  # seconds after a change that still show what was before it
LOOK_BACK = 10.0
NAME, DOES = 13, 42


class Effect(msgspec.Struct, frozen=True):
    """Something done here, and the victim's stall until then."""

    at: float
    what: str
    before: float


def charts(evidence: Evidence, current: str, host: HostSample) -> list[Chart]:
    """The victim's stall above each suspect's use, all on one axis of time and the suspects on one scale."""
    newest = evidence.stall[-1] if evidence.stall else None
    stall = Chart(
        f"▽ {harmless(evidence.name)}",
        f"{share(newest)} stall",
        list(zip(evidence.at, evidence.stall, strict=True)),
        1.0,
        "100%",
        ink="stalled",
        tall=True,
        tone="stalled",
    )
    most = max((max(line.use, default=0.0) for line in evidence.lines), default=0.0)
    scale = (
        float(host.cores)
        if evidence.resource == "cpu"
        else nice(most, 1024 if evidence.resource == "memory" else 0.01)
    )
    found = [stall]
    for line in evidence.lines:
        suspect = line.suspect
        chosen = suspect.id == current
        found.append(
            Chart(
                f"{'▸' if chosen else ' '} {harmless(suspect.name)}",
                f"{amount(evidence.resource, line.use[-1] if line.use else 0.0)} {certainty(suspect.confidence)}",
                list(zip(evidence.at, line.use, strict=True)),
                scale,
                _top(evidence.resource, scale),
                ink="warn" if chosen else "used",
                tone="selected" if chosen else "text",
            )
        )
    return found


def amount(resource: Resource, used: float) -> str:
    """Use in its unit."""
    return cores(used) if resource == "cpu" else rate(used) if resource == "memory" else percent(used)


def _top(resource: Resource, scale: float) -> str:
    return f"{scale:.0f}" if resource == "cpu" else size(scale) if resource == "memory" else share(scale)


def proof(told: Proof) -> str:
    """What came of a proof, in a sentence."""
    with_and_without = (
        f"{told.victim} stalls {percent(told.running)} with {told.suspect} running, "
        f"{percent(told.frozen)} with it frozen"
    )
    if told.share is None:
        return f"{with_and_without}: nothing to share out, it did not stall meanwhile"
    error = f" ± {told.error * 100:.0f}" if told.error is not None else ""
    sure = ""
    if told.error is not None and told.share <= told.error:
        sure = ", which may be chance; prove it again"
    return f"{with_and_without}: {told.share * 100:.0f}{error} % of the stall is its{sure}"


def effect(done: Effect, evidence: Evidence) -> str:
    """What was done and what became of the stall."""
    after = [
        waited for at, waited in zip(evidence.at, evidence.stall, strict=True) if at > done.at + SETTLING
    ]
    if not after:
        return f"{done.what} · before {percent(done.before)} · measuring …"
    latest = after[-int(LOOK_BACK) :]
    seconds = evidence.at[-1] - done.at
    now = sum(latest) / len(latest)
    waits = f"{WAITS_FOR[evidence.resource]} before {percent(done.before)}, since {percent(now)}"
    return f"{done.what} · {waits} ({duration(seconds)})"


def mean_stall(evidence: Evidence) -> float:
    """Over the last seconds."""
    latest = evidence.stall[-int(LOOK_BACK) :]
    return sum(latest) / len(latest) if latest else 0.0


def what_can_be_done(
    found: Sequence[Remedy], suspect: Suspect | None, foreign: bool, wide: int, palette: Palette
) -> list[Line]:
    """The remedies with their keys and prices."""
    quiet, plain = palette.style("muted"), palette.style("text")
    key = palette.style("selected", bold=True)
    if suspect is None:
        return [Row().add(" nobody used enough of it to be a suspect", quiet).segments]
    if suspect.id == REST:
        text = " no limit can be set on what runs in no cgroup of its own: kernel threads, or a machine without systemd"
        return [Row().add(clip(text, wide), quiet).segments]
    title = Row().add(clip(f" what can be done about {harmless(suspect.name)}", wide - 30), plain)
    title.add("  figures: docs/attribution.md", quiet)
    lines = [title.segments]
    for place, remedy in enumerate(found, 1):
        row = Row().add(f"  {place} ", key).add(pad(remedy.name, NAME), plain)
        row.add(pad(remedy.does, min(DOES, max(10, wide - row.cells - 2))), quiet)
        if wide - row.cells > 24:
            row.add(clip(f"  {remedy.price}", wide - row.cells), quiet)
        lines.append(row.segments)
    if foreign:
        path = harmless(suspect.id.removeprefix(GROUP_PREFIX))
        lines.append(
            Row().add(clip(f"  not tiffin's, so each asks first and names it: {path}", wide), quiet).segments
        )
    return lines


def lifting(held: Held) -> LimitsChange | None:
    """The change that gives a victim what its own limit keeps from it; None for what has no better value."""
    match held.limit:
        case "cpus":
            return LimitsChange(cpus=held.advice)
        case "cpu_idle":
            return LimitsChange(cpu_idle=False)
        case "cpuset":
            return LimitsChange(cpuset=None)
        case "memory":
            return LimitsChange(memory=int(held.advice))
        case "memory_high":
            return LimitsChange(memory_high=int(held.advice))
        case _ if held.device:
            return LimitsChange(io={held.device: IoLimit(**{held.limit: int(held.advice)})})
    return None
