"""The tar reader: what it understands and what it refuses."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest
from engine.rootfs.header import header
from engine.rootfs.tar import EXTENSION_LIMIT, Member, Reader


def read(data: bytes) -> list[tuple[Member, bytes]]:
    reader = Reader(io.BytesIO(data))
    found = []
    for member in reader:
        content = bytearray(min(member.size, 1 << 24))
        for offset, piece in reader.content():
            content[offset : offset + len(piece)] = piece
        found.append((member, bytes(content)))
    return found


def patched(block: bytes, at: int, field: bytes) -> bytes:
    """A header with one field replaced and its checksum right again."""
    block = block[:at] + field + block[at + len(field) :]
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


END = bytes(1024)
FILE = header(Member("a", "file", size=3)) + b"abc".ljust(512, b"\0")


def test_members_and_content() -> None:
    [(first, content), (second, _)] = read(FILE + header(Member("l", "symlink", target="x")) + END)
    assert (first.name, first.kind, content) == ("a", "file", b"abc")
    assert (second.kind, second.target) == ("symlink", "x")


def test_unread_content_is_skipped() -> None:
    assert [m.name for m in Reader(io.BytesIO(FILE + FILE + END))] == ["a", "a"]


@pytest.mark.parametrize("cut", [100, 512, 514])
def test_a_cut_archive_is_refused(cut: int) -> None:
    with pytest.raises(BadRequest, match="ends within"):
        read(FILE[:cut])


def test_an_archive_without_trailer_is_read() -> None:
    assert len(read(FILE)) == 1
    assert len(read(FILE[:515])) == 1  # nor does umoci fill up the last member's block
    assert read(b"") == []


def test_a_damaged_header_in_the_middle_is_not_the_end() -> None:
    bad = bytearray(FILE)
    bad[0] ^= 1
    with pytest.raises(BadRequest, match="checksum"):
        read(FILE + bytes(bad) + END)


@pytest.mark.parametrize(
    "size",
    [
        b"\xff" * 11 + b"\x00",
        b"\x80" + b"\xff" * 11,
        b"\x80\0\0\0\x7f" + b"\xff" * 7,
        b"\x80\0\0\0\x40" + bytes(7),
    ],
)
def test_huge_and_negative_sizes_are_refused(size: bytes) -> None:
    with pytest.raises(BadRequest, match="has the size"):
        read(patched(header(Member("a", "file")), 124, size) + END)


def test_a_size_beyond_the_data_is_refused() -> None:
    with pytest.raises(BadRequest, match="ends within a member"):
        read(header(Member("a", "file", size=1 << 40)) + b"abc")


@pytest.mark.parametrize("flag", [b"x", b"g", b"L", b"K"])
def test_extension_headers_are_bounded(flag: bytes) -> None:
    block = header(Member("a", "file", size=EXTENSION_LIMIT + 1))
    with pytest.raises(BadRequest, match="extension header claims"):
        read(patched(block, 156, flag) + END)
    with pytest.raises(BadRequest, match="extension header claims"):
        read(patched(patched(block, 156, flag), 124, b"\xff" * 12) + END)


@pytest.mark.parametrize(
    "record",
    [
        *(b"6 a=b", b"7 a=b\n", b"99 a=b\n", b"x a=b\n", b"-6 a=b\n", b"5 ab\n", b"0 a=b\n", b"6"),
        *(b"14 size=-100\n", b"14 size=zzzz\n", b"14 mtime=1.x5\n", b"16 uid=99999-99\n"),
    ],
)
def test_broken_pax_records_are_refused(record: bytes) -> None:
    block = patched(header(Member("pax", "file", size=len(record))), 156, b"x") + record.ljust(512, b"\0")
    with pytest.raises(BadRequest):
        read(block + FILE + END)


def test_zero_bytes_in_names_are_refused() -> None:
    record = b"14 path=a\0bcd\n"
    block = patched(header(Member("pax", "file", size=len(record))), 156, b"x") + record.ljust(512, b"\0")
    with pytest.raises(BadRequest, match="zero byte"):
        read(block + FILE + END)


def test_unknown_types_are_refused() -> None:
    with pytest.raises(BadRequest, match="unknown type"):
        read(patched(header(Member("a", "file")), 156, b"Z") + END)


def test_links_with_a_size_have_no_content() -> None:
    block = patched(header(Member("a", "link", target="b")), 124, b"00000001000\0")
    assert [m.name for m, _ in read(block + FILE + END)] == ["a", "a"]


def test_global_headers_hold_until_overridden() -> None:
    record = b"11 mtime=7\n"
    block = patched(header(Member("pax", "file", size=len(record))), 156, b"g") + record.ljust(512, b"\0")
    assert [m.mtime_ns for m, _ in read(block + FILE + FILE + END)] == [7 * 10**9] * 2


@pytest.mark.parametrize(
    "form", ["gnu", "pax --sparse-version=1.0", "pax --sparse-version=0.1", "pax --sparse-version=0.0"]
)
def test_sparse_files_of_gnu_tar(tmp_path: Path, form: str) -> None:
    content = bytearray(3 << 20)
    with (tmp_path / "holes").open("wb") as file:
        for at in range(0, 3 << 20, 1 << 17):
            file.seek(at)
            file.write(b"data%d" % at)
            content[at : at + len(b"data%d" % at)] = b"data%d" % at
        file.truncate(3 << 20)
    format, *more = form.split()
    done = subprocess.run(
        ["tar", "-C", tmp_path, "-cSf", "-", f"--format={format}", *more, "holes"],
        capture_output=True,
        check=True,
    )
    [(member, found)] = read(done.stdout)
    assert member.name == "holes"
    assert member.extents is not None
    assert member.size == 3 << 20
    assert found == content
    assert len(done.stdout) < 1 << 20
    for cut in range(600, len(done.stdout) - 10240, 4096):
        with pytest.raises(BadRequest):
            read(done.stdout[:cut])


@pytest.mark.parametrize(
    "extents",
    [b"1\n0\n-1\n", b"1\n9\n3\n", b"2\n4\n1\n0\n2\n", b"1\n0\n99999\n", b"9" * 30 + b"\n", b"3\n0\n"],
)
def test_hostile_sparse_maps_are_refused(extents: bytes) -> None:
    from engine.rootfs.header import _record

    records = _record(b"GNU.sparse.major", b"1") + _record(b"GNU.sparse.minor", b"0")
    records += _record(b"GNU.sparse.realsize", b"10")
    pax = patched(header(Member("pax", "file", size=len(records))), 156, b"x") + records.ljust(512, b"\0")
    data = extents.ljust(512, b"\0") + b"abc"
    with pytest.raises(BadRequest):
        read(pax + header(Member("a", "file", size=len(data))) + data.ljust(1024, b"\0") + END)


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300)
members = st.builds(
    Member,
    name=text,
    kind=st.sampled_from(["file", "dir", "symlink", "link", "fifo", "char", "block"]),
    mode=st.integers(0, 0o7777),
    size=st.just(0),
    extents=st.none(),
    uid=st.integers(0, 2**32 - 2),
    gid=st.integers(0, 2**32 - 2),
    mtime_ns=st.integers(-(2**62), 2**62),
    target=text,
    device=st.tuples(st.integers(0, 4095), st.integers(0, 2**20 - 1)),
    xattrs=st.dictionaries(st.sampled_from(["user.a", "security.capability"]), st.binary(max_size=80)),
)


@given(members)
def test_reading_what_was_written(member: Member) -> None:
    if member.kind not in ("symlink", "link"):
        member = member._replace(target="")
    if member.kind not in ("char", "block"):
        member = member._replace(device=(0, 0))
    data = header(member) + END
    assert [m for m, _ in read(data)] == [member]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        [other] = tar.getmembers()
    assert other.mode == member.mode
    assert (other.uid, other.gid) == (member.uid, member.gid)
    if not member.name.endswith("/"):
        assert other.name == member.name


@given(st.binary(max_size=3000))
def test_noise_is_refused_or_empty(noise: bytes) -> None:
    with contextlib.suppress(BadRequest):
        read(noise)


@given(st.integers(0, 1023), st.binary(min_size=1, max_size=24))
def test_a_damaged_header_never_escapes_as_another_error(at: int, noise: bytes) -> None:
    data = bytearray(FILE[:512])
    data[at % 512 : at % 512 + len(noise)] = noise
    with contextlib.suppress(BadRequest):
        read(patched(bytes(data[:512]), 0, b"") + FILE[512:] + END)
