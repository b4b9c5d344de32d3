"""Reading logs that the monitor's own writer wrote."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from engine import logs
from engine.errors import BadRequest
from engine.launch.logwriter import LogWriter
from engine.model import LogLine


def writer(folder: Path, max_size: int = 1 << 20, max_files: int = 4) -> LogWriter:
    return LogWriter(str(folder), max_size, max_files)


async def collect(folder: Path, **how: object) -> list[LogLine]:
    records = logs.records(folder, **how)  # type: ignore[arg-type]
    return [line async for batch in logs.lines(records) for line in batch]


async def texts(folder: Path, **how: object) -> list[str]:
    return [line.text for line in await collect(folder, **how)]


async def test_lines_come_back_as_they_were_written_each_stream_by_itself(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.append("stdout", b"one\ntwo, begun ")
    log.append("stderr", b"err\xff\n")
    log.append("stdout", b"and ended\n\n")
    log.append("stdout", b"no end")
    found = await collect(tmp_path)
    assert [(line.stream, line.text) for line in found] == [
        ("stdout", "one"),
        ("stderr", "err�"),
        ("stdout", "two, begun and ended"),
        ("stdout", ""),
        ("stdout", "no end"),
    ]
    assert abs(found[0].at - time.time()) < 5


@pytest.mark.parametrize("max_size", [1 << 20, 400])
@pytest.mark.parametrize("count", [0, 1, 7, 100, 5000])
async def test_tail_is_the_last_lines_also_across_segments(tmp_path: Path, count: int, max_size: int) -> None:
    log = writer(tmp_path, max_size, 1000)
    every = [f"line {i}" for i in range(3000)]
    for start in range(0, 3000, 10):
        log.append("stdout", ("\n".join(every[start : start + 10]) + "\n").encode())
    assert await texts(tmp_path, tail=count) == (every[-count:] if count else [])


async def test_an_unfinished_line_counts_as_the_last(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.append("stdout", b"one\ntwo\nprompt> ")
    assert await texts(tmp_path, tail=1) == ["prompt> "]
    assert await texts(tmp_path, tail=2) == ["two", "prompt> "]


async def test_since_and_until_cut_by_time(tmp_path: Path) -> None:
    log = writer(tmp_path, 60, 100)
    for i in range(20):
        log.append("stdout", b"%d\n" % i)
    stamps = [line.at for line in await collect(tmp_path)]
    assert await texts(tmp_path, since=stamps[5], until=stamps[9]) == ["5", "6", "7", "8", "9"]


async def test_following_goes_on_until_the_program_has_ended_and_loses_nothing(tmp_path: Path) -> None:
    log = writer(tmp_path, 2000, 1000)
    log.append("stdout", b"before\n")
    growth = logs.Growth()
    ended = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(texts(tmp_path, follow=logs.Follow(growth, ended)))
    for i in range(500):
        log.append("stdout", b"%d\n" % i)
        await asyncio.sleep(0)
    ended.set_result(None)
    log.append("stdout", b"with the end\n")
    assert await reading == ["before", *map(str, range(500)), "with the end"]
    growth.close()


async def test_following_a_quiet_log_ends_at_until(tmp_path: Path) -> None:
    growth = logs.Growth()
    never = asyncio.get_running_loop().create_future()
    follow = logs.Follow(growth, never)
    assert await texts(tmp_path, until=time.time() + 0.05, follow=follow) == []
    growth.close()


async def test_a_reader_slower_than_rotation_is_told_what_it_missed(tmp_path: Path) -> None:
    log = writer(tmp_path, 500, 2)
    log.append("stdout", b"first\n")
    reading = logs.lines(logs.records(tmp_path))
    assert [line.text for line in await anext(reading)] == ["first"]
    for i in range(100):
        log.append("stdout", b"%d\n" % i)
    rest = [line.text async for batch in reading for line in batch]
    assert rest[0].startswith("[tiffin: ")
    assert "dropped before they could be read" in rest[0]
    assert rest[-1] == "99"


async def test_a_record_torn_by_a_killed_monitor_does_not_hide_what_follows(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.append("stdout", b"one\n")
    segment = next(tmp_path.iterdir())
    with segment.open("ab") as file:
        file.write(b"2026-01-02T03:04:05.123456789Z stdout F to")
    later = tmp_path / f"{segment.stat().st_size:020d}"
    later.write_bytes(b"\n2026-01-02T03:04:06.123456789Z stdout F two\n")
    assert await texts(tmp_path) == ["one", "to", "two"]


def test_by_offset_every_byte_once_and_none_below_the_first(tmp_path: Path) -> None:
    log = writer(tmp_path, 300, 3)
    for i in range(50):
        log.append("stdout", b"%d\n" % i)
    extent = logs.extent(tmp_path)
    assert extent.first > 0
    found, at = b"", extent.first
    while piece := logs.read(tmp_path, at, 100):
        found += piece
        at += len(piece)
    assert at == extent.end
    assert found == b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    with pytest.raises(BadRequest, match="begins at"):
        logs.read(tmp_path, extent.first - 1, 100)


async def test_a_removed_container_has_no_log(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert await texts(gone) == []
    assert logs.extent(gone).end == 0
