"""What a stage's instructions say about containers of its image: applied one by one to an OCI config."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from engine.building import stages
from engine.building.reading import Instruction
from engine.errors import BadRequest
from engine.images import oci
from engine.launch.signals import signal_number

SHELL = ["/bin/sh", "-c"]
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_CHECK_TIMES = ("interval", "timeout", "start-period", "start-interval")


class Config:
    """The execution part of an image's config while it is built, and the variables in force."""

    def __init__(self, base: oci.Execution, escape: str) -> None:
        self.user = base.user or ""
        self.workdir = base.working_dir or ""
        self.env = dict(entry.partition("=")[::2] for entry in base.env or [])
        self.labels = dict(base.labels or {})
        self.cmd = base.cmd
        self.entrypoint = base.entrypoint
        self.exposed = dict(base.exposed_ports or {})
        self.volumes = dict(base.volumes or {})
        self.stop_signal = base.stop_signal
        self.healthcheck = base.healthcheck
        self.shell = list(base.shell or [])
        self.triggers: list[str] = []  # ONBUILD's; those of the base were for this build
        self.args: dict[str, str] = {}  # in use
        self.escape = escape
        self._cmd_is_own = False

    @property
    def variables(self) -> dict[str, str]:
        """What `$name` stands for."""
        return {**self.args, **self.env}

    @property
    def folder(self) -> str:
        """The working folder."""
        return self.workdir or "/"

    def execution(self) -> oci.Execution:
        """As the image's config has it."""
        return oci.Execution(
            user=self.user or None,
            working_dir=self.workdir or None,
            env=[f"{name}={value}" for name, value in self.env.items()] or None,
            labels=self.labels or None,
            cmd=self.cmd,
            entrypoint=self.entrypoint,
            exposed_ports=self.exposed or None,
            volumes=self.volumes or None,
            stop_signal=self.stop_signal,
            healthcheck=self.healthcheck,
            shell=self.shell or None,
            on_build=self.triggers or None,
        )

    def argv(self, instruction: Instruction) -> list[str]:
        """What RUN, CMD and ENTRYPOINT execute: the JSON form as it is, anything else by the shell."""
        if instruction.words is not None:
            return instruction.words
        text, heredocs = instruction.text, instruction.heredocs
        if heredocs and text.split() == [text] and text.startswith("<<"):
            text = heredocs[0].text  # nothing but the heredoc: it is the script
        elif heredocs:
            text += "\n" + "".join(f"{heredoc.text}{heredoc.name}\n" for heredoc in heredocs)
        return [*(self.shell or SHELL), text]

    def apply(self, instruction: Instruction) -> None:
        """Apply an instruction that changes no file; raises BadRequest."""
        match instruction.keyword:
            case "ENV":
                self.env.update(self._pairs(instruction))
            case "LABEL":
                self.labels.update(self._pairs(instruction))
            case "CMD":
                self.cmd, self._cmd_is_own = self.argv(instruction), True
            case "ENTRYPOINT":
                self.entrypoint = self.argv(instruction)
                if not self._cmd_is_own:  # the base's was written as arguments of the base's entrypoint
                    self.cmd = None
            case "USER":
                self.user = self._text(instruction)
            case "WORKDIR":
                self.workdir = posixpath.normpath(posixpath.join(self.folder, self._text(instruction)))
            case "EXPOSE":
                self._expose(instruction)
            case "VOLUME":
                for path in stages.operands(instruction, self.escape):
                    path = self._expanded(instruction, path)
                    self.volumes[posixpath.normpath(posixpath.join("/", path))] = {}
            case "STOPSIGNAL":
                self.stop_signal = self._text(instruction)
                self._check_signal(instruction)
            case "SHELL":
                self.shell = instruction.words or []
            case "HEALTHCHECK":
                self.healthcheck = self._health(instruction)
            case "ONBUILD":
                self.triggers.append(instruction.text)
            case _:
                raise AssertionError(instruction.keyword)

    def declare(self, instruction: Instruction, given: Mapping[str, str], outer: Mapping[str, str]) -> None:
        """Take in ARG: the user's value, else its default, else that of an ARG of the name before FROM."""
        for name, default in stages.arguments(instruction, self.variables, self.escape):
            value = given.get(name, outer.get(name) if default is None else default)
            if value is not None:
                self.args[name] = value

    def _pairs(self, instruction: Instruction) -> dict[str, str]:
        return dict(stages.pairs(instruction, self.variables, self.escape))

    def _expanded(self, instruction: Instruction, word: str) -> str:
        return stages.expanded(instruction.place, word, self.variables, self.escape)

    def _text(self, instruction: Instruction) -> str:
        text = self._expanded(instruction, instruction.text)
        if not text:
            raise instruction.place.wrong(
                f"{instruction.keyword} {instruction.text} is empty here",
                "set the variable, or give it a default",
            )
        return text

    def _expose(self, instruction: Instruction) -> None:
        for word in stages.split(instruction.place, instruction.text, self.escape):
            for text in self._expanded(instruction, word).split():
                port = _PORT.fullmatch(text)
                first, last = (int(port[1]), int(port[2] or port[1])) if port else (0, 0)
                if not port or not 1 <= first <= last <= 65535:
                    raise instruction.place.wrong(
                        f"EXPOSE {text}: that is no port", "write 80, 80/udp or 8000-8010"
                    )
                for number in range(first, last + 1):
                    self.exposed[f"{number}/{(port[3] or 'tcp').lower()}"] = {}

    def _check_signal(self, instruction: Instruction) -> None:
        try:
            signal_number(self.stop_signal or "")
        except BadRequest as error:
            raise instruction.place.wrong(error.message, error.remedy) from None

    def _health(self, instruction: Instruction) -> dict[str, Any]:
        kind, _, rest = instruction.text.partition(" ")
        if kind.upper() == "NONE" and not rest.strip():
            return {"Test": ["NONE"]}
        if kind.upper() != "CMD" or not rest.strip():
            raise instruction.place.wrong(
                "HEALTHCHECK is neither NONE nor CMD …", "write HEALTHCHECK CMD command"
            )
        command = instruction._replace(text=rest.strip())
        test = ["CMD", *command.words] if command.words else ["CMD-SHELL", rest.strip()]
        health: dict[str, Any] = {"Test": test}
        for name in _CHECK_TIMES:
            if (text := instruction.flags.get(name)) is not None:
                field = "".join(part.capitalize() for part in name.split("-"))
                health[field] = _nanoseconds(instruction, name, text)
        if (retries := instruction.flags.get("retries")) is not None:
            if not retries.isdecimal():
                raise instruction.place.wrong(f"--retries={retries}: that is no number", "write --retries=3")
            health["Retries"] = int(retries)
        return health


def _nanoseconds(instruction: Instruction, name: str, text: str) -> int:
    match = _DURATION.fullmatch(text)
    if not match or not text:
        raise instruction.place.wrong(f"--{name}={text}: that is no duration", "write 30s, 1m30s or 500ms")
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return int((hours * 3600 + minutes * 60 + seconds) * 10**9 + milliseconds * 10**6)
