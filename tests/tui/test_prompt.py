"""The questions before something is done: what is typed where, and what is said of it."""

from __future__ import annotations

from deck import deck

from engine.errors import BadRequest
from tui.deck.screens.prompt import Ask, Prompt

ASKS = (Ask("path", "folder", "a folder"), Ask("name", "name", "a name", optional=True))


async def test_enter_goes_on_to_the_next_entry_and_then_answers(tmp_path) -> None:
    answers = []
    async with deck(tmp_path) as it:
        it.app.push_screen(Prompt("build", "build", ASKS, dict), answers.append)
        await it.pilot.pause()
        await it.press(*"/srv", "enter", *"web:1", "enter")
        assert answers == [{"path": "/srv", "name": "web:1"}]


async def test_what_is_needed_has_to_be_there(tmp_path) -> None:
    answers = []
    async with deck(tmp_path) as it:
        it.app.push_screen(Prompt("build", "build", ASKS, dict), answers.append)
        await it.pilot.pause()
        await it.press("enter", "enter")
        assert "folder is empty" in it.text()
        await it.press("escape")
        assert answers == [None]


async def test_what_is_refused_stays_to_be_mended(tmp_path) -> None:
    answers = []

    def read(given):
        if given["path"] != "/srv":
            raise BadRequest(f"there is no {given['path']}", "type another")
        return given["path"]

    async with deck(tmp_path, size=(80, 24)) as it:
        it.app.push_screen(Prompt("build", "build", ASKS, read), answers.append)
        await it.pilot.pause()
        await it.press(*"/sr", "enter", "enter")
        assert "there is no /sr; type another" in it.text()
        await it.press("up", *"v")
        assert "there is no" not in it.text()
        await it.press("ctrl+s")
        assert answers == ["/srv"]
