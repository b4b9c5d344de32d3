"""JSON into typed data, from any thread.

msgspec (0.22) learns a type at its first use, and the process dies by SIGSEGV when two threads use one for
the first time at once; so decoders are built one at a time, and kept.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_building = threading.Lock()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode(data: bytes | str, type: type[T]) -> T:
    """The value of that type; raises msgspec.MsgspecError for anything else."""
    decoder = _decoders.get(type)
    if decoder is None:
        with _building:
            decoder = _decoders.setdefault(type, msgspec.json.Decoder(type))
    value: T = decoder.decode(data)
    return value
