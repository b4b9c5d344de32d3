"""The deck's screens on a real engine: limits by keys, a container by the form, what the details tell."""

from __future__ import annotations

import pytest
from test_deck import BUSY, deck, run

from engine.client import EngineClient
from engine.model import ContainerConfig, Limits
from tui.deck.limits.line import LimitLine
from tui.deck.screens.details import DetailsScreen
from tui.deck.screens.limits import LimitsScreen
from tui.deck.screens.main import MainScreen
from tui.deck.screens.new import NewScreen

pytestmark = pytest.mark.system


async def test_limits_are_changed_by_keys_and_read_back(client: EngineClient) -> None:
    run(client, BUSY, "busy", Limits(cpus=0.5))
    async with deck(client) as it:
        await it.shows("● busy")
        await it.press("L")
        await it.until(lambda: isinstance(it.app.screen.focused and it.app.screen.focused.parent, LimitLine))
        await it.press(*"0.75")
        await it.press("enter")
        await it.shows("the kernel took: cpus 0.5 → 0.75")
        reading = next(r for r in client.limits("busy") if r.name == "cpus")
        assert reading.value == 0.75
        await it.shows(f"{reading.file} = {' '.join(reading.raw.split())}")
        await it.press("u")
        await it.shows("undone: cpus 0.75 → 0.5")
        assert it.only().limits.cpus == 0.5
        await it.press("m", "enter")
        await it.shows("the kernel took: cpus 0.5 → ∞")
        assert it.only().limits.cpus is None


async def test_limits_that_are_refused_stay_as_they_were_typed(client: EngineClient) -> None:
    run(client, ["sleep", "1000"], "calm")
    async with deck(client) as it:
        await it.shows("● calm")
        await it.press("L")
        await it.until(lambda: isinstance(it.app.screen.focused and it.app.screen.focused.parent, LimitLine))
        memory = next(line for line in it.app.screen.query(LimitLine) if line.row.name == "memory")
        while not memory.has_focus_within:
            await it.press("down")
        await it.press(*"1x")
        await it.shows("memory: '1x' is not a size")
        await it.press("enter")
        assert it.only().limits.memory is None
        await it.press("backspace", "backspace", *"5k", "enter")
        await it.shows("out of range")
        assert memory.typed() == "5k"
        assert it.only().limits.memory is None


async def test_every_limit_is_there_or_says_why_it_is_not(client: EngineClient) -> None:
    run(client, ["sleep", "1000"], "calm")
    async with deck(client) as it:
        await it.shows("● calm")
        await it.press("L")
        await it.shows("cpu weight")
        for reading in client.limits("calm"):
            if reading.name == "io":
                continue
            line = next(line for line in it.app.screen.query(LimitLine) if line.row.name == reading.name)
            assert line.field.disabled is not reading.supported
            if not reading.supported:
                assert reading.why_not[:24] in it.text()


async def test_a_container_that_goes_away_under_its_editor_is_said(client: EngineClient) -> None:
    id = run(client, ["sleep", "1000"], "calm")
    async with deck(client) as it:
        await it.shows("● calm")
        await it.press("enter", "L")
        await it.shows("limits of calm")
        client.remove(id, force=True)
        await it.shows("the container is gone")
        await it.press("escape")
        assert isinstance(it.app.screen, DetailsScreen)
        await it.shows("calm is gone")
        await it.press("3", "4", "6", "1", "escape")
        await it.until(lambda: isinstance(it.app.screen, MainScreen))


async def test_the_form_runs_a_shell_with_two_keys(client: EngineClient) -> None:
    calm = run(client, ["sleep", "1000"], "calm")  # an empty instance would get the containers of a first run
    async with deck(client) as it:
        await it.shows("● calm")
        await it.press("n")
        await it.until(lambda: isinstance(it.app.screen, NewScreen))
        await it.press("enter", "enter")
        await it.until(lambda: len(client.containers()) == 2)
        await it.until(lambda: isinstance(it.app.screen, MainScreen))
        (made,) = (one for one in client.containers() if one.id != calm)
        assert (made.image, made.tty) == ("host", True)
        await it.until(lambda: it.app.selection.current == made.id)


async def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(client: EngineClient) -> None:
    run(client, ["sleep", "1000"], "calm")
    async with deck(client) as it:
        await it.shows("● calm")
        await it.press("n")
        await it.until(lambda: isinstance(it.app.screen, NewScreen))
        await it.press("enter", "down", *"calm", "enter")
        await it.shows("calm")
        await it.until(lambda: it.app.screen.query_one("#told").has_class("-bad"))
        assert len(client.containers()) == 1
        await it.press(*"er")
        for _ in range(3):
            await it.press("down")
        await it.press("down", "right", "down", *"0.5", "down", *"32m", "enter")
        await it.until(lambda: len(client.containers()) == 2)
        made = next(c for c in client.containers() if c.name == "calmer")
        assert (made.network, made.limits.cpus, made.limits.memory) == ("none", 0.5, 32 << 20)


async def test_details_tell_what_the_engine_knows(client: EngineClient) -> None:
    command = ["sh", "-c", "echo the quick brown fox; echo hello > /tmp/made; exec sleep 1000"]
    config = ContainerConfig(image="host", command=command, env=["COLOUR=green"], limits=Limits(pids=50))
    id = client.run(config, "word")
    async with deck(client) as it:
        await it.shows("● word")
        await it.press("enter")
        await it.shows("COLOUR=green")
        await it.shows("CPU, cores")
        await it.press("2")
        await it.shows("the quick brown fox")
        await it.press("3")
        await it.shows("sleep 1000")
        await it.press("tab")
        await it.shows("mostly in /tmp (1)")
        await it.press("slash", *"made")
        await it.shows("1 match")
        await it.press("escape", "5")
        await it.shows(client.inspect(id)["NetworkSettings"]["MacAddress"])
        await it.press("6")
        await it.shows('"Id"')
        await it.press("slash", *"COLOUR", "enter")
        await it.shows("COLOUR=green")
        client.kill(id)
        await it.shows("Exited (137)")
        await it.press("3")
        await it.shows("nothing runs in it")
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, MainScreen))


async def test_an_engine_that_goes_away_does_not_close_the_editor(client: EngineClient) -> None:
    run(client, ["sleep", "1000"], "calm")
    async with deck(client) as it:
        await it.shows("● calm")
        await it.press("L")
        await it.until(lambda: isinstance(it.app.screen.focused and it.app.screen.focused.parent, LimitLine))
        client.shutdown()
        await it.press("1", "enter")
        await it.until(lambda: it.app.screen.query_one("#told").has_class("-bad"))
        assert isinstance(it.app.screen, LimitsScreen)
        assert it.app.screen.query(LimitLine).first().typed() == "1"
