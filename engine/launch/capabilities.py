"""Which capabilities a container's program gets: Docker's default set, with additions and removals."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from engine.errors import BadRequest, NotPermitted
from engine.launch.process import CAPABILITIES

DEFAULT = frozenset(
    {
        *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"),
        *("SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
    }
)


@functools.cache
def available() -> frozenset[str]:
    """What the engine itself may give away: its bounding set."""
    with open("/proc/self/status") as file:
        bounding = next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))
    return frozenset(name for number, name in enumerate(CAPABILITIES) if bounding >> number & 1)


def granted(add: Iterable[str], drop: Iterable[str], *, privileged: bool) -> list[str]:
    """The capabilities of a container as CAP_ names in the kernel's order.

    As Docker: privileged is all; ALL may be added or dropped, and single names then drop or add to it.
    Raises BadRequest for an unknown name, NotPermitted for one that the engine cannot give.
    """
    added, dropped = _parse("cap_add", add), _parse("cap_drop", drop)
    if privileged:
        chosen = available()
    elif "ALL" in added:
        chosen = available() - dropped
    elif "ALL" in dropped:
        chosen = added
    else:
        chosen = (DEFAULT | added) - dropped
    if lacking := (added & chosen) - available():
        names = ", ".join(sorted(lacking))
        raise NotPermitted(f"cap_add: the engine does not have {names} itself", "leave it out")
    return [f"CAP_{name}" for name in CAPABILITIES if name in chosen & available()]


def _parse(field: str, names: Iterable[str]) -> frozenset[str]:
    parsed = frozenset(name.upper().removeprefix("CAP_") for name in names)
    if unknown := parsed - {*CAPABILITIES, "ALL"}:
        raise BadRequest(
            f"{field}: there is no capability {sorted(unknown)[0]!r}", "see capabilities(7), or write ALL"
        )
    return parsed
