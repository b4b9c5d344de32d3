"""Steps of limits, geometry of panes, alerts, ends of logs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import (
    ContainerState,
    ContainerSummary,
    HostSample,
    IoLimit,
    Limits,
    LimitsChange,
    Sample,
    Snapshot,
)
from tui.deck.actions import merged
from tui.deck.alerts import alert
from tui.deck.background import Background
from tui.deck.steps import cpu_scale, memory_scale, turn
from tui.deck.store import Store
from tui.deck.tails import last_lines
from tui.deck.widgets.layout import arrange, beside

MiB, GiB = 1 << 20, 1 << 30


def turned(limits: Limits, gauge, up: bool, used: int = 0) -> LimitsChange | None:
    return turn(gauge, limits, up, cores=2, memory=GiB, used=used, device="8:0")


class TestSteps:
    def test_cpu_goes_through_parts_of_a_core_to_the_machine_and_then_to_none(self) -> None:
        seen: list[float | None] = []
        limits = Limits(cpus=0.1)
        while (change := turned(limits, "cpu", True)) is not None:
            limits = merged(limits, change)
            seen.append(limits.cpus)
        assert seen == [0.25, 0.5, 0.75, 1, 1.5, 2, None]

    @pytest.mark.parametrize("gauge", ["cpu", "memory", "io", "pids"])
    def test_up_takes_back_what_down_did(self, gauge) -> None:
        limits = Limits(
            cpus=0.5, memory=64 * MiB, io={"8:0": IoLimit(read_bps=MiB * 5, write_bps=MiB * 5)}, pids=50
        )
        down = turned(limits, gauge, False)
        assert down is not None
        up = turned(merged(limits, down), gauge, True)
        assert up is not None
        assert merged(merged(limits, down), up) == limits

    def test_there_is_an_end_both_ways(self) -> None:
        assert turned(Limits(), "cpu", True) is None
        assert turned(Limits(cpus=0.01), "cpu", False) is None
        assert turned(Limits(memory=8 * MiB), "memory", False) is None
        assert turned(Limits(), "io", True) is None

    def test_a_first_memory_limit_is_above_what_is_used_and_close_to_it(self) -> None:
        change = turned(Limits(), "memory", False, used=30 * MiB)
        assert change is not None
        assert 30 * MiB < change.memory <= 60 * MiB  # type: ignore[operator]

    @pytest.mark.parametrize(
        ("used", "first"), [(0, 10 * MiB), (30 * MiB, 50 * MiB), (9000 * MiB, 2000 * MiB)]
    )
    def test_a_first_io_limit_is_close_to_what_goes_on(self, used: int, first: int) -> None:
        change = turned(Limits(), "io", False, used=used)
        assert change is not None
        assert change.io == {"8:0": IoLimit(read_bps=first, write_bps=first)}

    @given(st.floats(0.001, 3), st.booleans())
    def test_a_step_leads_in_its_direction_from_anywhere(self, cpus: float, up: bool) -> None:
        change = turned(Limits(cpus=cpus), "cpu", up)
        if change is not None:
            assert change.cpus is None or (change.cpus > cpus) == up  # type: ignore[operator]
            assert change.cpus is not None or up

    def test_scales_ascend_and_stay_below_the_machine(self) -> None:
        for cores in (1, 2, 8, 128):
            assert cpu_scale(cores) == sorted(set(cpu_scale(cores)))
            assert cpu_scale(cores)[-1] == cores
        assert memory_scale(24 * GiB) == sorted(set(memory_scale(24 * GiB)))
        assert max(memory_scale(24 * GiB)) < 24 * GiB

    def test_clearing_io_forgets_the_device(self) -> None:
        limits = Limits(io={"8:0": IoLimit(read_bps=1, write_bps=1)})
        assert merged(limits, LimitsChange(io={"8:0": IoLimit()})).io == {}


class TestLayout:
    def test_four_are_two_by_two(self) -> None:
        layout = arrange(["a", "b", "c", "d"], [], 120, 30)
        assert [(box.x, box.y) for box in layout.boxes.values()] == [(0, 0), (60, 0), (0, 14), (60, 14)]

    def test_stopped_ones_are_one_row_each_below(self) -> None:
        layout = arrange(["a"], ["b", "c"], 80, 20)
        assert [layout.boxes[id].height for id in "abc"] == [14, 1, 1]
        assert layout.boxes["c"].y == layout.height - 1

    @given(st.integers(0, 40), st.integers(0, 40), st.integers(20, 300), st.integers(5, 80))
    def test_boxes_fill_the_width_and_never_overlap(self, running, halted, width, height) -> None:
        ids = [str(n) for n in range(running + halted)]
        layout = arrange(ids[:running], ids[running:], width, height)
        assert set(layout.boxes) == set(ids)
        for row in layout.rows:
            edge = 0
            for id in row:
                assert layout.boxes[id].x == edge
                edge = layout.boxes[id].right
            assert edge <= width

    def test_down_leads_to_the_pane_below_and_up_back(self) -> None:
        boxes = arrange([str(n) for n in range(5)], ["x"], 120, 20).boxes
        assert beside(boxes, "1", True) == "4"
        assert beside(boxes, "4", False) == "1"
        assert beside(boxes, "2", False) == "2"
        assert beside(boxes, "4", True) == "x"


def container(name: str, state: ContainerState, limits: Limits | None = None) -> ContainerSummary:
    return ContainerSummary(
        id=name,
        name=name,
        image="host",
        image_id="host",
        command="sh",
        created_at=1,
        state=state,
        limits=limits or Limits(),
    )


def watched(stall: float, throttled: float, cpu: float, containers: list[ContainerSummary]) -> Store:
    store = Store()
    for seq in range(10):
        store.apply(
            Snapshot(
                seq=seq,
                at=1000.0 + seq,
                interval=1.0,
                host=HostSample(cores=2, cpu=cpu),
                containers=containers,
                samples={c.id: Sample(cpu=0.1, cpu_some=stall, throttled=throttled) for c in containers},
            )
        )
    return store


class TestAlerts:
    running = ContainerState(status="running", started_at=1)

    def test_calm_is_no_alert(self) -> None:
        assert alert(watched(0.05, 0, 1.0, [container("word", self.running)])) is None

    def test_its_own_limit_is_told_from_a_full_machine(self) -> None:
        limited = container("word", self.running, Limits(cpus=0.5))
        own = alert(watched(0.6, 0.5, 1.0, [limited]))
        full = alert(watched(0.6, 0.0, 1.97, [limited]))
        assert own is not None
        assert own.text == "word waits 60% of the time for CPU · its own limit of 0.5 cores holds it back"
        assert full is not None
        assert full.text == "word waits 60% of the time for CPU · the machine is full, 1.97 of 2 cores"

    def test_a_death_is_told_before_a_wait_and_not_for_ever(self) -> None:
        state = ContainerState(
            status="exited", exit_code=137, oom_killed=True, oom_limit=256 * MiB, finished_at=1000.0
        )
        told = alert(watched(0.6, 0, 1.0, [container("word", self.running), container("db", state)]))
        assert told is not None
        assert told.text == "db exited 137 · out of memory at 256M"
        old = ContainerState(status="exited", exit_code=1, finished_at=900.0)
        assert alert(watched(0.0, 0, 1.0, [container("db", old)])) is None

    def test_one_tick_of_stall_is_not_worth_a_word(self) -> None:
        store = watched(0.0, 0, 1.0, [container("word", self.running)])
        store.apply(
            Snapshot(
                seq=11,
                at=1010.0,
                interval=1.0,
                host=HostSample(cores=2, cpu=1.0),
                containers=[container("word", self.running)],
                samples={"word": Sample(cpu=0.1, cpu_some=0.9)},
            )
        )
        assert alert(store) is None

    def test_an_engine_that_is_gone_comes_first(self) -> None:
        store = watched(0.6, 0, 1.0, [container("word", self.running)])
        store.gone = "no engine answers"
        told = alert(store)
        assert told is not None
        assert told.tone == "failed"
        store.stopped = True
        told = alert(store)
        assert told is not None
        assert "press E" in told.text


class TestTails:
    def test_records_become_lines_without_colours(self) -> None:
        data = (
            b"2026-01-02T03:04:05.1Z stdout F \x1b[31mred\x1b[0m\n"
            b"2026-01-02T03:04:05.1Z stderr F two\twords\n"
            b"2026-01-02T03:04:05.1Z stdout F 10%\r50%\r100%\n"
        )
        assert last_lines(data, cut=False) == ["red", "two    words", "100%"]

    def test_pieces_are_put_together(self) -> None:
        data = b"2026-01-02T03:04:05.1Z stdout P one \n2026-01-02T03:04:05.1Z stdout F line\n"
        assert last_lines(data, cut=False) == ["one line"]

    def test_a_beginning_that_was_cut_is_left_out(self) -> None:
        assert last_lines(b"05.1Z stdout F half\n2026-01-02T03:04:05.1Z stdout F whole\n", cut=True) == [
            "whole"
        ]

    @given(st.binary(max_size=400), st.booleans())
    def test_any_bytes_at_all_are_survived(self, data: bytes, cut: bool) -> None:
        assert all("\n" not in line for line in last_lines(data, cut))


def test_a_lane_keeps_the_order_and_the_others_do_not_wait_for_it() -> None:
    import threading

    background, done = Background(), threading.Semaphore(0)
    gate, order = threading.Event(), []

    def slow() -> None:
        gate.wait(10)
        order.append(1)

    background.run(slow, "limits")
    for n in (2, 3):
        background.run(lambda n=n: (order.append(n), done.release()), "limits")
    free = threading.Event()
    background.run(free.set)
    assert free.wait(10)
    gate.set()
    assert done.acquire(timeout=10)
    assert done.acquire(timeout=10)
    assert order == [1, 2, 3]
