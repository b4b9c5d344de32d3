"""Two texts, line against line; pure. What differs within a line is marked too."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

import msgspec

CONTEXT = 3  # same lines shown around what differs
MOST = 20_000  # lines of a text that are compared
CLOSE = 400  # characters up to which two lines are compared within
TAB = 4

Span = tuple[int, int]


class Side(msgspec.Struct, frozen=True):
    """A line of one of the texts."""

    number: int  # from 1
    text: str
    spans: tuple[Span, ...] = ()  # what of it differs from the other's


class Pair(msgspec.Struct, frozen=True):
    """What is in one row: a line of each text, or of one; or so many same lines left out."""

    kind: Literal["same", "changed", "removed", "added", "left out"]
    left: Side | None = None
    right: Side | None = None
    count: int = 0


def lines(text: str) -> list[str]:
    """A text's lines, tabs made blanks."""
    return [line.expandtabs(TAB) for line in text.splitlines()[:MOST]]


def compare(before: Sequence[str], after: Sequence[str]) -> list[Pair]:
    """All lines of both, those that belong together in one row."""
    pairs: list[Pair] = []
    matcher = SequenceMatcher(None, before, after, autojunk=len(before) + len(after) > 2_000)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            pairs += [
                Pair("same", Side(a0 + n + 1, before[a0 + n]), Side(b0 + n + 1, after[b0 + n]))
                for n in range(a1 - a0)
            ]
            continue
        both = min(a1 - a0, b1 - b0)
        pairs += [_changed(a0 + n, before[a0 + n], b0 + n, after[b0 + n]) for n in range(both)]
        pairs += [Pair("removed", Side(n + 1, before[n])) for n in range(a0 + both, a1)]
        pairs += [Pair("added", None, Side(n + 1, after[n])) for n in range(b0 + both, b1)]
    return pairs


def _changed(a: int, before: str, b: int, after: str) -> Pair:
    if len(before) + len(after) > CLOSE:
        return Pair("changed", Side(a + 1, before), Side(b + 1, after))
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < 0.4:  # another line altogether: marking letters would only confuse
        return Pair("changed", Side(a + 1, before), Side(b + 1, after))
    parts = [part for part in matcher.get_opcodes() if part[0] != "equal"]
    left = tuple((a0, a1) for _, a0, a1, _, _ in parts if a0 < a1)
    right = tuple((b0, b1) for _, _, _, b0, b1 in parts if b0 < b1)
    return Pair("changed", Side(a + 1, before, left), Side(b + 1, after, right))


def without_same(pairs: Sequence[Pair], context: int = CONTEXT) -> list[Pair]:
    """Only what differs and a few lines around it; a row says how many were left out."""
    near = [False] * len(pairs)
    for place, pair in enumerate(pairs):
        if pair.kind != "same":
            for other in range(max(0, place - context), min(len(pairs), place + context + 1)):
                near[other] = True
    out: list[Pair] = []
    skipped = 0
    for place, pair in enumerate(pairs):
        if near[place]:
            if skipped:
                out.append(Pair("left out", count=skipped))
            skipped = 0
            out.append(pair)
        else:
            skipped += 1
    return [*out, Pair("left out", count=skipped)] if skipped else out


def unified(pairs: Sequence[Pair]) -> list[Pair]:
    """The same in one column: a changed line is a removed and an added one, runs of them kept together."""
    out: list[Pair] = []
    removed: list[Pair] = []
    added: list[Pair] = []
    for pair in pairs:
        if pair.kind == "changed":
            removed.append(Pair("removed", pair.left))
            added.append(Pair("added", None, pair.right))
            continue
        if pair.kind in ("removed", "added"):
            (removed if pair.kind == "removed" else added).append(pair)
            continue
        out += [*removed, *added, pair]
        removed, added = [], []
    return [*out, *removed, *added]


def differences(pairs: Sequence[Pair]) -> list[int]:
    """The rows in which a run of differing lines begins."""
    return [
        place
        for place, pair in enumerate(pairs)
        if pair.kind in ("changed", "removed", "added")
        and (not place or pairs[place - 1].kind in ("same", "left out"))
    ]


def counts(pairs: Sequence[Pair]) -> tuple[int, int]:
    """Lines taken away and lines put in."""
    return (
        sum(1 for pair in pairs if pair.kind in ("changed", "removed")),
        sum(1 for pair in pairs if pair.kind in ("changed", "added")),
    )
