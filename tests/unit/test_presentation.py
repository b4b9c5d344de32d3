"""Numbers, times, states and text as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import ContainerState, IoLimit, Limits, Publish
from tui.presentation import entry, limits, quantities, states, text, times


@given(st.floats(min_value=0, max_value=2**63))
def test_a_size_never_takes_more_than_four_characters(count: float) -> None:
    assert 1 <= len(quantities.size(count)) <= 4


@given(st.floats(min_value=0, max_value=1e14))
def test_a_count_never_takes_more_than_four_characters(count: float) -> None:
    assert 1 <= len(quantities.count(count)) <= 4


@given(st.floats(min_value=0, max_value=9999))
def test_cores_never_take_more_than_four_characters(cores: float) -> None:
    assert len(quantities.cores(cores)) <= 4


@given(st.integers(min_value=0, max_value=entry.LARGEST))
def test_an_exact_size_reads_back(count: int) -> None:
    assert entry.size(quantities.exact_size(count)) == count


@given(st.floats(min_value=0, max_value=1e8))
def test_an_exact_duration_reads_back_to_the_microsecond(seconds: float) -> None:
    assert entry.duration(times.exact_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@given(st.integers(min_value=1, max_value=10**9).map(lambda millionths: millionths / 10**6))
def test_exact_cores_read_back(cores: float) -> None:
    assert entry.cores(quantities.exact_cores(cores)) == pytest.approx(cores)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (512, "512B"),
        (1000, "1.0K"),
        (1 << 20, "1.0M"),
        (121 << 20, "121M"),
        (2**63, "8.0E"),
    ],
)
def test_sizes(count: float | None, shown: str) -> None:
    assert quantities.size(count) == shown


def test_what_cannot_be_told_is_a_dash_and_never_zero() -> None:
    for show in (quantities.size, quantities.rate, quantities.count, quantities.cores, quantities.share):
        assert show(None) == quantities.ABSENT != show(0)


def test_no_limit_is_infinite_and_has_no_share() -> None:
    assert quantities.size_limit(None) == quantities.cores_limit(None) == "∞"
    assert quantities.of_limit(1.9, None) == "–"
    assert quantities.of_limit(0.25, 0.5) == "50%"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (12, "12s"), (192, "3m 12s"), (3600, "1h"), (90000, "1d 1h"), (187200, "2d 4h"), (-5, "0s")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert times.duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.5, "less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (7200, "2 hours")],
)
def test_durations_in_words(seconds: float, shown: str) -> None:
    assert times.in_words(seconds) == shown


def test_an_out_of_memory_kill_is_named_with_the_limit_that_was_hit() -> None:
    state = ContainerState(
        status="exited", exit_code=137, oom_killed=True, oom_limit=256 << 20, finished_at=940
    )
    assert states.status_line(state, 1000) == "Exited (137) 1 minute ago, out of memory at 256M"
    assert states.why(state) == "exited 137 · out of memory at 256M"
    assert states.look(state).tone == "failed"


def test_a_stop_that_was_asked_for_is_no_failure() -> None:
    assert states.look(ContainerState(status="exited", exit_code=143)) == ("○", "stopped")
    assert states.look(ContainerState(status="exited", exit_code=137)).tone == "failed"
    assert states.why(ContainerState(status="exited", exit_code=137)) == "exited 137 · SIGKILL"


def test_every_state_has_a_glyph_and_a_line() -> None:
    for status in ("created", "running", "paused", "restarting", "exited", "dead", "removing"):
        state = ContainerState(status=status)
        assert states.look(state).glyph
        assert states.status_line(state, 1000)
    glyphs = {
        states.look(ContainerState(status=s, exit_code=0)).glyph
        for s in ("running", "paused", "exited", "dead")
    }
    assert len(glyphs) == 4


def test_ports_look_as_in_docker() -> None:
    assert states.port(Publish(container_port=80, host_port=8080)) == "0.0.0.0:8080->80/tcp"
    assert (
        states.port(Publish(container_port=53, host_port=53, host_ip="::1", protocol="udp"))
        == "[::1]:53->53/udp"
    )


@given(st.text(max_size=30), st.integers(min_value=1, max_value=20))
def test_padding_fills_its_cells_exactly(words: str, cells: int) -> None:
    line = text.harmless(words)
    assert text.width(text.pad(line, cells)) == cells


def test_wide_characters_are_measured_in_cells() -> None:
    assert text.width("日本") == 4
    assert text.clip("日本語", 4) == "日…"
    assert (
        text.table(["NAME", "N"], [["日本", "1"], ["ab", "22"]], right=(1,)) == "NAME   N\n日本   1\nab    22"
    )


def test_control_characters_cannot_drive_the_terminal() -> None:
    assert text.harmless("a\x1b[31mb\n") == "a\\x1b[31mb\\n"
    assert "\x1b" not in text.table(["NAME"], [["\x1b]0;owned\x07"]])


def test_differences_of_limits_name_what_changed_only() -> None:
    before = Limits(memory=64 << 20, io={"8:0": IoLimit(read_bps=1 << 20)})
    after = Limits(memory=64 << 20, cpus=0.5, io={"8:0": IoLimit(read_bps=1 << 20, write_iops=100)})
    assert limits.differences(before, after) == ["cpus ∞ → 0.5", "io 8:0 r 1MB/s → r 1MB/s w 100/s"]
    assert limits.differences(before, before) == []
    assert limits.differences(Limits(), Limits(cpu_weight=1)) == [
        "cpu weight default → 1"
    ]  # no ∞ for a weight
