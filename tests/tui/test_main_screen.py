"""The main screen driven by keys and mouse, on scripted snapshots: what it shows and asks the engine for."""

from __future__ import annotations

import pytest
from deck import deck
from scripted import container, many, sample, some

from engine.errors import Conflict
from engine.model import ContainerState
from tui.deck.app import DeckApp
from tui.deck.screens.confirm import Confirm
from tui.deck.widgets.panes import PaneGrid
from tui.deck.widgets.table import ContainerTable


def id_of(name: str) -> str:
    return container(name).id


class TestPanes:
    async def test_every_container_is_there_with_what_matters(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            assert "● word ▽" in it.text()
            assert "0.12 /    1" in it.text()
            assert "38M+12M  /  64M" in it.text()
            assert "exited 137 · out of memory at 256M" in it.line("db")
            assert "1.97/2" in it.line("tiffin")

    async def test_the_selection_survives_what_happens_around_it(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("j")
            assert it.selected == "setup"
            it.link.change(id_of("word"), state=ContainerState(status="exited", exit_code=0, finished_at=1.0))
            await it.tick()
            assert it.selected == "setup"
            del it.link.containers[id_of("setup")]
            await it.tick()
            assert it.selected == "web"

    async def test_moving_by_row_and_one_by_one(self, tmp_path) -> None:
        async with deck(tmp_path, many(9)) as it:
            await it.press("down")
            assert it.selected == "worker-0003"
            await it.press("j")
            assert it.selected == "worker-0004"
            await it.press("up")
            assert it.selected == "worker-0001"
            await it.press("G")
            assert it.selected == "worker-0008"
            await it.press("g")
            assert it.selected == "worker-0000"

    async def test_more_panes_than_fit_scroll_with_the_selection(self, tmp_path) -> None:
        async with deck(tmp_path, many(50), size=(80, 24)) as it:
            await it.press("G")
            assert "● worker-0049" in it.text()
            assert "worker-0000" not in it.text()

    async def test_a_click_selects_and_a_click_on_a_gauge_focuses_it(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            box = it.app.screen.query_one(PaneGrid)._layout_now.boxes[id_of("setup")]
            await it.pilot.click(PaneGrid, offset=(box.x + 5, box.y + 3))
            assert it.selected == "setup"
            assert it.app.selection.gauge == "memory"

    async def test_the_wheel_scrolls(self, tmp_path) -> None:
        async with deck(tmp_path, many(50), size=(80, 24)) as it:
            grid = it.app.screen.query_one(PaneGrid)
            grid.scroll_relative(y=10, animate=False)
            await it.pilot.pause()
            assert "● worker-0000" not in it.text()
            assert it.selected == "worker-0000"

    async def test_the_last_lines_of_output_fill_the_room(self, tmp_path) -> None:
        from scripted import output

        async with deck(tmp_path) as it:
            it.link.logs[id_of("word")] = output("the quick", "\x1b[1mbrown fox\x1b[0m")
            await it.tick()
            await it.until(lambda: "brown fox" in it.text())

    async def test_nothing_to_show_says_what_to_do(self, tmp_path) -> None:
        async with deck(tmp_path, []) as it:
            assert "n makes one" in it.text()
            await it.press("s", "K", "d", "plus", "enter", "L")
            assert not it.calls("stop")


class TestActing:
    @pytest.mark.parametrize(
        ("select", "key", "verb"),
        [("word", "s", "stop"), ("db", "s", "start"), ("word", "r", "restart"), ("word", "p", "pause")],
    )
    async def test_a_key_does_its_verb_by_state(self, tmp_path, select: str, key: str, verb: str) -> None:
        async with deck(tmp_path) as it:
            it.app.selection.select(id_of(select))
            await it.press(key)
            await it.until(lambda: it.calls(verb) == [(id_of(select),)])

    async def test_a_paused_one_is_woken(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            it.link.change(id_of("word"), state=ContainerState(status="paused", pid=1, started_at=1.0))
            await it.tick()
            assert "◐ word ▽ paused" in it.text()
            await it.press("p")
            await it.until(lambda: it.calls("unpause"))

    async def test_kill_and_remove_ask_first_and_name_what(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            for key, verb in (("K", "kill"), ("d", "remove"), ("delete", "remove")):
                await it.press(key)
                assert isinstance(it.app.screen, Confirm)
                assert f"{verb.capitalize()} word" in it.text()
                await it.press("escape")
                assert not it.calls(verb)
            await it.press("K", "y")
            await it.until(lambda: it.calls("kill") == [(id_of("word"),)])
            await it.press("d", "enter")
            await it.until(lambda: it.calls("remove") == [(id_of("word"),)])

    async def test_marked_ones_are_acted_on_together(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("space", "space")
            assert "2 marked" in it.text() or "waits" in it.text()
            await it.press("d")
            assert "Remove word, setup" in it.text()
            await it.press("y")
            await it.until(lambda: len(it.calls("remove")) == 2)
            assert not it.app.selection.marked

    async def test_read_only_refuses_and_says_so(self, tmp_path) -> None:
        async with deck(tmp_path, read_only=True) as it:
            await it.press("s", "r", "p", "K", "d", "plus", "u", "n", "e", "a")
            assert {name for name, *_ in it.link.fake.calls} <= {
                "log_extent",
                "group_changes",
            }  # they only look
            assert any("read-only" in notice for notice in it.notices)
            await it.press("R", "s")
            await it.until(lambda: it.calls("stop"))

    async def test_an_error_is_one_sentence_and_the_deck_goes_on(self, tmp_path) -> None:
        async with deck(tmp_path) as it:

            def stop(id: str) -> None:
                raise Conflict("word is being removed", "wait until it is gone")

            it.link.fake.stop = stop
            await it.press("s")
            await it.until(lambda: "word is being removed; wait until it is gone" in it.notices)
            await it.until(lambda: not it.app.store.busy)

    async def test_quitting_does_not_wait_for_what_is_under_way(self, tmp_path) -> None:
        import threading

        forever = threading.Event()
        async with deck(tmp_path) as it:
            it.link.fake.stop = lambda id: forever.wait(30)
            await it.press("s")
            await it.until(lambda: "stopping" in it.text())
            await it.press("q")
        forever.set()


def test_a_thread_that_goes_on_after_the_end_is_told_so(tmp_path) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from tui.deck.messages import SnapshotReady

    async def run() -> DeckApp:
        async with deck(tmp_path) as it:
            return it.app

    app = asyncio.run(run())
    with ThreadPoolExecutor() as threads:
        assert threads.submit(app.post_message, SnapshotReady()).result(10) is False
        app._closing = app._closed = False  # as it is while the loop is being closed
        assert threads.submit(app.call_later, print).result(10) is False


class TestLimits:
    async def test_plus_turns_the_focused_gauge_at_once_and_shows_it(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("plus")
            assert "0.12 /  1.5" in it.text()
            await it.until(lambda: it.calls("update"))
            assert it.calls("update")[0][1].cpus == 1.5
            await it.press("right", "minus")
            await it.until(lambda: len(it.calls("update")) == 2)
            assert it.calls("update")[1][1].memory == 56 << 20
            assert "┊" in it.text()

    async def test_keys_in_a_row_are_steps_in_a_row(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("minus", "minus", "minus")
            await it.until(lambda: len(it.calls("update")) == 3)
            assert [limits.cpus for _, limits in it.calls("update")] == [0.75, 0.5, 0.25]
            assert "0.12 / 0.25" in it.text()

    async def test_what_the_kernel_refuses_goes_back_to_what_it_was(self, tmp_path) -> None:
        async with deck(tmp_path) as it:

            def update(id: str, change: object) -> None:
                raise Conflict("no", "")

            it.link.fake.update = update
            await it.press("plus")
            await it.until(lambda: "no" in it.notices)
            await it.until(lambda: "0.12 /    1" in it.text())

    async def test_the_end_of_a_scale_is_said(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("j", "plus")
            assert any("it has no limit" in notice for notice in it.notices)
            assert not it.calls("update")

    async def test_undo_is_asked_of_the_engine(self, tmp_path) -> None:
        from engine.model import Limits, LimitsApplied

        async with deck(tmp_path) as it:
            applied = LimitsApplied(before=Limits(cpus=0.5), after=Limits(cpus=1.0), readings=[])
            it.link.fake.undo = lambda id: applied
            await it.press("u")
            await it.until(lambda: "word: cpus 0.5 → 1" in it.notices)


class TestTable:
    async def test_v_switches_and_is_remembered(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("v")
            assert "NAME" in it.text()
            assert "121M" in it.line(" web")
        async with deck(tmp_path) as it:
            assert "NAME" in it.text()

    async def test_sorting_by_column_and_the_other_way_round(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("v", "greater_than_sign")
            assert _names(it)[0] == "setup"
            await it.press("I")
            assert _names(it)[-1] == "setup"

    async def test_the_order_is_calm_and_the_cursor_stays(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("v", "greater_than_sign")
            assert _names(it)[0] == "setup"
            it.app.selection.select(id_of("word"))
            it.link.samples[id_of("word")] = sample(2.0, 0, 1, 1)
            await it.tick()
            assert _names(it)[0] == "setup"
            for _ in range(3):
                await it.tick()
            assert _names(it)[0] == "word"
            assert it.selected == "word"

    async def test_a_thousand_rows_follow_the_cursor(self, tmp_path) -> None:
        async with deck(tmp_path, many(1000)) as it:
            await it.press("v", "G")
            assert "worker-0999" in it.text()
            await it.press("pageup", "k")
            assert it.selected == "worker-0" + str(999 - it.app.screen.query_one(ContainerTable).page() - 1)

    async def test_a_click_on_a_title_sorts(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("v")
            await it.pilot.click(ContainerTable, offset=(it.line("NAME").index("MEM") + 1, 0))
            assert it.app.screen.query_one(ContainerTable).sort == "memory"


def _names(it) -> list[str]:
    lines = it.text().splitlines()
    first = next(n for n, line in enumerate(lines) if "NAME" in line)
    return [line[:12].replace("▽", "").split()[-1] for line in lines[first + 1 : first + 6]]


class TestFilter:
    async def test_it_narrows_both_views_and_esc_takes_it_back(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("slash", *"web")
            assert "● web" in it.text()
            assert "● word" not in it.text()
            await it.press("enter", "v")
            assert "setup" not in it.text()
            assert it.selected == "web"
            await it.press("escape")
            assert "setup" in it.text()
            assert it.selected == "web"

    async def test_states_count_and_nothing_found_is_said(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("slash", *"exited", "enter")
            assert "● web" not in it.text()
            assert "nightly" in it.text()
            await it.press("slash", *"xyz")
            assert "nothing matches" in it.text()

    async def test_letters_in_the_field_are_no_keys(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("slash", *"sKdq")
            assert it.app.is_running
            assert not isinstance(it.app.screen, Confirm)


class TestEngine:
    async def test_its_going_and_coming_back_is_shown_and_survived(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            it.link.lose("the engine went away and is being started again")
            await it.pilot.pause()
            assert "the engine went away and is being started again · containers run on" in it.text()
            assert "● word" in it.text()
            it.link.revive()
            await it.tick()
            assert "went away" not in it.text()

    async def test_one_that_was_stopped_is_started_when_asked(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            it.link.lose("the engine was stopped", stopped=True)
            await it.pilot.pause()
            assert "press E to start it" in it.text()
            await it.press("E")
            assert "press E" not in it.text()

    async def test_a_busy_screen_skips_ticks_and_queues_none(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            for _ in range(50):
                it.link.tick()
            await it.pilot.pause()
            assert it.app.store.snapshot.seq == it.link.seq


class TestWelcome:
    async def test_the_first_run_starts_two_small_containers_once(self, tmp_path) -> None:
        async with deck(tmp_path, []) as it:
            await it.until(lambda: len(it.calls("run")) == 2)
            for config, _ in it.calls("run"):
                assert config.image == "host"
                assert config.limits.cpus <= 0.5
                assert config.limits.memory <= 64 << 20
            await it.until(lambda: it.app.settings.welcomed)
        async with deck(tmp_path, []) as it:
            await it.tick()
            assert not it.calls("run")

    async def test_it_says_so_and_offers_to_remove_them(self, tmp_path) -> None:
        ours = [
            (container(name, labels={"tiffin.welcome": name}), sample(0.1, 0, 1, 1))
            for name in ("busy", "quiet")
        ]
        async with deck(tmp_path, [*ours, *many(1)]) as it:
            assert "X removes them" in it.text()
            await it.press("X")
            await it.until(lambda: len(it.calls("remove")) == 2)
            assert set(it.calls("remove")) == {(id_of("busy"),), (id_of("quiet"),)}

    @pytest.mark.parametrize("why", ["containers", "read-only"])
    async def test_not_where_there_is_something_or_nothing_may_be_done(self, tmp_path, why: str) -> None:
        async with deck(tmp_path, many(1) if why == "containers" else [], read_only=why == "read-only") as it:
            await it.tick()
            assert not it.calls("run")
            assert not it.calls("containers")


class TestShell:
    async def test_esc_never_quits_and_q_does(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("escape", "escape", "escape")
            assert it.app.is_running
            await it.press("q")
            assert it.app.return_code == 0

    async def test_keys_can_be_remapped_and_the_bar_says_so(self, tmp_path) -> None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "settings.toml").write_text('[keys]\n"container.start_stop" = "f5"\n')
        async with deck(tmp_path) as it:
            assert "f5 stop" in it.text()
            await it.press("f5")
            await it.until(lambda: it.calls("stop"))

    async def test_a_theme_is_chosen_in_the_palette_and_remembered(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await it.press("colon", *"theme light")
            await it.until(lambda: "theme: light" in it.text())
            await it.press("enter")
            await it.until(lambda: it.app.palette.name == "light")
        async with deck(tmp_path) as it:
            assert it.app.theme == "light"

    async def test_a_bad_theme_file_and_an_unknown_theme_are_one_warning_each(self, tmp_path) -> None:
        (tmp_path / "config" / "themes").mkdir(parents=True)
        (tmp_path / "config" / "themes" / "bad.toml").write_text("name = 3")
        async with deck(tmp_path, theme_name="pink") as it:
            assert it.app.theme == "dark"
            assert len(it.notices) == 2
            assert any("bad.toml" in notice for notice in it.notices)
            assert any("pink" in notice for notice in it.notices)

    async def test_without_colour_no_colour_is_written(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        async with deck(tmp_path) as it:
            colours = {
                segment.style.color.type.name
                for strip in it.app.screen._compositor.render_strips()
                for segment in strip
                if segment.style is not None and segment.style.color is not None
            }
            assert colours <= {"DEFAULT"}

    @pytest.mark.parametrize("size", [(80, 24), (200, 60), (40, 10), (20, 5)])
    @pytest.mark.parametrize("view", ["panes", "table"])
    async def test_any_size_is_drawn(self, tmp_path, size: tuple[int, int], view: str) -> None:
        async with deck(tmp_path, some() + many(20), size=size) as it:
            await it.press("1" if view == "panes" else "2", "j", "j")
            await it.tick()
            assert len(it.text().splitlines()) == size[1]
