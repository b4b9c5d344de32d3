"""What can come next on a command line: the hidden `tiffin __complete WORD…`, which the shells' scripts call.

The last word is the one under the cursor, perhaps empty. One candidate a line, after it a tab and its
description where there is one; nothing at all where nothing is known or anything fails. It never starts an
engine.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Sequence

from engine.client import EngineClient
from engine.instance import find
from tui.cli.parser import Parser
from tui.cli.verbs import VERBS

Candidate = tuple[str, str]  # word, description

STATES = {
    "running": ("running", "paused", "restarting"),
    "paused": ("paused",),
    "stopped": ("created", "exited", "dead"),
}
FILES = ":files"  # asks the shell for its own completion of file names


def answer(words: Sequence[str]) -> int:
    """Print the candidates for the last of `words`."""
    try:
        found = list(candidates(words))
    except Exception:  # noqa: BLE001 - a message would land in the middle of somebody's typing
        return 0
    for word, description in found:
        print(f"{word}\t{description}" if description else word)
    return 0


def candidates(words: Sequence[str]) -> Iterator[Candidate]:
    """The words that could stand where the last one stands."""
    from tui.cli.main import parser_of

    *before, current = words or [""]
    place = _Place(before)
    verb = place.verb
    if verb is None:
        yield from _matching(current, ((name, known.summary) for name, known in VERBS.items()))
        yield from _matching(current, [("--root", "choose an instance"), ("--version", ""), ("--help", "")])
    elif verb in VERBS:
        yield from _of_verb(parser_of(verb), place.words, current, place.root)


class _Place:
    """The words before the cursor, taken apart: --root, the verb, and what follows it."""

    def __init__(self, words: list[str]) -> None:
        self.root: str | None = None
        self.verb: str | None = None
        self.words: list[str] = []
        rest = iter(words)
        for word in rest:
            if word == "--root":
                self.root = next(rest, None)
            elif word.startswith("--root="):
                self.root = word.partition("=")[2]
            elif self.verb is None and not word.startswith("-"):
                self.verb = word
            elif self.verb is not None:
                self.words.append(word)


def _of_verb(parser: Parser, words: list[str], current: str, root: str | None) -> Iterator[Candidate]:
    if parser.subverbs:
        if not words:
            yield from _matching(
                current, ((name, sub.description or "") for name, sub in parser.subverbs.items())
            )
        elif words[0] in parser.subverbs:
            yield from _of_verb(parser.subverbs[words[0]], words[1:], current, root)
        return
    flags = {flag: action for action in parser.actions for flag in action.option_strings}
    operands = [action for action in parser.actions if not action.option_strings]
    ends = any(action.nargs == argparse.REMAINDER for action in operands)
    given, pending = _given(words, flags, ends)
    if pending:
        yield from _values(parser.completes.get(pending.dest, ""), current, root)
        return
    flag, equals, value = current.partition("=")
    if equals and flag in flags:
        kind = parser.completes.get(flags[flag].dest, "")
        yield from (
            (f"{flag}={word}" if word != FILES else word, text) for word, text in _values(kind, value, root)
        )
        return
    operand = _operand(operands, given)
    if operand and operand.nargs == argparse.REMAINDER:
        yield FILES, ""  # the program's own words
    elif current.startswith("-"):
        yield from _matching(current, ((flag, action.help or "") for flag, action in flags.items()))
    elif operand:
        yield from _values(parser.completes.get(operand.dest, ""), current, root)


def _given(
    words: list[str], flags: dict[str, argparse.Action], ends: bool
) -> tuple[int, argparse.Action | None]:
    """How many operands there are, and the flag whose value comes next, if one does.

    `ends` says that after the first operand nothing is a flag of tiffin's.
    """
    count = 0
    pending: argparse.Action | None = None
    for word in words:
        if pending:
            pending = None
        elif word.startswith("-") and len(word) > 1 and not (ends and count):
            last = word if word.startswith("--") else f"-{word[-1]}"  # -it: the last letter may take a value
            action = flags.get(last)
            pending = action if action and action.nargs is None and "=" not in word else None
        else:
            count += 1
    return count, pending


def _operand(operands: list[argparse.Action], given: int) -> argparse.Action | None:
    for place, action in enumerate(operands):
        if place == given or action.nargs in ("+", "*", argparse.REMAINDER):
            return action
    return None


def _matching(current: str, words: Iterator[Candidate] | list[Candidate]) -> Iterator[Candidate]:
    return (one for one in words if one[0].startswith(current))


def _values(kind: str, current: str, root: str | None) -> Iterator[Candidate]:
    match kind:
        case "":
            return
        case "file" | "folder":
            yield FILES, ""
        case "signal":
            yield from _matching(current, [(one.name, "") for one in signal.Signals])
        case "restart":
            words = ("no", "on-failure", "always", "unless-stopped")
            yield from _matching(current, [(word, "") for word in words])
        case "shell":
            yield from _matching(current, [(word, "") for word in ("bash", "zsh", "fish")])
        case _:
            yield from _matching(current, list(_names(kind, root)))
            if kind == "cp":
                yield FILES, ""


def _names(kind: str, root: str | None) -> Iterator[Candidate]:
    client = EngineClient(find(root))
    if kind == "demo":
        yield from ((one.name, one.title) for one in client.scenarios())
        return
    if kind in ("image", "inspectable"):
        names = (name for image in client.images() for name in image.names)
        yield from ((name.removesuffix(":latest"), "image") for name in names)
    if kind == "network":
        yield from ((network.name, network.driver) for network in client.networks())
    elif kind == "volume":
        yield from ((volume.name, "volume") for volume in client.volumes())
    elif kind != "image":
        for one in client.containers():
            if one.state.status in STATES.get(kind, (one.state.status,)):
                name = f"{one.name}:" if kind == "cp" else one.name
                yield name, f"{one.image}, {one.state.status}"
