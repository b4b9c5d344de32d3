"""Numbers as people read them. K, M, G are powers of 1024 everywhere, as in `--memory 64m`.

None is what this host cannot tell, and shows as a dash, never as zero.
"""

from __future__ import annotations

ABSENT = "–"
NO_LIMIT = "∞"
UNITS = ("B", "K", "M", "G", "T", "P", "E")


def size(count: float | None) -> str:
    """Bytes in at most four characters: "0", "512B", "1.2M", "121M", "2.0G"."""
    if count is None:
        return ABSENT
    if count < 1:
        return "0"
    value = float(count)
    for unit in UNITS[:-1]:
        if unit != "B" and round(value, 1) < 10:
            return f"{value:.1f}{unit}"
        if round(value) < 1000:
            return f"{round(value)}{unit}"
        value /= 1024
    return f"{value:.1f}{UNITS[-1]}"


def exact_size(count: int) -> str:
    """Bytes so that `entry.size` reads exactly the same number back: "64M", "1536K", "1000B"."""
    power = 0
    while power + 1 < len(UNITS) and count and count % 1024 == 0:
        count //= 1024
        power += 1
    return f"{count}{UNITS[power]}" if count else "0"


def rate(per_second: float | None) -> str:
    """Bytes a second: "12K/s"."""
    return ABSENT if per_second is None else f"{size(per_second)}/s"


def count(number: float | None) -> str:
    """A count or operations a second in at most four characters, in thousands: "7", "999", "1.2k"."""
    if number is None:
        return ABSENT
    if round(number) < 1000:
        return str(round(number))
    value = float(number)
    for unit in ("k", "M", "G", "T"):
        value /= 1000
        if round(value, 1) < 10:
            return f"{value:.1f}{unit}"
        if round(value) < 1000:
            return f"{round(value)}{unit}"
    return f"{round(value)}T"


def cores(number: float | None) -> str:
    """CPU in cores, in at most four characters: "0.12", "1.90", "12.3", "128"."""
    if number is None:
        return ABSENT
    if round(number, 2) < 10:
        return f"{number:.2f}"
    return f"{number:.1f}" if round(number, 1) < 100 else str(round(number))


def exact_cores(number: float) -> str:
    """A limit in cores without needless digits: "0.5", "1", "1.25"."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def share(part: float | None, digits: int = 0) -> str:
    """A share of 0 to 1 in percent: "62%"."""
    return ABSENT if part is None else f"{part * 100:.{digits}f}%"


def of_limit(used: float | None, limit: float | None) -> str:
    """How much of its limit something uses, in percent; a dash without a limit."""
    return ABSENT if used is None or not limit else share(used / limit)


def size_limit(limit: int | None) -> str:
    """A limit in bytes, ∞ for none."""
    return NO_LIMIT if limit is None else size(limit)


def cores_limit(limit: float | None) -> str:
    """A limit in cores, ∞ for none."""
    return NO_LIMIT if limit is None else exact_cores(limit)
