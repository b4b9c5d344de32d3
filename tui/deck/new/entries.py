"""What is asked for a new container, and what was typed as its configuration."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from engine.errors import BadRequest
from engine.model import ContainerConfig, Limits, RestartPolicy
from tui.presentation import entry, options

T = TypeVar("T")


class Entry(NamedTuple):
    """One thing that is asked."""

    key: str
    label: str
    hint: str
    default: str = ""
    choices: tuple[str, ...] = ()  # known beforehand; the engine knows more images and networks


ENTRIES = (
    Entry("image", "image", "what its root is made of; host is this machine's own", "host", ("host",)),
    Entry("command", "command", "program and arguments, as in a shell; empty: the image's own", "sh"),
    Entry("name", "name", "letters, digits, _ . and -; empty: one is made up"),
    Entry("env", "variables", "NAME=value, several with blanks between; NAME alone: as it is here"),
    Entry("publish", "ports", "[IP:]HOST:CONTAINER[/udp], such as 8080:80 127.0.0.1:53:53/udp"),
    Entry("volumes", "volumes", "SOURCE:TARGET[:ro], such as /srv/www:/www:ro data:/var/lib/data"),
    Entry("network", "network", "how it reaches others", "bridge", ("bridge", "none", "host")),
    Entry("cpus", "cpus", "hard ceiling in cores, such as 0.5; empty: none"),
    Entry("memory", "memory", "above it: reclaim, then OOM kill, such as 64m; empty: no limit"),
    Entry("pids", "pids", "processes and threads, such as 100; empty: no limit"),
    Entry(
        "restart", "restart", "when it is started again; on-failure:3 gives up after three times", "no",
        ("no", "on-failure", "always", "unless-stopped"),
    ),
)  # fmt: skip
SWITCHES = (
    Entry("tty", "terminal", "it gets a terminal, and its input stays open: a attaches to it", "on"),
    Entry("auto_remove", "remove after", "it is removed when it has ended, with what it changed"),
)


def config(typed: Mapping[str, str], on: Mapping[str, bool]) -> tuple[ContainerConfig, str]:
    """The container that was asked for and its name; raises `Refused` for the first bad entry."""
    image = typed["image"].strip()
    if not image:
        raise Refused("image", "is empty", "name one of the images, such as host")
    memory = _limit(typed, "memory", entry.size)
    restart = _read("restart", options.restart, typed["restart"].strip() or "no")
    if on["auto_remove"] and restart != RestartPolicy():
        raise Refused("restart", "excludes that it is removed after its end", "choose one of both")
    made = ContainerConfig(
        image=image,
        command=_words("command", typed["command"]),
        env=[word for word in _each(typed, "env", _env) if word],
        publish=[port for ports in _each(typed, "publish", options.publish) for port in ports],
        mounts=_each(typed, "volumes", options.volume),
        network=typed["network"].strip() or "bridge",
        limits=Limits(
            cpus=_limit(typed, "cpus", entry.cores),
            memory=memory,
            swap=memory,  # as in the command line: as much swap again
            pids=_limit(typed, "pids", entry.pids),
        ),
        restart=restart,
        tty=on["tty"],
        stdin=on["tty"],
        auto_remove=on["auto_remove"],
    )
    return made, typed["name"].strip()


class Refused(BadRequest):
    """One entry was; `key` says which."""

    def __init__(self, key: str, message: str, remedy: str = "") -> None:
        label = next(found.label for found in ENTRIES if found.key == key)
        super().__init__(f"{label}: {message}", remedy)
        self.key = key


def check(key: str, text: str) -> None:
    """Raise Refused where what was typed for one entry cannot be read."""
    readers: dict[str, Callable[[str], Any]] = {
        "env": _env, "publish": options.publish, "volumes": options.volume,
    }  # fmt: skip
    single: dict[str, Callable[[str], Any]] = {"cpus": entry.cores, "memory": entry.size, "pids": entry.pids}
    if key in readers:
        _each({key: text}, key, readers[key])
    elif key in single:
        _limit({key: text}, key, single[key])
    elif key == "restart" and text.strip():
        _read(key, options.restart, text.strip())
    elif key == "command":
        _words(key, text)


def _env(text: str) -> str:
    return options.env(text, dict(os.environ))


def _each(typed: Mapping[str, str], key: str, read: Callable[[str], T]) -> list[T]:
    return [_read(key, read, word) for word in _words(key, typed[key])]


def _limit(typed: Mapping[str, str], key: str, read: Callable[[str], T]) -> T | None:
    text = typed[key].strip()
    return None if not text or text == "0" or entry.is_no_limit(text) else _read(key, read, text)


def _read(key: str, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except BadRequest as error:
        subject = "" if repr(text) in error.message else f"{text!r}: "
        raise Refused(key, f"{subject}{error.message}", error.remedy) from None


def _words(key: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Refused(key, str(error).lower(), "close the quotes") from None
