"""Acting on what is not tiffin's, in words: the question that names it and whose it is, and what was done."""

from __future__ import annotations

from engine.model import Group, GroupApplied
from tui.presentation.groups import whose
from tui.presentation.limits import differences
from tui.presentation.text import harmless_lines


def question(what: str, group: Group, then: str) -> str:
    """Whether to do it: "Freeze docker's container web?", its path, and what comes of it."""
    return harmless_lines(f"{what} {whose(group)}?\n{group.path}\nIt is not tiffin's. {then}")


def freezing(group: Group) -> str:
    """Whether to freeze it, or to thaw what is frozen."""
    verb, then = ("Thaw", "let go on") if group.frozen else ("Freeze", "stand still until it is thawed")
    return question(verb, group, f"{_processes(group)} {then}.")


def changing(group: Group, then: str = "") -> str:
    """Whether to change its limits."""
    return question("Change the limits of", group, f"{then}u puts it back.")


def said(done: GroupApplied) -> str:
    """What became of it: "web: cpus ∞ → 0.5"."""
    told = differences(done.before, done.after)
    if done.was_frozen != done.frozen:
        told.append("frozen" if done.frozen else "thawed")
    return f"{done.name}: {', '.join(told) or 'as it was'}"


def _processes(group: Group) -> str:
    return "Its one process will" if group.processes == 1 else f"Its {group.processes} processes will"
