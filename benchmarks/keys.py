"""From a key press to the screen that shows it: the deck in a terminal, a thousand rows, all changing at 1 Hz."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, Row, missed
from benchmarks.terminal import Terminal
from benchmarks.world import World

ROWS = 1000
PRESSES = 60
PAUSE = 0.07  # seconds between presses: not in step with the ticks
TESTS = Path(__file__).parents[1] / "tests" / "tui"


def measure(world: World) -> list[Row]:
    """Down the rows one by one."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS.parents[1]), str(TESTS)))}
    words = [sys.executable, "-m", "benchmarks.keys", str(world.folder / "keys")]
    took = []
    with Terminal(words, environment) as terminal:
        terminal.wait(rb"worker-0000.*keys")
        mark = terminal.mark
        terminal.send(b"v")
        terminal.wait(rb"worker-0010", mark)
        for _ in range(3):  # the first ones fill caches
            took.append(_press(terminal, len(took) + 1))
        for _ in range(PRESSES):
            took.append(_press(terminal, len(took) + 1))
    figure = Figure("tiffin", took[3:], "ms")
    over = Figure("tiffin p95", [figure.p95], "ms")
    notes = ["rows are played by the tests' script, not run; no peer can be driven the same way"]
    notes += missed(over, 50)
    return [Row(f"key press → screen, {ROWS} rows", "p95 under 50 ms", [figure], figure.p95 < 50, notes)]


def _press(terminal: Terminal, row: int) -> float:
    time.sleep(PAUSE)
    mark, began = terminal.mark, time.monotonic()
    terminal.send(b"j")
    # Ticks draw rows too, but only the cursor's row has its ground, and it is drawn on it only now.
    seen = terminal.wait(rb"48;2;28;50;71m[^\r\n]{0,60}?worker-%04d" % row, mark)
    return (seen - began) * 1e3


def play() -> None:
    """The deck on a script, in this process; what the terminal runs."""
    import threading

    from scripted import ScriptedLink, many
    from textual.message import Message

    from engine.instance import find
    from tui.deck.app import DeckApp

    class Playing(ScriptedLink):
        """Ticks by itself."""

        def start(self, post: Callable[[Message], object]) -> None:
            super().start(post)
            threading.Thread(target=self._play, daemon=True).start()

        def _play(self) -> None:
            while True:
                time.sleep(1)
                self.tick(vary=True)

    instance = find(sys.argv[1])
    DeckApp(instance, Playing(instance, many(ROWS)), theme_name="dark").run()


if __name__ == "__main__":
    play()
