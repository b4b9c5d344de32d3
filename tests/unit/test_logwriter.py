"""The log's writer: whatever bytes come, in whatever pieces, can be had back."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.launch.logwriter import LogWriter

CHUNKS = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("a\n\r \x00é", min_size=1).map(str.encode))
)


def written(folder: Path) -> dict[str, bytes]:
    """The bytes of each stream, put together from the records."""
    streams = {"stdout": b"", "stderr": b""}
    for segment in sorted(folder.iterdir()):
        for record in segment.read_bytes().split(b"\n")[:-1]:
            stamp, stream, tag, text = record.split(b" ", 3)
            assert len(stamp) == 30
            streams[stream.decode()] += text + (b"\n" if tag == b"F" else b"")
    return streams


@given(CHUNKS, st.integers(1, 400), st.integers(0, 5))
def test_every_byte_comes_back_also_across_segments_and_monitors(
    chunks: list[tuple[str, bytes]], max_size: int, restart_at: int
) -> None:
    with TemporaryDirectory() as name:
        writer = LogWriter(name, max_size, 10_000)
        for number, (stream, data) in enumerate(chunks):
            if number == restart_at:
                writer.close()
                writer = LogWriter(name, max_size, 10_000)
            writer.append(stream, data)
        writer.close()
        for stream, text in written(Path(name)).items():
            assert text == b"".join(data for to, data in chunks if to == stream)
        segments = sorted(Path(name).iterdir())
        for one, following in itertools.pairwise(segments):
            assert int(one.name) + one.stat().st_size == int(following.name)


def test_only_the_last_segments_are_kept(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 100, 3)
    for number in range(50):
        writer.append("stdout", b"line %d\n" % number)
    writer.close()
    assert len(list(tmp_path.iterdir())) == 3
    assert written(tmp_path)["stdout"].endswith(b"line 48\nline 49\n")


def test_all_records_of_one_read_share_a_time(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), 1 << 20, 2)
    writer.append("stdout", b"a\nb\nc")
    writer.close()
    records = [record.split(b" ", 2) for record in next(tmp_path.iterdir()).read_bytes().splitlines()]
    assert [rest for _, _, rest in records] == [b"F a", b"F b", b"P c"]
    assert len({stamp for stamp, _, _ in records}) == 1


@pytest.mark.parametrize("torn", [b"2026-01-02T03:04:05.123456789Z stdout F half a li", b"2026-01"])
def test_a_record_that_a_killed_monitor_left_unfinished_is_ended(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / f"{0:020d}").write_bytes(torn)
    writer = LogWriter(str(tmp_path), 1 << 20, 2)
    writer.append("stdout", b"next\n")
    writer.close()
    lines = next(tmp_path.iterdir()).read_bytes().splitlines()
    assert lines[0] == torn
    assert lines[1].endswith(b" stdout F next")


def test_a_folder_that_is_missing_for_a_while_costs_only_what_came_then(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    writer = LogWriter(str(folder), 1 << 20, 2)
    writer.append("stdout", b"lost\n")
    folder.mkdir()
    writer.append("stdout", b"kept\n")
    writer.close()
    lines = [line.split(b" ", 1)[1] for line in next(folder.iterdir()).read_bytes().splitlines()]
    assert lines == [b"stderr F [tiffin: 5 bytes of output could not be logged]", b"stdout F kept"]
