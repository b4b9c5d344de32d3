"""Demos on the screen and on paper, of made-up runs: always as wide as the terminal, always well-formed."""

from __future__ import annotations

import re
from pathlib import Path
from xml.dom import minidom

import msgspec
import pytest

from engine.model import (
    KernelWrite,
    Lane,
    Measure,
    Protection,
    Scenario,
    ScenarioRun,
    Tried,
    Verdict,
)
from engine.scenarios.line import KEPT, typed
from engine.scenarios.tally import Tally, percentile
from tui.deck.demos import draw
from tui.deck.draw.line import cells
from tui.deck.theme import load
from tui.presentation import demos as show
from tui.presentation import report

SIZES = [(80, 22), (120, 34), (200, 58)]
ID = "0a" * 32


def lane(name: str, peak: float, **fields: object) -> Lane:
    whole: dict[str, object] = {
        "name": name,
        "title": f"{name}: a title that says <what> & how",
        "turn": name == "protected",
        "at": 6.0,
        "victim": typed(500),
        "neighbour": "unpacked 1 840 parts",
        "points": [(n / 10, peak * (n % 7) / 6) for n in range(1, 60)],
        "measures": [Measure(label="p99", value=peak, unit="ms"), Measure(label="cores", value=1.88)],
    }
    return Lane(**{**whole, **fields})  # type: ignore[arg-type]


def a_run(**fields: object) -> ScenarioRun:
    scenario = Scenario(
        name="cpu", title="setup hogs the CPU, word stutters", story="word types. " * 12, unit="ms", seconds=20,
        suffering="keystroke latency, p99", work="parts", protections=[Protection(name="idle", words="x", price="y")],
    )  # fmt: skip
    whole: dict[str, object] = {
        "scenario": scenario,
        "state": "running",
        "seconds": 20.0,
        "elapsed": 12.0,
        "protection": "idle",
        "lanes": [lane("unprotected", 20.8), lane("protected", 1.2)],
        "written": [
            KernelWrite(container="setup", file=f"/sys/fs/cgroup/cpu/tiffin-ab/{ID}/cpu.idle", value="1"),
            KernelWrite(
                container="word", file=f"/sys/fs/cgroup/pids/tiffin/{ID}/pids.max", value="16", cap=True
            ),
        ],
        "verdict": Verdict(
            figures=[
                Measure(label="before", value=20.8, unit="ms"),
                Measure(label="after", value=1.2, unit="ms"),
                Measure(label="setup's work kept", value=102, unit="%"),
            ],
            words="17 × smoother typing, 102% of setup's work kept.",
        ),
        "tried": [
            Tried(protection="idle", suffered=1.2, kept=1.02),
            Tried(protection="quota", suffered=4.4, kept=None),
        ],
        "notes": ["A note of some length. " * 8],
        "host": "2 cores, Linux 6.18 <test>",
    }
    return ScenarioRun(**{**whole, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(("wide", "high"), SIZES)
@pytest.mark.parametrize("state", ["preparing", "running", "done", "left", "failed"])
def test_every_row_is_as_wide_as_the_terminal(wide: int, high: int, state: str) -> None:
    palette = load(Path("/nonexistent")).palettes["dark"]
    facts = [
        lane(name, 1, facts=[("system", "Debian " * 20)], points=[]) for name in ("unprotected", "protected")
    ]
    for run in (
        a_run(state=state, error="it broke" if state == "failed" else ""),
        a_run(state=state, lanes=facts, verdict=None, written=[], tried=[]),
    ):
        rows = draw.body(run, wide, high, palette)
        assert len(rows) == high
        assert {cells(row) for row in rows} == {wide}
        assert cells(draw.heading(run, wide, palette)) == wide


def test_both_curves_have_one_scale_and_the_verdict_is_said() -> None:
    palette = load(Path("/nonexistent")).palettes["dark"]
    text = ["".join(segment.text for segment in row) for row in draw.body(a_run(), 120, 34, palette)]
    assert sum("50ms" in line.replace(" ", "") for line in text) >= 1
    left = [line[:59] for line in text]
    right = [line[60:] for line in text]
    assert any("█" in line for line in left)
    assert not any("█" in line for line in right)  # 1.2 of 50 ms
    assert any("17 × smoother typing" in line for line in text)
    assert any("…/setup/cpu.idle ← 1" in line for line in text)
    assert not any("pids.max" in line for line in text)  # a cap of the demo's own


def test_the_reports_are_well_formed_and_have_every_number() -> None:
    run = a_run()
    picture = report.svg(run)
    minidom.parseString(picture)
    page = report.html(run)
    found = re.search(r"<svg.*?</svg>", page, re.DOTALL)
    assert found
    minidom.parseString(found[0])
    minidom.parseString(re.sub(r"<!doctype html>|<meta[^>]*>", "", page))
    for words in (
        "20.8 ms",
        "1.20 ms",
        "102 %",
        "…/setup/cpu.idle ← 1",
        "…/word/pids.max ← 16",
        "&lt;test&gt;",
    ):
        assert words in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # self-contained
    minidom.parseString(report.svg(a_run(verdict=None, state="left")))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(20.83, "ms", "20.8 ms"), (1.151, "ms", "1.15 ms"), (102.4, "%", "102 %"), (7, "×", "7 ×"),
     (1840.2, "/s", "1 840/s"), (1.883, "", "1.88"), (None, "ms", "–")],
)  # fmt: skip
def test_numbers_are_short(value: float | None, unit: str, text: str) -> None:
    assert show.number(Measure(label="", value=value, unit=unit)) == text
    assert show.number(Measure(label="", value=None, why_not="no qemu")) == "not measured"


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99)] == [50, 95, 99]
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([], 0.5) is None


def test_turns_add_up() -> None:
    both = Tally([1.0], 1, 10, 2.0, 4.0).plus(Tally([3.0], 0, 30, 2.0, 4.0))
    assert both.failures == pytest.approx(100 / 3)
    assert (both.rate, both.cores) == (5.0, 0.5)
    assert Tally().rate is None
    assert Tally().failures is None


def test_the_typed_line_is_bounded_and_goes_on() -> None:
    assert typed(0) == "▌"
    assert typed(9) == "the quick▌"
    assert len(typed(100_000)) == KEPT + 1


def test_a_run_is_the_same_after_the_wire() -> None:
    run = a_run()
    assert msgspec.json.decode(msgspec.json.encode(run), type=ScenarioRun) == run
