"""A recording, and a moment of it, in words: plain text that is Markdown too."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model import Event
from engine.recording import Frame
from engine.recording.minute import OOM, Worst
from engine.recording.summary import Summary, Use
from tui.presentation.quantities import cores, cores_limit, exact_cores, share, size, size_limit
from tui.presentation.text import harmless, width
from tui.presentation.times import clock, duration, local_stamp

WAITS = {"cpu_some": "CPU", "memory_some": "memory", "io_some": "IO"}
ACTIONS = {
    "start": "started", "pause": "paused", "unpause": "went on", "destroy": "was removed",
    "restart": "was restarted",
}  # fmt: skip
USED = (
    "container",
    "CPU",
    "most",
    "stall",
    "most",
    "throttled",
    "memory most",
    "read",
    "written",
    "received",
    "sent",
)
NOW = (
    "container",
    "CPU",
    "limit",
    "stall",
    "throttled",
    "memory",
    "cache",
    "limit",
    "read/s",
    "written/s",
    "procs",
)
SHOWN = 12  # worst moments and containers named in a summary


def worst_text(worst: Worst) -> str:
    """One of the worst moments: "word waited 62% of the time for CPU"."""
    name = harmless(worst.name)
    if worst.kind == OOM:
        return f"{name} ran out of memory"
    if worst.kind == "throttled":
        return f"{name} was held back by its own CPU limit {share(worst.share)} of the time"
    return f"{name} waited {share(worst.share)} of the time for {WAITS.get(worst.kind, worst.kind)}"


def event_text(event: Event) -> str:
    """What happened: "web: cpus max → 0.5", "web started"."""
    name, more = harmless(event.name or event.id[:12]), dict(event.attributes)
    more.pop("image", None)
    match event.action:
        case "update":
            undone = " (undone)" if more.pop("undo", "") else ""
            changes = ", ".join(
                f"{field.replace('_', ' ')} {_limit(field, text)}" for field, text in more.items()
            )
            return f"{name}: {harmless(changes) or 'limits as they were'}{undone}"
        case "oom":
            limit = more.get("limit", "")
            return f"{name} ran out of memory" + (f" at {size(int(limit))}" if limit.isdigit() else "")
        case "die":
            return f"{name} ended with {more.get('exitCode') or 'an unknown status'}"
        case "rename":
            return f"{harmless(more.get('oldName', ''))} is now called {name}"
    return f"{name} {ACTIONS.get(event.action, event.action)}"


def _limit(field: str, text: str) -> str:
    """Bytes as people read them."""
    if field not in ("memory", "memory_high", "swap"):
        return text
    return " → ".join(size(int(part)) if part.isdigit() else part for part in text.split(" → "))


def summary_text(summary: Summary) -> str:
    """The whole recording."""
    span = duration(summary.end - summary.begin)
    busy = "" if summary.cpu is None else f", {cores(summary.cpu)} of {summary.cores} cores busy on average"
    lines = [
        f"# {harmless(summary.hostname)}, {local_stamp(summary.begin)}, {span}",
        "",
        f"{summary.frames} frames of {len(summary.use)} containers{busy}.",
        *(f"Note: {harmless(note)}." for note in summary.notes),
        "",
        "## Worst moments",
        "",
        *(f"- {clock(one.at)}  {worst_text(one)}" for one in summary.worst[:SHOWN]),
    ]
    if not summary.worst:
        lines.append("None: nobody waited for a fifth of the time or more, and nobody ran out of memory.")
    elif len(summary.worst) > SHOWN:
        lines.append(f"- and {len(summary.worst) - SHOWN} more")
    lines += ["", "## Who used most", "", *_table(USED, [_used(one) for one in summary.use[:SHOWN]])]
    if len(summary.use) > SHOWN:
        lines += ["", f"And {len(summary.use) - SHOWN} more."]
    changed = [event for event in summary.events if event.action == "update"]
    lines += ["", "## What was changed", "", *(f"- {clock(e.at)}  {event_text(e)}" for e in changed)]
    if not changed:
        lines.append("No limit.")
    others = [event for event in summary.events if event.action != "update"]
    if others:
        lines += ["", "## What happened", "", *(f"- {clock(e.at)}  {event_text(e)}" for e in others[-50:])]
    return "\n".join(lines)


def _used(use: Use) -> list[str]:
    return [
        harmless(use.name),
        cores(use.cpu),
        cores(use.cpu_most),
        share(use.stall),
        share(use.stall_most),
        share(use.throttled),
        size(use.memory_most),
        size(use.io_read),
        size(use.io_written),
        size(use.net_received),
        size(use.net_sent),
    ]


def moment_text(frame: Frame) -> str:
    """One moment, who used most CPU first."""
    host = frame.host()
    lines = [
        f"# {harmless(frame.header.hostname)} at {local_stamp(frame.at)}",
        "",
        f"{cores(host.cpu)} of {exact_cores(host.cores)} cores busy, some task waited {share(host.cpu_some)} of the"
        f" time for CPU; memory {size(host.memory)} + {size(host.cache)} cache of {size(host.memory_total)}.",
        "",
    ]
    samples = [
        (frame.containers[id], sample) for id in frame.rows if (sample := frame.sample(id)) is not None
    ]
    samples.sort(key=lambda pair: -(pair[1].cpu or 0))
    rows = [
        [
            harmless(container.name),
            cores(sample.cpu),
            cores_limit(container.limits.cpus),
            share(sample.cpu_some),
            share(sample.throttled),
            size(sample.memory),
            size(sample.cache),
            size_limit(container.limits.memory),
            size(sample.io_read),
            size(sample.io_write),
            "–" if sample.pids is None else str(sample.pids),
        ]
        for container, sample in samples[: 3 * SHOWN]
    ]
    lines += _table(NOW, rows)
    lines += ["", *(f"- {clock(event.at)}  {event_text(event)}" for event in frame.events)]
    return "\n".join(lines).rstrip()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table that is aligned as text too."""
    if not rows:
        return ["Nobody ran."]
    lines = [list(header), *(list(row) for row in rows)]
    wide = [max(width(line[column]) for line in lines) for column in range(len(header))]
    ruler = "|".join("-" * (w + 1) + ("-" if n == 0 else ":") for n, w in enumerate(wide))
    texts = [
        " | ".join(
            cell + " " * (w - width(cell)) if n == 0 else " " * (w - width(cell)) + cell
            for n, (cell, w) in enumerate(zip(line, wide, strict=True))
        )
        for line in lines
    ]
    return [f"| {texts[0]} |", f"|{ruler}|", *(f"| {text} |" for text in texts[1:])]
