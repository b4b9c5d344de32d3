"""A container's state as glyph, tone and words; told apart without colour."""

from __future__ import annotations

import signal
from typing import Literal, NamedTuple

from engine.model import ContainerState, Publish
from tui.presentation.quantities import size
from tui.presentation.times import ago, in_words

Tone = Literal["running", "paused", "stopped", "failed", "waiting"]
"""What a theme gives a colour to."""

SUSPECT = "▲"
VICTIM = "▽"


class Look(NamedTuple):
    """How one state is drawn."""

    glyph: str
    tone: Tone


def look(state: ContainerState) -> Look:
    """The glyph and tone of a state; an exit that was asked for is stopped, any other failed."""
    match state.status:
        case "running":
            return Look("●", "running")
        case "paused":
            return Look("◐", "paused")
        case "restarting":
            return Look("↻", "waiting")
        case "created":
            return Look("✕", "failed") if state.error else Look("◌", "stopped")
        case "removing":
            return Look("…", "waiting")
        case "dead":
            return Look("✕", "failed")
        case "exited":
            return Look("✕", "failed") if failed(state) else Look("○", "stopped")


def failed(state: ContainerState) -> bool:
    """Whether it ended as nobody asked: an error, out of memory, a status other than 0, TERM or INT."""
    return state.oom_killed or bool(state.error) or state.exit_code not in (0, 130, 143)


def signal_name(exit_code: int) -> str:
    """The signal behind a status above 128 ("SIGKILL" for 137), empty where there is none."""
    try:
        return signal.Signals(exit_code - 128).name if exit_code > 128 else ""
    except ValueError:
        return ""


def why(state: ContainerState) -> str:
    """Why it is not running, in a few words: "exited 137 · out of memory at 256M"; of one that runs, what is wrong."""
    match state.status:
        case "running" | "paused":
            return state.error
        case "dead":
            return f"dead · {state.error or 'its monitor was killed'}"
        case "created":
            return f"could not start · {state.error}" if state.error else "created, never started"
        case "removing":
            return "being removed"
    word = "restarting" if state.status == "restarting" else "exited"
    pieces = [word if state.exit_code is None else f"{word} {state.exit_code}"]
    if state.oom_killed:
        pieces.append("out of memory" + (f" at {size(state.oom_limit)}" if state.oom_limit else ""))
    elif state.error:
        pieces.append(state.error)
    elif state.exit_code and (name := signal_name(state.exit_code)):
        pieces.append(name)
    return " · ".join(pieces)


def status_line(state: ContainerState, now: float) -> str:
    """Docker's STATUS column: "Up 3 minutes", "Exited (137) 2 hours ago, out of memory at 256M"."""
    up = in_words(max(0.0, now - state.started_at))
    code = "?" if state.exit_code is None else state.exit_code
    match state.status:
        case "running":
            return f"Up {up}, {state.error}" if state.error else f"Up {up}"
        case "paused":
            return f"Up {up} (Paused)"
        case "restarting":
            return f"Restarting ({code}) {ago(state.finished_at, now)}"
        case "created":
            return f"Created, {state.error}" if state.error else "Created"
        case "dead":
            return "Dead, how it ended is not known"
        case "removing":
            return "Removal in progress"
        case "exited":
            line = f"Exited ({code}) {ago(state.finished_at, now)}"
            if state.oom_killed:
                line += ", out of memory" + (f" at {size(state.oom_limit)}" if state.oom_limit else "")
            return line


def port(publish: Publish) -> str:
    """A published port as Docker shows it: "0.0.0.0:8080->80/tcp"."""
    host = f"[{publish.host_ip}]" if ":" in publish.host_ip else publish.host_ip
    return f"{host}:{publish.host_port}->{publish.container_port}/{publish.protocol}"
