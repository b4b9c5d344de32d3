"""The ring of past samples."""

from __future__ import annotations

import pytest

from engine.errors import BadRequest
from engine.model import SAMPLE_FIELDS, HostSample, Sample
from engine.watch.history import FORMER, HOST, History

IDLE = HostSample(cores=2)


def filled(ticks: int, size: int = 10, **values: float) -> History:
    history = History(interval=1, seconds=size)
    for tick in range(ticks):
        history.record(1000.0 + tick, IDLE, {"a": Sample(cpu=tick / 4, memory=5, **values)})
    return history


def test_oldest_first_and_bounded() -> None:
    past = filled(25).history("a")
    assert past.at == [1015.0 + i for i in range(10)]
    assert past.fields["cpu"] == [(15 + i) / 4 for i in range(10)]
    assert past.fields["memory"] == [5.0] * 10
    assert past.fields["net_rx"] == [None] * 10
    assert set(past.fields) == set(SAMPLE_FIELDS)


def test_only_the_seconds_and_fields_asked_for() -> None:
    past = filled(8).history("a", seconds=3, fields=["cpu"])
    assert past.at == [1005.0, 1006.0, 1007.0]
    assert past.fields == {"cpu": [1.25, 1.5, 1.75]}


def test_value_that_appears_changes_and_goes() -> None:
    history = History(seconds=10)
    for tick, memory in enumerate([None, None, 7, 7, 9, None]):
        history.record(float(tick), IDLE, {"a": Sample(memory=memory)})
    assert history.history("a", fields=["memory"]).fields["memory"] == [None, None, 7, 7, 9, None]


def test_gap_is_none_and_does_not_show_what_the_slots_held_before() -> None:
    history = filled(12)
    history.record(2000.0, IDLE, {})
    history.record(2001.0, IDLE, {"a": Sample(cpu=9.0, memory=5)})
    past = history.history("a", fields=["cpu", "memory"])
    assert past.fields["cpu"] == [1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, None, 9.0]
    assert past.fields["memory"] == [5.0] * 8 + [None, 5.0]


def test_late_comer_begins_with_its_first_sample() -> None:
    history = filled(4)
    history.record(1004.0, IDLE, {"b": Sample(cpu=1.0)})
    assert history.history("b", fields=["cpu"]).at == [1004.0]


def test_series_is_kept_while_the_ring_has_something_of_it() -> None:
    history = filled(1)
    for tick in range(9):
        history.record(2000.0 + tick, IDLE, {})
        assert "a" in history.ids()
    history.record(3000.0, IDLE, {})
    assert history.ids() == [HOST]
    assert history.history("a").at == []


def test_number_of_former_series_is_bounded() -> None:
    history = History()
    for number in range(FORMER + 20):
        history.record(float(number), IDLE, {str(number): Sample()})
    assert len(history.ids()) == FORMER + 2  # the living one and the host
    assert "18" not in history.ids()
    assert "19" in history.ids()


def test_host() -> None:
    history = History()
    history.record(1.0, HostSample(cores=2, cpu=1.5), {})
    assert history.history(HOST, fields=["cores", "cpu"]).fields == {"cores": [2], "cpu": [1.5]}


def test_field_of_containers_only_is_none_for_the_host() -> None:
    history = filled(2)
    assert history.history(HOST, fields=["cores", "pids"]).fields == {"cores": [2, 2], "pids": [None, None]}


def test_unknown_field_is_refused() -> None:
    with pytest.raises(BadRequest, match="'frobs'"):
        filled(1).history("a", fields=["cpu", "frobs"])


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_is_no_history(seconds: float) -> None:
    assert filled(3).history("a", seconds=seconds).at == []
