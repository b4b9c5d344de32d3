"""The command `tiffin` as tests use it: a process of its own on an instance of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import pexpect

PROJECT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; an emulated machine is slow, and so is one that does much else
COMMAND = [sys.executable, "-m", "tui.cli"]


class Going(NamedTuple):
    """A command that goes on, and its streams."""

    process: subprocess.Popen[str]
    stdin: IO[str]
    stdout: IO[str]
    stderr: IO[str]

    def end(self, input: str | None = None) -> tuple[str, str, int]:
        """What more it printed until its end, and its exit status."""
        if input:
            self.stdin.write(input)
        self.stdin.close()
        return self.stdout.read(), self.stderr.read(), self.process.wait(PATIENCE)


class Tiffin:
    """One instance and the command on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {**os.environ, "TIFFIN_ROOT": str(root), "PYTHONPATH": str(PROJECT), "NO_COLOR": "1"}

    def __call__(self, *words: str, input: str | bytes = "", status: int | None = 0) -> str:
        """Standard output of a command that must end with `status`."""
        done = self.process(*words, input=input)
        told = done.stdout.decode()
        assert status is None or done.returncode == status, (
            f"{words}: {done.returncode}\n{told}\n{done.stderr.decode()}"
        )
        return told.rstrip("\n")

    def process(self, *words: str, input: str | bytes = "") -> subprocess.CompletedProcess[bytes]:
        """A command that ran to its end."""
        data = input.encode() if isinstance(input, str) else input
        return subprocess.run(
            [*COMMAND, *words], input=data, capture_output=True, env=self.env, timeout=PATIENCE
        )

    def json(self, *words: str) -> Any:
        """What a command printed as JSON."""
        return json.loads(self(*words))

    @contextmanager
    def begin(self, *words: str) -> Iterator[Going]:
        """A command that goes on, at most to the end of the block."""
        pipe, words = subprocess.PIPE, (*COMMAND, *words)
        with subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=self.env
        ) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            try:
                yield Going(process, process.stdin, process.stdout, process.stderr)
            finally:
                process.kill()

    def terminal(self, *words: str, rows: int = 24, columns: int = 80) -> pexpect.spawn[str]:
        """A command in a terminal of its own."""
        env = {**self.env, "TERM": "xterm"}
        return pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], *words],
            env=env,
            dimensions=(rows, columns),
            encoding="utf-8",
            timeout=PATIENCE,
        )

    def status(self, name: str) -> str:
        """Docker's word for a container's state."""
        return self("inspect", "-f", "State.Status", name)


@contextmanager
def tiffin_at(root: Path) -> Iterator[Tiffin]:
    """An instance that leaves nothing behind: its containers are removed and its engine is ended."""
    tool = Tiffin(root)
    try:
        yield tool
    finally:
        if names := tool("ps", "-aq").split():
            tool("rm", "-f", "-v", *names)
        tool("engine", "stop")


def eventually(true: Callable[[], bool], what: str) -> None:
    """Wait for something that the kernel gives no event for."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.02)
