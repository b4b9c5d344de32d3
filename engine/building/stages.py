"""The stages of a Containerfile: which there are, on what each builds, and which are needed for the last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.building import words
from engine.building.reading import Instruction, Place, Source
from engine.errors import BadRequest

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
TRIGGERLESS = ("ONBUILD", "FROM", "MAINTAINER")  # what ONBUILD may not hold


@dataclass
class Stage:
    """One FROM and what follows it."""

    index: int
    name: str
    base: str  # an image's name, "scratch", or a stage's name or number
    platform: str
    place: Place
    instructions: list[Instruction] = field(default_factory=list)
    parent: Stage | None = None  # where `base` is a stage
    needs: list[Stage] = field(default_factory=list)  # the stages it builds on or copies from

    @property
    def label(self) -> str:
        """What to call it."""
        return self.name or str(self.index)


@dataclass
class Plan:
    """The stages that are needed, in the order to build them; the last is the one that is wanted."""

    stages: list[Stage]
    names: dict[str, Stage]  # by name and number, of all
    defaults: dict[str, str]  # of the ARGs before the first FROM


def plan(source: Source, args: Mapping[str, str], predefined: Mapping[str, str], target: str = "") -> Plan:
    """Divide a Containerfile into its stages; `args` are the user's. Raises BadRequest."""
    defaults: dict[str, str] = {}
    stages: list[Stage] = []
    names: dict[str, Stage] = {}
    for instruction in source.instructions:
        check(instruction, source.escape)
        if instruction.keyword == "FROM":
            stage = _stage(instruction, len(stages), {**predefined, **defaults}, source.escape, names)
            stages.append(stage)
            names[str(stage.index)] = stage
            if stage.name:
                names[stage.name] = stage
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.keyword == "ARG":
            for name, default in arguments(instruction, {**predefined, **defaults}, source.escape):
                if (value := args.get(name, default)) is not None:
                    defaults[name] = value
        else:
            raise instruction.place.wrong(
                f"{instruction.keyword} comes before the first FROM",
                "begin with FROM; only ARG may precede it",
            )
    if not stages:
        raise source.instructions[-1].place.wrong(
            "there is no FROM", "name the image to build on: FROM IMAGE"
        )
    for stage in stages:
        _link(stage, names)
    wanted = stages[-1]
    if target:
        if target.lower() not in names:
            known = ", ".join(stage.label for stage in stages)
            raise BadRequest(f"--target: {source.file} has no stage {target!r}", f"its stages are: {known}")
        wanted = names[target.lower()]
    return Plan(_ordered(wanted), names, defaults)


def _stage(
    instruction: Instruction,
    index: int,
    variables: Mapping[str, str],
    escape: str,
    names: Mapping[str, Stage],
) -> Stage:
    place = instruction.place
    parts = instruction.text.split()
    name = ""
    if len(parts) == 3 and parts[1].upper() == "AS":
        name = parts[2].lower()
        if not _NAME.fullmatch(name):
            raise place.wrong(
                f"{parts[2]!r} cannot be a stage's name", "begin with a letter; then a-z 0-9 _ . -"
            )
        if name in names:
            raise place.wrong(f"there is a stage {name!r} already", "choose another name")
    elif len(parts) != 1:
        raise place.wrong(
            f"FROM {instruction.text[:60]}: not understood", "write FROM IMAGE or FROM IMAGE AS NAME"
        )
    base = expanded(place, parts[0], variables, escape)
    if not base:
        raise place.wrong(
            f"FROM {parts[0]}: the name of the image is empty", "set the ARG before it, or a default"
        )
    platform = expanded(place, instruction.flags.get("platform", ""), variables, escape)
    return Stage(index, name, base, platform, place, parent=names.get(base.lower()))


def _link(stage: Stage, names: Mapping[str, Stage]) -> None:
    if stage.parent is not None:
        stage.needs.append(stage.parent)
    for instruction in stage.instructions:
        if (origin := instruction.flags.get("from")) and (other := names.get(origin.lower())):
            if other.index >= stage.index:
                raise instruction.place.wrong(
                    f"--from={origin} is not an earlier stage", "copy from one that comes before this one"
                )
            stage.needs.append(other)


def _ordered(wanted: Stage) -> list[Stage]:
    needed: dict[int, Stage] = {}
    waiting = [wanted]
    while waiting:
        stage = waiting.pop()
        needed[stage.index] = stage
        waiting += [other for other in stage.needs if other.index not in needed]
    return [needed[index] for index in sorted(needed)]


# ── one instruction ─────────────────────────────────────────────────────────────────────────────────────────────


