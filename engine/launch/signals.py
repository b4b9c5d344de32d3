"""Signals by the names people write."""

from __future__ import annotations

import re
import signal

from engine.errors import BadRequest

_NAMES = {s.name.removeprefix("SIG"): int(s) for s in signal.Signals} | {"CLD": 17, "POLL": 29, "IOT": 6}
_REAL_TIME = re.compile(r"(RTMIN\+)([0-9]{1,2})|RTMAX-([0-9]{1,2})")
HIGHEST = int(signal.SIGRTMAX)
LOWEST_REAL_TIME = int(signal.SIGRTMIN)


def signal_number(text: str) -> int:
    """The number of "TERM", "SIGTERM", "sigterm", "15" or "RTMIN+3"; BadRequest for anything else."""
    name = text.strip().upper().removeprefix("SIG")
    if name.isascii() and name.isdigit() and len(name) < 4:
        number = int(name)
    elif offset := _REAL_TIME.fullmatch(name):
        number = int(offset[2]) + LOWEST_REAL_TIME if offset[1] else HIGHEST - int(offset[3])
        number = number if number >= LOWEST_REAL_TIME else 0
    else:
        number = _NAMES.get(name, 0)
    if not 0 < number <= HIGHEST:
        raise BadRequest(f"there is no signal {text!r}", "give a name such as TERM or a number from 1 to 64")
    return number
