"""A Containerfile's text becomes instructions: directives, comments, continued lines, heredocs, flags.

The format is Docker's: https://docs.docker.com/reference/dockerfile/. Nothing is evaluated here; every refusal names
the file and the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from engine.errors import BadRequest

LARGEST = 1 << 20  # characters of a Containerfile

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_FLAG = re.compile(r"--([a-z][a-z0-9-]*)(?:=(\S*))?(?:\s+|$)")
_HEREDOC = re.compile(r"""(?<![<\w'"])\d*<<(-?)(['"]?)([A-Za-z_][A-Za-z0-9_.]*)\2(?=\s|$|[;|&>)])""")

# What may follow each keyword: its flags. Those of BuildKit that are not here are refused by name.
FLAGS: Mapping[str, frozenset[str]] = {
    "ADD": frozenset({"chown", "chmod"}),
    "ARG": frozenset(),
    "CMD": frozenset(),
    "COPY": frozenset({"from", "chown", "chmod"}),
    "ENTRYPOINT": frozenset(),
    "ENV": frozenset(),
    "EXPOSE": frozenset(),
    "FROM": frozenset({"platform"}),
    "HEALTHCHECK": frozenset({"interval", "timeout", "start-period", "start-interval", "retries"}),
    "LABEL": frozenset(),
    "MAINTAINER": frozenset(),
    "ONBUILD": frozenset(),
    "RUN": frozenset(),
    "SHELL": frozenset(),
    "STOPSIGNAL": frozenset(),
    "USER": frozenset(),
    "VOLUME": frozenset(),
    "WORKDIR": frozenset(),
}
HEREDOCS = ("RUN", "COPY", "ADD")


class Place(NamedTuple):
    """Where an instruction is written."""

    file: str
    line: int

    def wrong(self, what: str, remedy: str = "") -> BadRequest:
        """The error for what is written here."""
        return BadRequest(f"{self.file}:{self.line}: {what}", remedy)


class Heredoc(NamedTuple):
    """A text that follows its instruction on lines of its own."""

    name: str
    text: str
    expand: bool  # whether variables in it are replaced: its name was not quoted


class Instruction(NamedTuple):
    """One instruction as written, continued lines joined."""

    place: Place
    keyword: str  # in capitals
    flags: dict[str, str]
    text: str  # what follows the flags
    heredocs: Sequence[Heredoc] = ()

    @property
    def words(self) -> list[str] | None:
        """The strings of its JSON form (`["a", "b"]`); None where it is not written so."""
        if not self.text.startswith("["):
            return None
        try:
            value = json.loads(self.text)
        except ValueError:
            return None
        return value if isinstance(value, list) and all(isinstance(word, str) for word in value) else None

    @property
    def shown(self) -> str:
        """On one line, as progress and history show it."""
        flags = [f"--{name}={value}" for name, value in self.flags.items()]
        return " ".join([self.keyword, *flags, " ".join(self.text.split())])


class Source(NamedTuple):
    """A whole Containerfile."""

    file: str
    instructions: list[Instruction]
    escape: str  # the character that continues a line and takes a character's meaning away


def read(text: str, file: str = "Containerfile") -> Source:
    """All instructions of a Containerfile; raises BadRequest."""
    if len(text) > LARGEST:
        raise BadRequest(f"{file} has {len(text)} characters; at most {LARGEST} are read", "shorten it")
    if "\0" in text:
        raise BadRequest(f"{file} has a zero byte: it is no text", "name a Containerfile with --file")
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    escape = _escape(lines, file)
    instructions = list(_instructions(lines, file, escape))
    if not instructions:
        raise BadRequest(f"{file} has no instruction in it", "begin it with FROM")
    return Source(file, instructions, escape)


def read_one(text: str, place: Place) -> Instruction:
    """The instruction on one line, such as ONBUILD's; raises BadRequest."""
    return _parse(text, place, [])


def _escape(lines: list[str], file: str) -> str:
    """What the parser directives at the very top say; `syntax` and others are comments here."""
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not (directive := _DIRECTIVE.fullmatch(line.strip())):
            break
        name, value = directive[1].lower(), directive[2]
        if name in seen and name in ("escape", "syntax"):
            raise Place(file, number).wrong(f"the directive {name} is given twice", "keep one of them")
        seen.add(name)
        if name == "escape":
            if value not in ("\\", "`"):
                raise Place(file, number).wrong(f"escape is {value!r}", "choose \\ or `")
            return value
    return "\\"


def _instructions(lines: list[str], file: str, escape: str) -> Iterator[Instruction]:
    continued = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*$")
    at = 0
    while at < len(lines):
        place, text, more = Place(file, at + 1), "", True
        while more and at < len(lines):
            line = lines[at]
            at += 1
            if line.lstrip().startswith("#") or (text and not line.strip()):
                continue  # comments, and empty lines between continued ones, do not end them
            if not text:
                line = line.lstrip()
                place = Place(file, at)
            more = bool(continued.search(line))
            text += continued.sub("", line) if more else line
        if not text.strip():
            continue
        heredocs = []
        if text.split(None, 1)[0].upper() in HEREDOCS:
            for marker in _HEREDOC.finditer(_outside_json(text)):
                heredoc, at = _heredoc(lines, at, marker, place)
                heredocs.append(heredoc)
        yield _parse(text.strip(), place, heredocs)


def _outside_json(text: str) -> str:
    rest = text.partition(" ")[2].lstrip()
    return "" if rest.startswith("[") else text


def _heredoc(lines: list[str], at: int, marker: re.Match[str], place: Place) -> tuple[Heredoc, int]:
    dash, quote, name = marker.groups()
    found: list[str] = []
    while at < len(lines):
        line = lines[at].lstrip("\t") if dash else lines[at]
        at += 1
        if line == name:
            return Heredoc(name, "".join(f"{text}\n" for text in found), not quote), at
        found.append(line)
    raise place.wrong(f"the heredoc <<{name} has no end", f"put {name} on a line of its own after it")


def _parse(text: str, place: Place, heredocs: list[Heredoc]) -> Instruction:
    word, _, rest = (
        text.replace("\t", " ", 1).partition(" ") if "\t" in text.split(" ")[0] else text.partition(" ")
    )
    keyword, rest = word.upper(), rest.strip()
    if keyword not in FLAGS:
        raise place.wrong(f"{word[:40]!r} is no instruction", f"use one of {', '.join(FLAGS)}")
    flags: dict[str, str] = {}
    while flag := _FLAG.match(rest):
        name, value = flag[1], flag[2] or ""
        if name not in FLAGS[keyword]:
            known = ", ".join(f"--{flag}" for flag in sorted(FLAGS[keyword])) or "none"
            raise place.wrong(f"{keyword} has no flag --{name} here", f"its flags are: {known}")
        if name in flags:
            raise place.wrong(f"{keyword} has --{name} twice", "keep one of them")
        if not value:
            raise place.wrong(f"{keyword} --{name} has no value", f"write --{name}=VALUE")
        flags[name], rest = value, rest[flag.end() :]
    if not rest:
        raise place.wrong(
            f"{keyword} needs something after it", "see https://docs.docker.com/reference/dockerfile/"
        )
    return Instruction(place, keyword, flags, rest, heredocs)