def check(instruction: Instruction, escape: str) -> None:
    """Refuse what can be told wrong before anything is built; raises BadRequest."""
    place, keyword = instruction.place, instruction.keyword
    match keyword:
        case "COPY" | "ADD":
            given = operands(instruction, escape)
            if len(given) < 2:
                raise place.wrong(f"{keyword} needs a source and a target", f"write {keyword} SOURCE… TARGET")
            sources = given[:-1]
            if len(sources) > 1 and not given[-1].endswith("/") and "$" not in given[-1] and given[-1] != ".":
                raise place.wrong(
                    f"{keyword} of several sources: the target {given[-1]!r} is no folder",
                    "end it with a slash",
                )
            mode = instruction.flags.get("chmod", "0")
            if "$" not in mode and not re.fullmatch("[0-7]{1,4}", mode):
                raise place.wrong(f"--chmod={mode}: that is no mode", "write it in octal, such as 0644")
            for url in sources if keyword == "ADD" else []:
                if re.match(r"(https?|ftp)://|git@|.*\.git(#|$)", url):
                    raise place.wrong(
                        f"ADD {url[:80]}: a build fetches nothing itself",
                        "download it beside the Containerfile",
                    )
        case "ENV" | "LABEL":
            _pairs(instruction, escape)
        case "ARG":
            for word in split(place, instruction.text, escape):
                if not re.match(r"['\"]?[A-Za-z_][A-Za-z0-9_]*", word):
                    raise place.wrong(
                        f"ARG {word[:40]}: that is no name for a variable", "write ARG NAME=DEFAULT"
                    )
        case "SHELL":
            if not instruction.words:
                raise place.wrong("SHELL needs the JSON form", 'write SHELL ["/bin/bash", "-c"]')
        case "ONBUILD":
            trigger = instruction.text.split(None, 1)[0].upper()
            if trigger in TRIGGERLESS:
                raise place.wrong(f"ONBUILD {trigger} is not allowed", "choose another instruction")
        case "RUN":
            only = (
                instruction.heredocs
                and instruction.text.startswith("<<")
                and len(instruction.text.split()) == 1
            )
            if only and instruction.heredocs[0].text.startswith("#!"):
                interpreter = instruction.heredocs[0].text[2:].split("\n")[0].strip()
                raise place.wrong(
                    "RUN of a heredoc is for the shell: its #! line would not be heeded",
                    f"name the program: RUN {interpreter} <<{instruction.heredocs[0].name}",
                )
        case _:
            pass


def operands(instruction: Instruction, escape: str) -> list[str]:
    """The words of COPY, ADD and VOLUME, in JSON or plain; quotes and variables as they are written."""
    if instruction.words is not None:
        return instruction.words
    return split(instruction.place, instruction.text, escape)


def pairs(instruction: Instruction, variables: Mapping[str, str], escape: str) -> list[tuple[str, str]]:
    """The names and values of ENV and LABEL."""
    place = instruction.place
    return [
        (expanded(place, name, variables, escape), expanded(place, value, variables, escape))
        for name, value in _pairs(instruction, escape)
    ]


def _pairs(instruction: Instruction, escape: str) -> list[tuple[str, str]]:
    place, given = instruction.place, split(instruction.place, instruction.text, escape)
    if "=" not in given[0]:  # the old form: one name, and all the rest is its value
        name, _, value = instruction.text.partition(" ")
        if not value.strip():
            raise place.wrong(
                f"{instruction.keyword} {name} has no value", f"write {instruction.keyword} NAME=VALUE"
            )
        return [(name, value.strip())]
    found = []
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise place.wrong(
                f"{instruction.keyword}: {word[:60]!r} is no NAME=VALUE",
                "put the value in quotes if it has blanks",
            )
        found.append((name, value))
    return found


def arguments(
    instruction: Instruction, variables: Mapping[str, str], escape: str
) -> list[tuple[str, str | None]]:
    """The names that ARG declares, and their defaults."""
    found: list[tuple[str, str | None]] = []
    known = dict(variables)
    for word in split(instruction.place, instruction.text, escape):
        name, equals, value = expanded(instruction.place, word, known, escape).partition("=")
        found.append((name, value if equals else None))
        if equals:
            known[name] = value
    return found


def split(place: Place, text: str, escape: str) -> list[str]:
    """`words.split`, its refusal with the place."""
    try:
        return words.split(text, escape)
    except words.Malformed as error:
        raise place.wrong(str(error), "check the quotes") from error


def expanded(
    place: Place, word: str, variables: Mapping[str, str], escape: str, *, keep_quotes: bool = False
) -> str:
    """`words.expand`, its refusal with the place."""
    try:
        return words.expand(word, variables, escape, keep_quotes=keep_quotes)
    except words.Malformed as error:
        raise place.wrong(str(error), "check the variable and its quotes") from error
