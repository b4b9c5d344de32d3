"""What went through another engine's container's network interfaces, seen from inside its namespace."""

from __future__ import annotations

import os

from engine.watch.reader import Traffic


def namespace(pid: int | str) -> str:
    """Which network namespace a process is in; empty where that cannot be told."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def traffic(pid: int) -> Traffic | None:
    """Bytes and packets of all interfaces but loopback, as the container sees them; None where it has gone.

    The file is not kept open: that would keep the namespace alive after its container.
    """
    try:
        with open(f"/proc/{pid}/net/dev", "rb", buffering=0) as file:
            lines = file.read(1 << 16).splitlines()[2:]
    except OSError:
        return None
    total = [0, 0, 0, 0]
    for line in lines:
        name, _, rest = line.partition(b":")
        if name.strip() != b"lo":
            words = rest.split(None, 10)
            for index, column in enumerate((0, 8, 1, 9)):
                total[index] += int(words[column])
    return total[0], total[1], total[2], total[3]
