"""The story on a real engine: a setup wrecks its settings, the deck shows it, and a key undoes all of it."""

from __future__ import annotations

import pytest
from test_deck import deck, run

from engine.client import EngineClient
from tui.deck.screens.details import DetailsScreen

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

WRECK = (
    "echo theme = loud >> /etc/profile; rm /etc/os-release; mkdir -p /opt/setup;"
    "echo 1 > /opt/setup/part1; echo 2 > /opt/setup/part2; exec sleep 1000"
)


async def test_a_setup_that_behaves_badly_is_seen_and_undone(client: EngineClient) -> None:
    word = run(client, ["sleep", "1000"], "word")
    setup = run(client, ["sh", "-c", WRECK], "setup")
    async with deck(client) as it:
        await it.shows("● setup")
        await it.until(lambda: any(change.path == "/opt/setup/part2" for change in client.diff(setup)))
        it.app.push_screen(DetailsScreen(it.app.link, it.app.store, setup, "changes"))
        await it.shows("1 deleted")
        await it.shows("the host and word see none of it")
        for _ in range(20):
            if "▌C ~" in it.text() and "profile" in it.text().split("▌C ~")[1].splitlines()[0]:
                break
            await it.press("j")
        await it.shows("+ theme = loud")
        await it.press("D")
        await it.shows("Thrown away: 1 changed, 2 added, 1 deleted")
        await it.press("s")
        await it.shows("as its image again")
        await it.shows("nothing was changed")
        assert client.diff(setup) == []
        states = {one.id: one.state.status for one in client.containers()}
        assert states == {setup: "exited", word: "running"}


async def test_what_was_kept_is_put_back(client: EngineClient) -> None:
    setup = run(client, ["sh", "-c", WRECK], "setup")
    async with deck(client) as it:
        await it.shows("● setup")
        await it.until(lambda: any(change.path == "/opt/setup/part2" for change in client.diff(setup)))
        client.stop(setup, 0)
        it.app.push_screen(DetailsScreen(it.app.link, it.app.store, setup, "changes"))
        await it.shows("1 deleted")
        before = client.diff(setup)
        await it.press("S", *"bad", "enter", "enter")
        await it.shows("B goes back to it")
        await it.press("D", "y")
        await it.shows("nothing was changed")
        await it.press("B")
        await it.shows("bad")
        await it.press("enter")
        await it.shows("Put setup back to snapshot bad?")
        await it.press("y")
        await it.shows("as in snapshot bad again")
        await it.shows("1 deleted")
        assert client.diff(setup) == before
