"""What the deck draws, as text: figures in their columns, every row exactly as wide as it was asked to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import ContainerState, ContainerSummary, HostSample, IoLimit, Limits, Publish, Sample
from tui.deck import theme
from tui.deck.draw import bars, host, pane, rows, stopped
from tui.deck.draw.line import Line, cells, cut
from tui.deck.store import Point, Trace
from tui.deck.theme import Palette

PALETTE: Palette = theme.load(theme.Path("/nonexistent")).palettes["dark"]
HOST = HostSample(
    cores=2, cpu=1.97, cpu_some=0.61, memory_total=24 << 30, memory=5 << 30, cache=9 << 30, io_read=1e6,
    io_write=12e6, self_cpu=0.014, self_memory=61 << 20,
)  # fmt: skip
MiB = 1 << 20


def text(line: Line) -> str:
    return "".join(segment.text for segment in line)


def container(**fields) -> ContainerSummary:
    whole = {
        "id": "a" * 64,
        "name": "word",
        "image": "host",
        "image_id": "host",
        "command": "sh",
        "created_at": 1.0,
        "state": ContainerState(status="running", pid=1, started_at=808.0),
        "address": "10.88.0.2",
    }
    return ContainerSummary(**{**whole, **fields})


def view(sample: Sample, **fields) -> pane.PaneView:
    known = {
        "container": container(),
        "sample": sample,
        "trace": Trace(),
        "host": HOST,
        "now": 1000.0,
        "tail": [],
    }
    return pane.PaneView(**{**known, **fields})


FULL = Sample(
    cpu=0.12, cpu_some=0.62, throttled=0.41, memory=38 * MiB, cache=12 * MiB, io_read=0.0, io_write=12 << 10,
    net_rx=2048.0, net_tx=1.2 * MiB, pids=4,
)  # fmt: skip


class TestBar:
    def test_an_eighth_of_a_cell_shows(self) -> None:
        assert text(bars.bar(0.5, 10, "used", PALETTE)).rstrip() == "█████"
        assert text(bars.bar(1 / 80, 10, "used", PALETTE)).rstrip() == "▏"
        assert text(bars.bar(0.1875, 10, "used", PALETTE)).rstrip() == "█▉"

    def test_any_use_at_all_is_not_nothing(self) -> None:
        assert text(bars.bar(1e-9, 10, "used", PALETTE))[0] == "▏"
        assert text(bars.bar(0.0, 10, "used", PALETTE)).strip() == ""

    def test_what_cannot_be_told_is_not_an_empty_bar(self) -> None:
        assert text(bars.bar(None, 4, "used", PALETTE)) == "╌╌╌╌"

    def test_cache_is_hatched_behind_what_is_used(self) -> None:
        assert text(bars.bar(0.5, 10, "used", PALETTE, 0.2)).rstrip() == "█████▒▒"

    @given(st.floats(-1, 3), st.integers(1, 60), st.floats(0, 3))
    def test_it_is_as_wide_as_asked(self, share: float, width: int, beyond: float) -> None:
        assert cells(bars.bar(share, width, "used", PALETTE, beyond)) == width


class TestHistory:
    def test_a_cell_is_a_fixed_slice_of_time_so_that_the_past_does_not_change(self) -> None:
        points = [Point(at, (at % 7) / 7, 0.0) for at in range(900, 1000)]
        now = text(bars.history(points, [], 999.0, 20, 1.0, PALETTE))
        later = text(bars.history([*points, Point(1000.0, 0.5, 0.0)], [], 1002.0, 20, 1.0, PALETTE))
        assert later[:18] == now[1:19]

    def test_no_data_is_blank_and_a_turned_limit_a_tick(self) -> None:
        points = [Point(float(at), 1.0, 0.0) for at in range(970, 1000)]
        line = text(bars.history(points, [980.0], 999.0, 60, 1.0, PALETTE))
        assert line == " " * 30 + "▇" * 10 + "┊" + "▇" * 19

    @given(st.integers(1, 100), st.floats(0, 1e6))
    def test_it_is_as_wide_as_asked(self, width: int, now: float) -> None:
        points = [Point(now - n, 0.5, None) for n in range(60, 0, -1)]
        assert cells(bars.history(points, [now - 5], now, width, 2.0, PALETTE)) == width


class TestPane:
    def test_the_wireframe(self) -> None:
        limited = container(limits=Limits(cpus=1.0, memory=64 * MiB))
        lines = [
            text(row) for row in pane.draw(view(FULL, container=limited, tail=["typed: fox"]), 40, 9, PALETTE)
        ]
        assert lines[0] == "╭─ ● word ▽ ──────────────────── host ─╮"
        assert lines[1].endswith(" 12%  0.12 /    1 │")
        assert lines[2].endswith(" thr 41% stall 62% │")
        assert lines[3].endswith("   38M+12M  /  64M │")
        assert lines[4] == "│ IO  r    0 w  12K  NET ↓ 2.0K ↑ 1.2M │"
        assert lines[5] == "│ 10.88.0.2            4 procs  3m 12s │"
        assert lines[6].startswith("│ typed: fox ")
        assert lines[8] == "╰" + "─" * 38 + "╯"

    def test_without_limits_the_bar_says_so(self) -> None:
        lines = [text(row) for row in pane.draw(view(FULL), 40, 8, PALETTE)]
        assert lines[1].endswith("      0.12 /    ∞ │")
        assert lines[3].endswith("/    ∞ │")

    def test_what_the_host_cannot_tell_is_a_dash_never_a_zero(self) -> None:
        lines = [text(row) for row in pane.draw(view(Sample()), 40, 8, PALETTE)]
        assert lines[1].endswith(" – /    ∞ │")
        assert "stall   –" in lines[2]
        assert "r    – w    –" in lines[4]

    def test_the_selected_one_and_its_gauge_are_told_apart_without_colour(self) -> None:
        drawn = pane.draw(view(FULL, selected=True, gauge="memory"), 40, 8, PALETTE)
        assert text(drawn[0])[0] == "┏"
        assert [s.text for row in drawn for s in row if s.style is not None and s.style.reverse] == ["MEM"]

    def test_a_throttled_disk_says_to_how_much(self) -> None:
        limited = container(limits=Limits(io={"8:0": IoLimit(write_bps=10 * MiB)}))
        assert " w  12K ≤10M" in text(pane.draw(view(FULL, container=limited), 40, 8, PALETTE)[4])

    def test_output_and_names_cannot_drive_the_terminal(self) -> None:
        bad = container(name="a\x1b[2Jb", image="\x07")
        for line in pane.draw(view(FULL, container=bad, tail=["\x1b]0;x\x07"]), 60, 9, PALETTE):
            assert text(line).isprintable()

    @given(
        st.integers(20, 120),
        st.integers(7, 16),
        st.text(min_size=1, max_size=40),
        st.sampled_from(["", "stopping"]),
        st.sampled_from(["cpu", "io", "pids", None]),
        st.integers(0, 5),
    )
    def test_every_row_is_as_wide_as_asked(self, wide, high, name, doing, gauge, ports) -> None:
        publish = [Publish(container_port=80, host_port=8080 + n) for n in range(ports)]
        seen = container(name=name, image=name, limits=Limits(cpus=0.333333, pids=12345), publish=publish)
        shown = {"doing": doing, "gauge": gauge, "selected": bool(gauge), "marked": True, "tail": [name] * 3}
        drawn = pane.draw(view(FULL, container=seen, **shown), wide, high, PALETTE)
        assert [cells(row) for row in drawn] == [wide] * high


class TestStopped:
    def test_it_says_why_and_when(self, monkeypatch) -> None:
        state = ContainerState(
            status="exited", exit_code=137, oom_killed=True, oom_limit=256 * MiB, finished_at=1_770_000_000.0
        )
        line = text(stopped.draw(container(state=state), 8, 80, PALETTE, selected=False, marked=False))
        assert line.startswith("  ✕ word      exited 137 · out of memory at 256M · ")
        assert line.endswith("  host ")

    @given(st.integers(30, 200), st.text(max_size=60), st.integers(1, 24))
    def test_it_is_as_wide_as_asked(self, wide: int, error: str, names: int) -> None:
        state = ContainerState(status="exited", exit_code=1, error=error, finished_at=5.0)
        line = stopped.draw(
            container(state=state, image=error), names, wide, PALETTE, selected=True, marked=True
        )
        assert cells(line) == wide


class TestTable:
    def row(self, width: int, sample: Sample = FULL, **fields) -> str:
        seen = rows.RowView(container(**fields), sample, Trace(), HOST, 1000.0)
        return text(rows.draw(seen, rows.fit(width), PALETTE, marked=False, gauge=None, flashing=False))

    def test_numbers_stand_right_aligned_below_their_titles(self) -> None:
        fit = rows.fit(160)
        head = text(rows.header(fit, "cpu", True, PALETTE))
        row = self.row(160, limits=Limits(cpus=1.0, memory=64 * MiB))
        assert "CPU▼" in head
        for title, figure in (
            ("stall", "62%"),
            ("+cache", "12M"),
            ("NET ↓/s", "2.0K"),
            ("PIDS", "4"),
            ("UP", "3m"),
        ):
            end = head.index(title) + len(title)
            assert row[:end].endswith(figure), title

    def test_eighty_columns_keep_what_matters(self) -> None:
        keys = [column.key for column, _ in rows.fit(80).columns]
        assert {"name", "cpu", "stall", "memory", "limit", "read", "write", "up"} <= set(keys)

    @given(st.integers(20, 240), st.text(min_size=1, max_size=50), st.booleans())
    def test_every_row_is_as_wide_as_asked(self, width: int, name: str, running: bool) -> None:
        state = ContainerState(
            status="running" if running else "exited", exit_code=1, error=name, started_at=1.0
        )
        fit = rows.fit(width)
        seen = rows.RowView(container(name=name, image=name, state=state), FULL, Trace(), HOST, 1000.0)
        assert cells(rows.draw(seen, fit, PALETTE, marked=True, gauge="cpu", flashing=True)) == width
        assert cells(rows.header(fit, "name", False, PALETTE)) == width

    def test_a_click_on_a_title_finds_its_column(self) -> None:
        fit = rows.fit(120)
        head = text(rows.header(fit, "name", False, PALETTE))
        assert rows.column_at(fit, head.index("MEM")) == "memory"
        assert rows.column_at(fit, 0) == ""


class TestHostStrip:
    def test_eighty_columns_show_all_that_matters(self) -> None:
        line = text(host.draw(HOST, "lab-3", 80, PALETTE))
        for part in ("CPU", "1.97/2", "61%", "MEM", "5.0G", "/24G", "IO", "self", "1.4%"):
            assert part in line

    @given(st.integers(40, 300), st.booleans())
    def test_it_is_as_wide_as_asked(self, wide: int, known: bool) -> None:
        line = host.draw(HOST if known else HostSample(cores=64), "a-long-host-name", wide, PALETTE)
        assert cells(line) == wide

    def test_before_the_first_figures(self) -> None:
        assert text(host.draw(None, "lab-3", 40, PALETTE)).split() == ["tiffin", "lab-3"]


@pytest.mark.parametrize("room", range(8))
def test_a_row_is_cut_in_cells_also_where_characters_are_wide(room: int) -> None:
    line = [bars.Segment("ab"), bars.Segment("漢字"), bars.Segment("c")]
    assert cells(cut(line, room)) <= room
