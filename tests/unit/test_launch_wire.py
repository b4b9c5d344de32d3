"""JSON and packets as launcher and monitors handle them, against the standard library."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.launch import wire

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_reads_what_others_write(value: Any) -> None:
    assert wire.loads(json.dumps(value).encode()) == value
    assert wire.loads(b" " + json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n") == value


@given(st.dictionaries(st.text(), st.recursive(SCALARS, lambda inner: st.dictionaries(st.text(), inner))))
def test_others_read_what_it_writes(value: dict[str, Any]) -> None:
    assert json.loads(wire.dumps(value)) == value


@pytest.mark.parametrize("text", [b"", b"{", b"[1,", b'{"a" 1}', b"nothing", b"\xff"])
def test_malformed_text_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        wire.loads(text)


def test_descriptors_travel_with_a_packet_and_close_on_exec() -> None:
    one, other = wire.pair()
    reader, writer = os.pipe()
    one.send_with(b"packet", [writer])
    os.close(writer)
    packet, fds = other.receive()
    assert packet == b"packet"
    assert not os.get_inheritable(fds[0])
    os.write(fds[0], b"x")
    assert os.read(reader, 9) == b"x"
    one.close()
    assert other.receive() == (b"", [])
    other.close()
    for fd in (reader, *fds):
        os.close(fd)
