"""How the main screen looks: a few pictures, to be looked at when they change (pytest --snapshot-update)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import ScriptedLink, many, output, some
from textual.pilot import Pilot

from engine.instance import find
from tui.deck.app import DeckApp
from tui.deck.widgets.panes import PaneGrid

Picture = Callable[..., bool]


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same host name and time zone everywhere."""
    monkeypatch.setattr(socket, "gethostname", lambda: "lab-3")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def picture(tmp_path: Path, snap_compare: Picture) -> Picture:
    """Compare the screen after some keys with the picture kept of it."""

    def compare(
        *keys: str, size: tuple[int, int] = (120, 36), theme: str | None = None, count: int = 0
    ) -> bool:
        instance = find(tmp_path)
        link = ScriptedLink(instance, many(count) if count else some())
        for id in link.samples:
            link.logs[id] = output("typed: the quick brown fox", "typed: jumps over the lazy dog")
        app = DeckApp(instance, link, theme_name=theme)

        async def prepare(pilot: Pilot[int]) -> None:
            await pilot.press(*keys)
            await pilot.pause()
            main = app.screen_stack[1]
            panes = main.query_one(PaneGrid)

            def settled() -> bool:
                tails = app.store.tails.keys() >= set(panes.with_tails() if panes.display else ())
                return tails and any("02 Feb" in strip.text for strip in main._compositor.render_strips())

            while not settled():
                await pilot.pause(0.02)
            link.stop()

        return snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


def test_panes(picture: Picture) -> None:
    assert picture()


def test_panes_on_a_small_terminal(picture: Picture) -> None:
    assert picture("j", "right", size=(80, 24))


def test_many_panes_on_a_large_terminal(picture: Picture) -> None:
    assert picture("down", "j", size=(200, 60), count=30)


def test_table(picture: Picture) -> None:
    assert picture("v", "greater_than_sign")


def test_table_on_a_small_terminal(picture: Picture) -> None:
    assert picture("v", size=(80, 24))


def test_light(picture: Picture) -> None:
    assert picture(theme="light")


def test_high_contrast(picture: Picture) -> None:
    assert picture(theme="contrast")


def test_a_question_before_something_is_destroyed(picture: Picture) -> None:
    assert picture("d", size=(80, 24))
