from __future__ import annotations

import gzip
import io
import lzma
import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest
from engine.images.compression import CHUNK, Compression, decompressed, recognise

TEXT = random.Random(1).randbytes(1 << 16) * 9
PACKED: dict[Compression, bytes] = {
    "": TEXT,
    "gzip": gzip.compress(TEXT),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress(TEXT),
    "xz": lzma.compress(TEXT),
}


def unpacked(data: bytes, most: int = CHUNK) -> bytes:
    stream = io.BytesIO(data)
    return b"".join(decompressed(lambda count: stream.read(min(count, most)), recognise(data[:6])))


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize("most", [7777, CHUNK])
def test_every_compression_is_recognised_and_read(compression: Compression, most: int) -> None:
    assert recognise(PACKED[compression][:6]) == compression
    assert unpacked(PACKED[compression], most) == TEXT


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz"])
@given(cut=st.floats(0.01, 0.9999))
def test_cut_data_is_refused(compression: Compression, cut: float) -> None:
    data = PACKED[compression]
    with pytest.raises(BadRequest, match="cut off"):
        unpacked(data[: max(6, int(len(data) * cut))])


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz"])
@given(at=st.floats(0.1, 0.9))
def test_damaged_data_is_refused(compression: Compression, at: float) -> None:
    data = bytearray(PACKED[compression])
    data[int(len(data) * at)] ^= 0xFF
    with pytest.raises(BadRequest):
        unpacked(bytes(data))


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz"])
def test_concatenated_data_is_read_as_one(compression: Compression) -> None:
    assert unpacked(PACKED[compression] * 2) == TEXT * 2


@pytest.mark.parametrize("compression", ["gzip", "xz"])
def test_zero_padding_is_passed_over(compression: Compression) -> None:
    assert unpacked(PACKED[compression] + bytes(2048)) == TEXT


@pytest.mark.parametrize(
    ("head", "named"),
    [(b"BZh91A", "bzip2"), (b"PK\x03\x04..", "zip"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"", "empty")],
)
def test_what_cannot_be_read_is_named(head: bytes, named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        recognise(head)


def test_a_window_that_needs_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=30, enable_ldm=True)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(BadRequest, match="zstd"):
        unpacked(packed.compress(TEXT) + packed.flush())


def test_memory_stays_bounded_whatever_comes_out() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 30))
    largest = total = 0
    stream = io.BytesIO(bomb)
    for piece in decompressed(stream.read, "zstd"):
        largest, total = max(largest, len(piece)), total + len(piece)
    assert total == 1 << 30
    assert largest <= 128 << 20
