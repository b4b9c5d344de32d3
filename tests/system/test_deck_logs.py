"""The log pane on a real engine: containers that print, flood, end and lose old output."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.client import EngineClient
from engine.model import ContainerConfig, LogOptions
from tui.deck.app import DeckApp
from tui.deck.logs.pane import LogPane
from tui.deck.logs.reader import View

pytestmark = pytest.mark.system

PATIENCE = 45.0  # seconds; an emulated machine is slow


class Driven:
    """A running deck with the log pane in front."""

    def __init__(self, app: DeckApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot
        self.pane = app.screen.query_one(LogPane)

    @property
    def view(self) -> View:
        return self.pane.view

    @property
    def lines(self) -> list[str]:
        return [row.text.plain for row in self.view.rows if row.leads]

    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, f"did not come about; the screen:\n{self.text()}"
            await self.pilot.pause(0.02)


@asynccontextmanager
async def logs(client: EngineClient, script: str, **options: object) -> AsyncIterator[Driven]:
    """A deck in front of the output of one container that runs `script`."""
    config = ContainerConfig(image="host", command=["sh", "-c", script], network="none", **options)
    client.run(config, "talker")
    app = DeckApp(client.instance)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        it = Driven(app, pilot)
        await it.until(lambda: app.store.containers)
        await it.press("l")
        yield it


async def test_output_is_followed_as_it_comes_with_streams_told_apart(client: EngineClient) -> None:
    script = "echo out; echo '\033[31mred\033[0m' >&2; while ! [ -e /tmp/go ]; do sleep 0.05; done; echo late"
    async with logs(client, script) as it:
        await it.until(lambda: len(it.lines) == 2)
        assert sorted(it.lines) == ["out", "red"]
        said = {row.text.plain: row.line.stderr for row in it.view.rows}
        assert said == {"out": False, "red": True}
        assert any("▌ red" in line for line in it.text().splitlines())
        from engine.model import ExecConfig

        exec_id = client.exec_create("talker", ExecConfig(command=["touch", "/tmp/go"]))
        with client.exec_start(exec_id, tty=False) as stream:
            assert stream.read() is None
        await it.until(lambda: it.lines[-1] == "late")


async def test_a_terminals_progress_bar_shows_its_last_state(client: EngineClient) -> None:
    script = r"printf '10%%\r'; printf '50%%\r'; printf '100%%\r\n'; echo done; exec sleep 1000"
    async with logs(client, script, tty=True) as it:
        await it.until(lambda: it.lines[-1:] == ["done"])
        assert it.lines == ["100%", "done"]
        assert "terminal" in it.text()


async def test_the_first_line_of_many_is_a_key_away_and_search_finds_any(client: EngineClient) -> None:
    async with logs(client, "seq 1 100000; exec sleep 1000") as it:
        await it.until(lambda: it.lines[-1:] == ["100000"])
        await it.press("g")
        await it.until(lambda: it.lines[0] == "1")
        await it.press("pagedown")
        await it.until(lambda: int(it.lines[0]) > 20)
        await it.press("slash", *"77777", "enter")
        await it.until(lambda: "77777" in it.lines)
        await it.press("n")
        await it.until(lambda: "no “77777” below" in it.text())
        await it.press("ampersand", *"9999", "enter")
        expected = [str(n) for n in range(1, 100001) if "9999" in str(n)]
        await it.press("G")
        await it.until(lambda: it.lines == expected[-len(it.lines) :] and len(it.lines) >= 19)


async def test_a_flood_does_not_hold_up_keys_and_a_view_of_it_stands_still(client: EngineClient) -> None:
    async with logs(client, "exec yes flooding") as it:
        await it.until(lambda: it.view.end > 20 << 20)
        await it.press("f")
        await it.until(lambda: not it.view.following)
        before, end = [row.line.offset for row in it.view.rows], it.view.end
        await it.until(lambda: it.view.end > end)
        assert [row.line.offset for row in it.view.rows] == before
        await it.press("G")
        await it.until(lambda: it.view.following and it.view.top > end)


async def test_output_that_was_dropped_is_told_of(client: EngineClient) -> None:
    few = LogOptions(max_size=64 << 10, max_files=2)
    async with logs(client, "seq 1 200000; exec sleep 1000", log=few) as it:
        await it.until(lambda: it.lines[-1:] == ["200000"])
        await it.press("g")
        await it.until(lambda: "older output was dropped" in it.text())
        assert int(it.lines[2]) > 1  # the one before it may be the rest of a line


async def test_a_window_of_time_hides_what_is_older(client: EngineClient) -> None:
    async with logs(client, "echo now; exec sleep 1000") as it:
        await it.until(lambda: it.lines == ["now"])
        await it.press("1")
        await it.until(lambda: "last minute" in it.text() and it.lines == ["now"])


async def test_what_is_shown_is_saved(client: EngineClient, tmp_path: Path) -> None:
    async with logs(client, "seq 1 5000; exec sleep 1000") as it:
        await it.until(lambda: it.lines[-1:] == ["5000"])
        await it.press("t", "ctrl+s", "ctrl+u", *str(tmp_path / "all.log"), "enter")
        await it.until((tmp_path / "all.log").exists)
        await it.until(lambda: any("5,000 lines" in n.message for n in it.app._notifications))
        assert (tmp_path / "all.log").read_text() == "".join(f"{n}\n" for n in range(1, 5001))
        await it.press("ampersand", *"499", "enter")
        await it.press("ctrl+s", "ctrl+u", *str(tmp_path / "some.log"), "enter")
        await it.until(lambda: any("some.log" in n.message for n in it.app._notifications))
        assert (tmp_path / "some.log").read_text().split() == [
            str(n) for n in range(1, 5001) if "499" in str(n)
        ]
        await it.press("ctrl+s", "ctrl+u", *str(tmp_path / "all.log"), "enter")
        await it.until(lambda: any("exists already" in n.message for n in it.app._notifications))


async def test_a_removed_container_leaves_the_pane_usable(client: EngineClient) -> None:
    async with logs(client, "echo here; exec sleep 1000") as it:
        await it.until(lambda: it.lines == ["here"])
        client.remove("talker", force=True)
        await it.until(lambda: not it.app.store.containers and not it.view.rows)
        client.run(ContainerConfig(image="host", command=["echo", "again"], network="none"), "second")
        await it.until(lambda: it.lines == ["again"])
