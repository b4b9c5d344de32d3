"""The deck in a real terminal: what a person sees who types `tiffin`."""

from __future__ import annotations

import os
import sys
import time

import pexpect
import pyte
import pytest

from engine.client import EngineClient
from engine.instance import Instance, find
from engine.model import ContainerConfig

pytestmark = pytest.mark.system

PATIENCE = 45.0  # seconds; an emulated machine is slow


class Terminal:
    """A terminal of 80 by 24 with the deck in it."""

    def __init__(self, instance: Instance, **environment: str) -> None:
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "tui.cli", "--root", str(instance.root)],
            dimensions=(24, 80),
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
        )

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def shows(self, text: str) -> None:
        """Read on until the screen shows it."""
        end = time.monotonic() + PATIENCE
        while text not in self.text():
            assert time.monotonic() < end, f"{text!r} did not come; the screen:\n{self.text()}"
            self._read()

    def ends(self) -> int:
        """Read on until the process has ended; its exit status."""
        end = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < end, "it does not end"
        self.process.wait()
        return int(self.process.exitstatus)

    def _read(self) -> bool:
        try:
            data = self.process.read_nonblocking(65536, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True


@pytest.fixture
def word(client: EngineClient) -> str:
    command = ["sh", "-c", "echo the quick brown fox; exec sleep 1000"]
    return client.run(ContainerConfig(image="host", command=command, network="none"), "word")


def test_eighty_by_twenty_four(instance: Instance, word: str) -> None:
    terminal = Terminal(instance)
    terminal.shows("● word")
    terminal.shows("the quick brown fox")
    terminal.shows("? keys")
    terminal.process.send("v")
    terminal.shows("NAME")
    terminal.process.send("q")
    assert terminal.ends() == 0
    assert b"\x1b[?1049l" in terminal.raw  # the screen of before is back


def test_a_shell_inside_and_back(instance: Instance, word: str) -> None:
    terminal = Terminal(instance)
    terminal.shows("● word")
    terminal.process.send("e")
    terminal.shows("#")
    terminal.process.send("echo $((6 * 7))-$(hostname)\r")
    terminal.shows(f"42-{word[:12]}")
    terminal.process.send("exit\r")
    terminal.shows("● word")
    terminal.process.send("q")
    assert terminal.ends() == 0


def test_without_colour(instance: Instance, word: str) -> None:
    terminal = Terminal(instance, NO_COLOR="1")
    terminal.shows("● word")
    terminal.process.send("q")
    assert terminal.ends() == 0
    assert b"38;2;" not in terminal.raw
    assert b"48;2;" not in terminal.raw


def test_an_engine_that_cannot_be_had_is_one_sentence(tmp_path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "run").write_text("a file where a folder has to be")
    terminal = Terminal(find(tmp_path))
    terminal.shows("run")
    terminal.process.send("q")
    assert terminal.ends() == 0
    assert b"Traceback" not in terminal.raw
