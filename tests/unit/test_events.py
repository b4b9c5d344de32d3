"""The event ring, its files and its listeners."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import events as module
from engine.events import QUEUE, Events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.ndjson"


def test_an_engine_started_again_remembers_what_happened_before(path: Path) -> None:
    first = Events(path)
    event = first.emit("container", "start", "abc", "web", {"image": "host"})
    first.close()
    second = Events(path)
    assert second.since(0) == [event]
    second.close()


def test_since_and_until_are_inclusive(path: Path) -> None:
    events = Events(path)
    a, b, c = (events.emit("container", "start", str(i)) for i in range(3))
    assert events.since(b.at) == [b, c]
    assert events.since(0, b.at) == [a, b]
    events.close()


def test_a_line_torn_by_a_dying_engine_costs_only_itself(path: Path) -> None:
    first = Events(path)
    kept = first.emit("container", "start", "abc")
    first.close()
    with path.open("ab") as file:
        file.write(b'{"at": 1.0, "type": "cont')
    second = Events(path)
    later = second.emit("container", "die", "abc")
    second.close()
    third = Events(path)
    assert third.since(0) == [kept, later]
    third.close()


def test_the_files_stay_below_twice_their_bound_and_the_latest_survive(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_MAX", 2000)
    events = Events(path)
    for i in range(200):
        events.emit("container", "start", str(i))
    events.close()
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 4000
    again = Events(path)
    ids = [event.id for event in again.since(0)]
    again.close()
    assert ids == [str(i) for i in range(200)][-len(ids) :]
    assert len(ids) > 20


async def test_a_listener_hears_what_happens_from_now_on_and_ends_with_the_engine(path: Path) -> None:
    events = Events(path)
    events.emit("container", "create", "before")
    with events.listen() as listener:
        events.emit("container", "start", "a")
        events.emit("container", "die", "a")
        events.close()
        assert [event.action async for event in listener] == ["start", "die"]


async def test_a_slow_listener_loses_the_oldest_and_is_told_how_many(path: Path) -> None:
    events = Events(path)
    with events.listen() as listener:
        for i in range(QUEUE + 3):
            events.emit("container", "start", str(i))
        events.close()
        heard = [event async for event in listener]
    assert (heard[0].type, heard[0].action, heard[0].attributes) == ("events", "dropped", {"count": "3"})
    assert [event.id for event in heard[1:]] == [str(i) for i in range(3, QUEUE + 3)]
