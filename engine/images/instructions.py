"""What `commit --change` takes: a Containerfile's instructions that change an image's settings, and no layer.

Syntax: https://docs.docker.com/reference/dockerfile/, as `docker commit --change` reads it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

import msgspec

from engine.errors import BadRequest
from engine.images.oci import Execution

SHELL = ["/bin/sh", "-c"]


def changed(execution: Execution, instruction: str) -> Execution:
    """The settings after one instruction such as `CMD ["web"]` or `ENV A=b`; BadRequest for any other."""
    word, _, rest = instruction.strip().partition(" ")
    apply, rest = _INSTRUCTIONS.get(word.upper()), rest.strip()
    if apply is None:
        raise BadRequest(
            f"--change {instruction!r}: {word or 'nothing'} is no instruction that changes an image's settings",
            f"use one of {', '.join(_INSTRUCTIONS)}",
        )
    if not rest:
        raise BadRequest(
            f"--change {instruction!r}: {word.upper()} is given nothing", "say what to set it to"
        )
    return msgspec.structs.replace(execution, **apply(execution, rest))


def merged_env(old: list[str] | None, new: list[str]) -> list[str]:
    """Settings NAME=value, each name once, the later ones in force."""
    values = dict(entry.partition("=")[::2] for entry in [*(old or []), *new])
    return [f"{name}={value}" for name, value in values.items()]


def _command(execution: Execution, rest: str) -> list[str]:
    if not rest.startswith("["):
        return [*(execution.shell or SHELL), rest]
    try:
        return msgspec.json.decode(rest, type=list[str])
    except msgspec.DecodeError as e:
        raise BadRequest(f"{rest!r} is no JSON list of words: {e}", 'write ["word", "word"]') from e


def _pairs(rest: str) -> dict[str, str]:
    words = _words(rest)
    if words and "=" not in words[0]:  # ENV NAME value, the old form
        name, _, value = rest.partition(" ")
        return {name: value.strip()}
    if bare := [word for word in words if "=" not in word or word.startswith("=")]:
        raise BadRequest(f"{bare[0]!r} is no NAME=value", "write NAME=value")
    return dict(word.partition("=")[::2] for word in words)


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError as e:
        raise BadRequest(f"{rest!r} cannot be split into words: {e}", "close what is quoted") from e


def _list(execution: Execution, rest: str) -> list[str]:
    return _command(execution, rest) if rest.startswith("[") else _words(rest)


def _ports(rest: str) -> dict[str, object]:
    ports = [word if "/" in word else f"{word}/tcp" for word in _words(rest)]
    for port in ports:
        number, _, protocol = port.partition("/")
        if not (number.isdecimal() and 0 < int(number) < 65536 and protocol in ("tcp", "udp", "sctp")):
            raise BadRequest(f"{port!r} is no port", "write such as 80 or 53/udp")
    return {port: {} for port in ports}


_INSTRUCTIONS: dict[str, Callable[[Execution, str], dict[str, object]]] = {
    "CMD": lambda old, rest: {"cmd": _command(old, rest)},
    "ENTRYPOINT": lambda old, rest: {"entrypoint": _command(old, rest), "cmd": None},
    "ENV": lambda old, rest: {
        "env": merged_env(old.env, [f"{name}={value}" for name, value in _pairs(rest).items()])
    },
    "EXPOSE": lambda old, rest: {"exposed_ports": {**(old.exposed_ports or {}), **_ports(rest)}},
    "LABEL": lambda old, rest: {"labels": {**(old.labels or {}), **_pairs(rest)}},
    "ONBUILD": lambda old, rest: {"on_build": [*(old.on_build or []), rest]},
    "SHELL": lambda old, rest: {"shell": _command(old, rest)},
    "STOPSIGNAL": lambda old, rest: {"stop_signal": rest},
    "USER": lambda old, rest: {"user": rest},
    "VOLUME": lambda old, rest: {
        "volumes": {**(old.volumes or {}), **{path: {} for path in _list(old, rest)}}
    },
    "WORKDIR": lambda old, rest: {
        "working_dir": rest if rest.startswith("/") else f"{(old.working_dir or '').rstrip('/')}/{rest}"
    },
}
