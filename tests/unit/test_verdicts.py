"""Who is hurting whom: the maths of evidence, own limits, and the judge over made-up ticks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import Events
from engine.model import (
    REST,
    Blame,
    ContainerState,
    ContainerSummary,
    Group,
    HostSample,
    IoLimit,
    Limits,
    Sample,
)
from engine.watch.blame import Judge, Parties, Ruling
from engine.watch.blame.cost import disk_time
from engine.watch.blame.evidence import antagonist, share, together
from engine.watch.blame.held import cores_of, held
from tui.presentation.blame import remedy, sentence
from tui.presentation.glossary import markdown

PROJECT = Path(__file__).parents[2]
shares = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 4)), min_size=3, max_size=60)
HOST = HostSample(cores=2, cpu=2.0)
CALM = Sample(cpu=0.01, cpu_some=0.0, cpu_full=0.0, memory=1 << 20, cache=0, memory_some=0.0, io_some=0.0)


@given(shares)
def test_evidence_stays_in_its_range(pairs: list[tuple[float, float]]) -> None:
    stall, use = [c for c, _ in pairs], [u for _, u in pairs]
    assert -1.000001 <= antagonist(stall, use) <= 1
    assert 0 <= share(stall, use, [u + 1 for u in use]) <= 1
    assert -1 <= together(stall, use) <= 1


@given(shares, st.floats(0.1, 10))
def test_evidence_does_not_depend_on_the_unit_of_use(pairs: list[tuple[float, float]], unit: float) -> None:
    stall, use = [c for c, _ in pairs], [u for _, u in pairs]
    assert antagonist(stall, [u * unit for u in use]) == pytest.approx(antagonist(stall, use), abs=1e-6)


def test_a_hog_in_phase_speaks_against_itself_and_one_out_of_phase_does_not() -> None:
    stall = [0.6, 0.6, 0.0, 0.0] * 5
    assert antagonist(stall, [2, 2, 0, 0] * 5) == pytest.approx(0.75)
    assert antagonist(stall, [0, 0, 2, 2] * 5) == -1
    assert antagonist(stall, [0] * 20) == 0
    assert together(stall, [2, 2, 0, 0] * 5) > 0.8
    assert together(stall, [0, 0, 2, 2] * 5) < -0.8
    assert together([0.6] * 20, [1, 2] * 10) == 0


def test_a_disk_is_used_by_operations_as_well_as_by_bytes() -> None:
    assert disk_time(488_636_629, 0, 0, 0) == pytest.approx(1)
    assert disk_time(4096 * 8518, 0, 8518, 0) == pytest.approx(1)
    assert disk_time(None, None, None, None) == 0


def stalled(cpu: float, some: float, **fields: float) -> Sample:
    return Sample(cpu=cpu, cpu_some=some, cpu_full=some, **fields)  # type: ignore[arg-type]


def test_a_quota_that_runs_out_is_told_with_one_that_would_not() -> None:
    samples = [stalled(0.5, 0.5, throttled=1.0)] * 5
    found = held("cpu", samples, Limits(cpus=0.5), HOST)
    assert found
    assert (found.limit, found.now, found.advice) == ("cpus", 0.5, 1.0)
    assert remedy("word", found) == "tiffin update --cpus 1 word"
    assert held("cpu", samples, Limits(), HOST) is None
    assert held("cpu", [stalled(0.1, 0.5, throttled=0.0)] * 5, Limits(cpus=0.5), HOST) is None


def test_other_limits_that_hold() -> None:
    idle = held("cpu", [stalled(0.1, 0.5)], Limits(cpu_idle=True), HOST)
    assert idle
    assert idle.limit == "cpu_idle"
    pinned = held("cpu", [stalled(0.98, 0.5)] * 3, Limits(cpuset="1"), HOST)
    assert pinned
    assert (pinned.limit, pinned.now, pinned.advice) == ("cpuset", 1, 2)
    full = Sample(memory=60 << 20, cache=4 << 20, memory_failures=3)
    limit = held("memory", [full, full], Limits(memory=64 << 20), HOST)
    assert limit
    assert limit.limit == "memory"
    assert limit.advice >= 80 << 20
    slow = held(
        "memory", [Sample(memory_highs=1), Sample(memory_highs=5)], Limits(memory_high=32 << 20), HOST
    )
    assert slow
    assert slow.limit == "memory_high"
    throttle = Limits(io={"8:0": IoLimit(write_bps=1 << 20)})
    writing = held(
        "io", [Sample(io_write=1e6, io_read=0.0, io_reads=0.0, io_writes=10.0)] * 3, throttle, HOST
    )
    assert writing
    assert (writing.limit, writing.device) == ("write_bps", "8:0")
    assert cores_of("0-1,3") == {0, 1, 3}


def container(name: str, **limits: object) -> ContainerSummary:
    return ContainerSummary(
        id=name, name=name, image="", image_id="", command="", created_at=0, state=ContainerState(),
        limits=Limits(**limits),  # type: ignore[arg-type]
    )  # fmt: skip


class Court:
    """A judge and the ticks he is given, a second apart."""

    def __init__(self, *containers: ContainerSummary) -> None:
        self.judge = Judge()
        self.parties = Parties({one.id: one for one in containers})
        self.at = 1000.0
        self.rulings: list[Ruling] = []

    def hears(self, samples: Mapping[str, Sample], ticks: int = 6, host: HostSample = HOST) -> list[Blame]:
        for _ in range(ticks):
            self.at += 1
            self.rulings += self.judge.tick(self.at, 1.0, host, samples, self.parties)
        return self.judge.verdicts.get("word", [])


def test_a_hog_is_named_and_a_stall_that_is_over_is_forgotten() -> None:
    court = Court(container("word"), container("setup"), *(container(f"calm{n}") for n in range(10)))
    calm = {f"calm{n}": CALM for n in range(10)}
    (verdict,) = court.hears({"word": stalled(0.1, 0.6), "setup": stalled(1.8, 0.9), **calm})
    assert (verdict.resource, verdict.cause, verdict.stall) == ("cpu", "neighbour", pytest.approx(0.6))
    assert verdict.accused
    assert (verdict.accused.name, verdict.accused.usage) == ("setup", pytest.approx(1.8))
    assert "word waits 60 % of the time for CPU · suspect: setup (1.80 cores" in sentence("word", verdict)
    court.hears({"word": CALM, "setup": CALM, **calm})
    assert court.judge.verdicts == {}
    assert [(r.verdict.id, r.begins) for r in court.rulings if r.verdict.id == "word"] == [
        ("word", True),
        ("word", False),
    ]


def test_a_stall_has_to_last() -> None:
    court = Court(container("word"), container("setup"))
    assert court.hears({"word": stalled(0.1, 0.9), "setup": stalled(1.9, 0.9)}, ticks=1) == []


def test_many_small_users_are_nobody_in_particular() -> None:
    court = Court(container("word"), *(container(f"calm{n}") for n in range(30)))
    many = {f"calm{n}": stalled(0.06, 0.1) for n in range(30)}
    (verdict,) = court.hears({"word": stalled(0.1, 0.5), **many})
    assert verdict.cause == "host"
    assert verdict.accused is None


def test_who_has_more_to_do_than_it_can_get_accuses_nobody() -> None:
    court = Court(container("word"), container("calm"))
    (verdict,) = court.hears({"word": stalled(1.9, 0.9), "calm": CALM})
    assert verdict.cause == "itself"


def test_own_limit_comes_before_a_neighbour() -> None:
    court = Court(container("word", cpus=0.2), container("setup"))
    (verdict,) = court.hears({"word": stalled(0.2, 0.8, throttled=0.9), "setup": stalled(1.7, 0.5)})
    assert verdict.cause == "limit"
    assert verdict.held
    assert "held by its own limit: cpus 0.2" in sentence("word", verdict)


def test_who_runs_idle_or_elsewhere_is_not_to_blame() -> None:
    for other in (container("setup", cpu_idle=True), container("setup", cpuset="1")):
        court = Court(container("word", cpuset="0"), other, container("hog"))
        (verdict,) = court.hears(
            {"word": stalled(0.1, 0.5), "setup": stalled(1, 0.5), "hog": stalled(0.9, 0.5)}
        )
        assert verdict.accused
        assert verdict.accused.name == "hog"


def test_work_outside_all_cgroups_is_a_suspect_too() -> None:
    court = Court(container("word"))
    (verdict,) = court.hears({"word": stalled(0.1, 0.5)})
    assert verdict.accused
    assert verdict.accused.id == REST


def test_a_tree_counts_once_and_what_the_victim_lies_in_is_no_suspect() -> None:
    groups = {
        id: Group(id=id, path=id[7:], parent=parent, name=id[8:])
        for id, parent in (
            ("cgroup:/a", "cgroup:/"),
            ("cgroup:/a/b", "cgroup:/a"),
            ("cgroup:/a/v", "cgroup:/a"),
        )
    }
    court = Court()
    court.parties = Parties({}, groups)
    samples = {
        "cgroup:/a": stalled(1.9, 0.5),
        "cgroup:/a/b": stalled(1.7, 0.1),
        "cgroup:/a/v": stalled(0.2, 0.5),
    }
    court.hears(samples)
    (verdict,) = court.judge.verdicts["cgroup:/a/v"]
    assert "cgroup:/a" not in court.judge.verdicts
    assert verdict.suspects[0].id == "cgroup:/a/b"
    assert "cgroup:/a" not in {suspect.id for suspect in verdict.suspects}
    assert verdict.suspects[0].share == pytest.approx(0.85, abs=0.02)


def test_who_was_named_stays_named_while_another_is_hardly_likelier() -> None:
    court = Court(container("word"), container("one"), container("two"))
    court.hears({"word": stalled(0.1, 0.5), "one": stalled(1.0, 0.5), "two": stalled(0.9, 0.5)})
    (verdict,) = court.hears(
        {"word": stalled(0.1, 0.5), "one": stalled(0.93, 0.5), "two": stalled(0.97, 0.5)}, 30
    )
    assert verdict.accused
    assert verdict.accused.name == "one"


def test_a_stall_that_comes_and_goes_is_told_once_a_minute(tmp_path: Path) -> None:
    from engine.containers.stalls import Stalls

    court = Court(container("word"), container("setup"))
    court.hears({"word": stalled(0.1, 0.6), "setup": stalled(1.8, 0.9)})
    ruling = next(r for r in court.rulings if r.verdict.id == "word")
    events = Events(tmp_path / "events.ndjson")
    stalls = Stalls(events)
    for second in range(10):
        stalls.tell(ruling, second)
        stalls.tell(ruling._replace(begins=False), second + 0.5)
    stalls.tell(ruling, 61)
    told = [(event.action, event.attributes["suspect"]) for event in events.since(0)]
    assert told == [("stall", "setup"), ("stall_end", "setup"), ("stall", "setup")]
    events.close()


def test_a_thousand_suspects_are_judged_in_bounded_time() -> None:
    court = Court(container("word"), *(container(f"c{n}") for n in range(1000)))
    samples = {"word": stalled(0.1, 0.5), **{f"c{n}": stalled(0.02, 0.3) for n in range(1000)}}
    court.hears(samples, 8)
    # All of them stall: only so many are judged in a tick, the rest in the next ones.
    assert 0 < len(court.judge.verdicts) <= 1001
    judged = len(court.judge.verdicts)
    court.hears(samples, 1)
    assert len(court.judge.verdicts) <= judged + 40_000 // 1001 + 1


def test_the_docs_have_the_glossary_as_it_is() -> None:
    assert markdown() in (PROJECT / "docs" / "attribution.md").read_text()
