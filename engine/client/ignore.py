"""What a build's context leaves out: `.containerignore` and `.dockerignore`, by Docker's rules.

A line is a pattern of a path from the context's top; `*` and `?` stay within one part, `**` crosses any number of
them, `[a-z]` is one of these. A pattern takes what is below a folder along; `!` brings back; the last one that matches
decides. See https://docs.docker.com/build/concepts/context/#dockerignore-files.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

from engine.client.packing import Verdict
from engine.errors import BadRequest


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    text: str
    back: bool  # brings back what an earlier one left out


class Ignore:
    """The rules of one file; `select` is what `packed` asks."""

    def __init__(self, lines: Iterable[str] = (), file: str = ".containerignore") -> None:
        self._rules = [
            rule for number, line in enumerate(lines, 1) if (rule := _rule(line, f"{file}:{number}"))
        ]

    def select(self, path: str) -> Verdict:
        """What to do with a path from the context's top, without a leading slash."""
        ignored = False
        parents = [path]
        while parent := posixpath.dirname(parents[-1]):
            parents.append(parent)
        for rule in self._rules:
            if rule.back == ignored and any(rule.pattern.fullmatch(each) for each in parents):
                ignored = not rule.back
        if not ignored:
            return "take"
        return (
            "look" if any(rule.back and _may_be_below(rule.text, path) for rule in self._rules) else "leave"
        )


def _rule(line: str, where: str) -> _Rule | None:
    text = line.removeprefix("\ufeff").rstrip("\r\n")
    if text.startswith("#") or not (text := text.strip()):
        return None
    back = text.startswith("!")
    text = text[back:].strip()
    if not text:
        raise BadRequest(f"{where}: '!' stands alone", "write what it brings back after it")
    text = posixpath.normpath(text).lstrip("/")
    if text in ("", "."):  # Docker passes over what would leave out everything
        return None
    try:
        return _Rule(re.compile(_translated(text), re.DOTALL), text, back)
    except re.error:
        raise BadRequest(f"{where}: {text!r} is no pattern", "close its '[' with ']'") from None


def _translated(text: str) -> str:
    """The pattern as a regular expression."""
    found, at = "", 0
    while at < len(text):
        char = text[at]
        if text.startswith("**", at):
            at += 2
            if text[at : at + 1] == "/":
                at += 1
            found += "(?:.*/)?" if at < len(text) else ".*"
            continue
        at += 1
        if char == "*":
            found += "[^/]*"
        elif char == "?":
            found += "[^/]"
        elif char == "\\" and at < len(text):
            found += re.escape(text[at])
            at += 1
        elif char == "[":
            end = text.find("]", at + 1)
            if end < 0:
                raise re.error("unclosed")
            inner = text[at:end].replace("[", "\\[").replace("&&", "&\\&")
            found += f"(?!/)[{inner}]"
            at = end + 1
        else:
            found += re.escape(char)
    return found


def _may_be_below(pattern: str, folder: str) -> bool:
    """Whether something below `folder` could match, by the parts before the pattern's first `**`."""
    parts = pattern.split("/")
    for part, name in zip(parts, folder.split("/"), strict=False):
        if "**" in part:
            return True
        if not re.fullmatch(_translated(part), name, re.DOTALL):
            return False
    return len(parts) > folder.count("/") + 1
