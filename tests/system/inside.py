"""Programs inside a cgroup, for tests of limits and of watching."""

from __future__ import annotations

import contextlib
import secrets
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.cgroups import Cgroup, Group, Hierarchy, detect
from engine.instance import find

JOIN = 'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs" || exit 99; shift; done; shift; exec "$@"'
SPIN = ("sh", "-c", "while :; do :; done")


@contextlib.contextmanager
def group(folder: Path, hierarchy: Hierarchy | None = None) -> Iterator[Group]:
    """The cgroup of an instance whose root is `folder`, removed after the test; leftovers fail it."""
    group = Group(hierarchy or detect(), find(folder).cgroup)
    group.prepare()
    try:
        yield group
    finally:
        for id in group.ids():
            Cgroup(group.hierarchy, group.path(id)).remove()
        assert group.remove()


def new(group: Group) -> Cgroup:
    """A fresh cgroup of no particular name."""
    cgroup = Cgroup(group.hierarchy, group.path(secrets.token_hex(8)))
    cgroup.create()
    return cgroup


class Program:
    """A program that joined a cgroup before its first instruction; killed at the end."""

    def __init__(self, where: Cgroup | list[str], *command: str) -> None:
        folders = where.folders if isinstance(where, Cgroup) else where
        self.process = subprocess.Popen(
            ["sh", "-c", JOIN, "sh", *folders, "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """Its next line of output."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def ended(self, within: float = 30) -> int:
        """How it ended."""
        return self.process.wait(within)


def holding(cgroup: Cgroup, size: int) -> Program:
    """A program that holds `size` bytes of anonymous memory, once it has said so."""
    return Program(
        cgroup, "python3", "-I", "-S", "-c", f"x = b'x' * {size}\nprint('held', flush=True)\ninput()"
    )


def until(true: Callable[[], bool], within: float = 30) -> None:
    """Wait for what the kernel gives no event for."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        select.select([], [], [], 0.005)
