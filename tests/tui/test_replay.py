"""The deck on a recording: every moment of it can be gone to, and nothing in it can be changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import KILLED, LENGTH, STALLS, TURNED, record, replay
from scripted import T0, container

from engine.recording import Recording
from engine.recording.summary import summary
from tui.deck.replay.timeline import TimeLine
from tui.deck.screens.chart import ChartScreen
from tui.presentation.recordings import moment_text, summary_text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return record(tmp_path / "r")


async def shown(it, n: float) -> None:
    """Wait until the deck is at a second of the recording."""
    await it.until(lambda: abs(it.app.store.now - T0 - n) < 0.01)


class TestMoving:
    async def test_by_frames_minutes_and_to_the_ends(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await shown(it, 0)
            await it.press("right", "right", "right", "left")
            await shown(it, 2)
            await it.press("right_curly_bracket")
            await shown(it, 62)
            await it.press("left_curly_bracket", "left_curly_bracket")
            await shown(it, 0)
            await it.press("end")
            await shown(it, LENGTH - 1)
            assert "4m 59s of 4m 59s" in it.line("replay")
            await it.press("home")
            await shown(it, 0)

    async def test_panes_are_what_they_were_then(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            assert "● db" in it.text()
            assert "1.90 /    ∞" in it.text()
            await it.press("end")
            await shown(it, LENGTH - 1)
            assert "exited 137 · out of memory at 256M" in it.line(" db")
            assert "0.50 /  0.5" in it.text()
            await it.press("home")
            await shown(it, 0)
            assert "● db" in it.text()
            assert it.app.store.traces[container("setup").id].points[-1].at == T0

    async def test_the_minute_before_a_moment_is_there_after_a_jump(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await it.press("right_curly_bracket", "right_curly_bracket")
            await shown(it, 120)
            points = it.app.store.traces[container("word").id].points
            assert [point.at for point in points] == [T0 + n for n in range(60, 121)]
            assert points[-1].stall == pytest.approx(0.9)

    async def test_it_plays_faster_and_stops_at_the_end(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await it.press("plus", "plus", "space")
            await it.until(lambda: "▶ ×60" in it.line("replay"))
            await it.until(lambda: not it.app.replay.playing)
            await shown(it, LENGTH - 1)
            await it.until(lambda: "‖ ×60" in it.line("replay"))  # the line follows a moment later
            await it.press("space")
            await it.until(lambda: it.app.store.now < T0 + LENGTH - 1)

    async def test_a_click_on_the_line_goes_there(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await it.pilot.click(TimeLine, offset=(60, 1))
            await it.until(lambda: abs(it.app.store.now - T0 - LENGTH / 2) < 3)


class TestMoments:
    async def test_the_worst_is_one_key_away(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await it.press("w")
            await it.until(lambda: it.app.store.now - T0 > KILLED - 2)
            assert "db ran out of memory" in it.line("replay")
            await it.press("left_square_bracket")
            await it.until(lambda: it.app.store.now - T0 in STALLS)
            assert "word waited 90% of the time for CPU" in it.line("replay")
            assert it.selected == "word"

    async def test_from_event_to_event(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await it.press("n")
            await shown(it, TURNED)
            assert "setup: cpus max → 0.5" in it.line("replay")
            await it.press("n")
            await shown(it, KILLED)
            assert "db ran out of memory at 256M" in it.text()
            await it.press("n")
            assert "no event after this" in it.said
            await it.press("N", "N")
            await shown(it, TURNED)

    async def test_they_are_marked_on_the_line(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            levels, signs = it.text().splitlines()[-3:-1]
            assert levels[int(115 / 300 * 120)] == "▇"
            assert signs.index("┊") == pytest.approx(TURNED / 300 * 120, abs=1)
            assert signs.index("✕") == pytest.approx(KILLED / 300 * 120, abs=1)

    async def test_a_summary_is_copied(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await it.press("n")
            await shown(it, TURNED)
            await it.press("y")
            await it.until(lambda: it.app.clipboard)
            recording = Recording(path)
            assert it.app.clipboard.startswith(moment_text(recording.at(T0 + TURNED)))
            assert summary_text(summary(recording)) in it.app.clipboard


class TestNothingActs:
    async def test_acting_keys_are_refused_in_a_sentence(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            keys = "srpuLeaKdRoD"
            await it.press(*keys)
            assert it.said == ["this is a recording: nothing in it can be changed"] * len(keys)
            assert len(it.app.screen_stack) == 2

    async def test_output_is_said_not_to_be_recorded(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await it.press("l")
            assert "output is not recorded" in it.said[0]
            await it.press("enter", "3")
            await it.until(lambda: "a recording does not have processes" in it.text())

    async def test_a_recording_that_is_not_whole_says_so(self, tmp_path: Path, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-100])
        async with replay(tmp_path, path) as it:
            assert "not a whole frame" in it.said[0]
            await it.press("end")
            await it.until(lambda: it.app.store.now > T0)


class TestChart:
    async def test_marked_containers_are_overlaid_with_events_and_values(
        self, tmp_path: Path, path: Path
    ) -> None:
        async with replay(tmp_path, path) as it:
            await it.press("m", "m", "c")
            await it.until(lambda: isinstance(it.app.screen, ChartScreen) and "1.90" in it.line("◆ setup"))
            assert "CPU, cores" in it.text()
            axis = it.line("└")
            assert axis.index("┊") < axis.index("✕")
            await it.press("down")
            await it.until(lambda: "most   90.0%" in it.line("● word"))

    async def test_the_cursor_reads_values_and_goes_to_its_moment(self, tmp_path: Path, path: Path) -> None:
        async with replay(tmp_path, path) as it:
            await it.press("n")
            await shown(it, TURNED)
            await it.press("c")
            await it.until(lambda: "0.50" in it.line("at the cursor"))
            assert "setup: cpus max → 0.5" in it.text()
            await it.press(*["left"] * 5)
            await it.until(lambda: "1.90" in it.line("at the cursor"))
            await it.press("enter")
            await it.until(lambda: it.app.store.now < T0 + TURNED)
            assert not isinstance(it.app.screen, ChartScreen)

    async def test_without_colour_lines_have_their_signs(
        self, tmp_path: Path, path: Path, monkeypatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        async with replay(tmp_path, path) as it:
            await it.press("m", "m", "m", "c")
            await it.until(lambda: "1.90" in it.line("◆ setup"))
            picture = "\n".join(line for line in it.text().splitlines() if "│" in line or "┤" in line)
            assert all(sign in picture for sign in "●◆▲")

    @pytest.mark.parametrize("size", [(200, 60), (30, 8)])
    async def test_any_size_is_drawn(self, tmp_path: Path, path: Path, size: tuple[int, int]) -> None:
        async with replay(tmp_path, path, size=size) as it:
            await it.press("m", "m", "c", "minus", "plus", "plus", "left_curly_bracket", "left", "end")
            await it.until(lambda: "chart" in it.text())
            assert len(it.text().splitlines()) == size[1]
            await it.press("escape", "escape")
            await it.until(lambda: "replay" in it.text())


class TestLiveChart:
    async def test_it_goes_on_with_every_tick(self, tmp_path: Path) -> None:
        from deck import deck

        async with deck(tmp_path) as it:
            it.link.fake.history = lambda id, seconds: it.link._past(id)
            await it.press("c")
            await it.until(lambda: isinstance(it.app.screen, ChartScreen))
            await it.tick()
            await it.tick()
            assert "0.12" in it.line("● word")
            assert "now" in it.text()
            await it.press("escape")
            assert "● setup" in it.text()
