"""What a person typed, read strictly: one value each.

Every reader raises BadRequest with a message that lacks its subject ("not a size") and a remedy ("write 64m
or 1g"): the caller knows which flag or field it was and puts that in front.
"""

from __future__ import annotations

import datetime
import re
import signal

from engine.errors import BadRequest

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtpe]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|m|s)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_CPUSET = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*", re.ASCII)
_DECIMAL = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)
LARGEST = 2**63 - 1

NO_LIMIT_WORDS = frozenset({"max", "-1", "none", "unlimited", "∞"})
"""What clears a limit; which of them a flag offers is said in its help: `max`."""


def is_no_limit(text: str) -> bool:
    """Whether `text` asks for a limit to be taken away."""
    return text.strip().lower() in NO_LIMIT_WORDS


def size(text: str) -> int:
    """Bytes: "64m", "1.5g", "4096", "10MiB"; K, M, G … are powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise BadRequest("not a size", "write 64m or 1g")
    number, unit = match.groups()
    power = 1024 ** "_kmgtpe".index(unit.lower() or "_")
    count = int(number) * power if number.isdigit() else int(float(number) * power)
    if count > LARGEST:
        raise BadRequest("larger than any machine", "write 64m or 1g")
    return count


def duration(text: str) -> float:
    """Seconds: "10", "1.5", "1m30s", "250ms"."""
    text = text.strip()
    if _DECIMAL.fullmatch(text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise BadRequest("not a duration", "write seconds, or 1m30s")
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def moment(text: str, now: float) -> float:
    """Unix seconds: a Unix time, "2026-01-02", "2026-01-02T03:04:05Z", or how long before `now`: "10m"."""
    text = text.strip()
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _DURATION.match(text):
        return now - duration(text)
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest("not a time", "write 10m, 2026-01-02T03:04:05 or a Unix time") from None


def cores(text: str) -> float:
    """CPU in cores, more than none: "0.5", "2"."""
    if not _DECIMAL.fullmatch(text.strip()) or not (value := float(text)):
        raise BadRequest("not a number of cores", "write 0.5 or 2")
    return value


def cpuset(text: str) -> str:
    """A list of cores: "0-1,3"."""
    if not _CPUSET.fullmatch(text.strip()):
        raise BadRequest("not a list of cores", "write 0 or 0-1,3")
    for piece in text.strip().split(","):
        first, _, last = piece.partition("-")
        if last and int(last) < int(first):
            raise BadRequest("a range that runs backwards", "write 0-1,3")
    return text.strip()


def whole(text: str, least: int = 0, most: int = LARGEST) -> int:
    """A whole number from `least` to `most`."""
    stripped = text.strip()
    if not (stripped.isascii() and stripped.removeprefix("-").isdigit()):
        raise BadRequest("not a whole number", f"write a number such as {max(least, 1)}")
    if not least <= int(stripped) <= most:
        bounds = f"at least {least}" if most == LARGEST else f"{least} to {most}"
        raise BadRequest("out of range", f"write {bounds}")
    return int(stripped)


def weight(text: str) -> int:
    """A weight in the kernel's terms, 1 to 10000."""
    return whole(text, 1, 10000)


def pids(text: str) -> int:
    """How many processes and threads, at least one."""
    return whole(text, 1)


def boolean(text: str) -> bool:
    """Yes or no: "true", "on", "1" …"""
    word = text.strip().lower()
    if word in ("true", "on", "yes", "1"):
        return True
    if word in ("false", "off", "no", "0"):
        return False
    raise BadRequest("neither true nor false", "write true or false")


def signal_name(text: str) -> str:
    """The name of a signal, "SIGTERM", from "SIGTERM", "term" or "15"."""
    word = text.strip().upper()
    try:
        if word.isascii() and word.isdigit():
            return signal.Signals(int(word)).name
        return signal.Signals[word if word.startswith("SIG") else f"SIG{word}"].name
    except (KeyError, ValueError):
        pass
    realtime = re.fullmatch(r"(?:SIG)?(RTMIN\+\d{1,2}|RTMAX-\d{1,2})", word)
    number = int(word) if word.isascii() and word.isdigit() else 0
    if realtime:
        return f"SIG{realtime[1]}"
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return word
    raise BadRequest("not a signal", "write TERM, SIGKILL or 9")
