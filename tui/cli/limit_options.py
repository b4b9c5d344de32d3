"""The flags that limit a container: shared by run and create, which set, and update, which changes.

Every flag understands `max`: no limit; and Docker's spellings of it, 0 or -1, where Docker has them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from engine.docker.resources import BLKIO, SHARES
from engine.model import IoLimit, Limits, LimitsChange
from tui.cli.parser import Parser, UsageError
from tui.presentation import entry, options

FIELDS = ("cpus", "cpu_weight", "cpu_idle", "cpuset", "memory", "memory_high", "io_weight", "pids")
RATES = ("read_bps", "write_bps", "read_iops", "write_iops")


def declare(parser: Parser) -> None:
    """Add the flags."""

    def limit(*names: str, read: Callable[[str], Any], zero: bool = False, **more: Any) -> None:
        parser.argument(*names, read=_or_max(read, zero), default=UNSET, **more)

    limit("--cpus", read=entry.cores, zero=True, metavar="CORES", help="hard ceiling, in cores: 0.5")
    limit("--cpu-weight", read=entry.weight, metavar="N", help="share under contention, 1 to 10000 (100)")
    limit(
        "-c",
        "--cpu-shares",
        read=_shares,
        zero=True,
        dest="cpu_weight",
        metavar="N",
        help="the same in Docker's terms, 2 to 262144 (1024)",
    )
    only_idle = "run only when nobody else wants to"
    parser.argument("--cpu-idle", action=argparse.BooleanOptionalAction, help=only_idle)
    parser.set_defaults(cpu_idle=UNSET)
    limit("--cpuset-cpus", read=entry.cpuset, dest="cpuset", metavar="LIST", help="which cores: 0-1,3")
    limit(
        "-m",
        "--memory",
        read=entry.size,
        zero=True,
        metavar="SIZE",
        help="above it: reclaim, then OOM kill",
    )
    limit("--memory-high", read=entry.size, metavar="SIZE", help="above it: slowed down (cgroup v2)")
    limit("--memory-swap", read=entry.size, metavar="SIZE", help="memory and swap together; max: no limit")
    limit("--io-weight", read=entry.weight, metavar="N", help="share under contention, 1 to 10000 (100)")
    limit(
        "--blkio-weight",
        read=_blkio,
        zero=True,
        dest="io_weight",
        metavar="N",
        help="the same in Docker's terms, 10 to 1000",
    )
    limit("--pids-limit", read=entry.pids, zero=True, dest="pids", metavar="N", help="processes and threads")
    for rate in RATES:
        what = "bytes a second" if rate.endswith("bps") else "operations a second"
        parser.argument(
            f"--device-{rate.replace('_', '-')}",
            read=_device(rate),
            action="append",
            dest="io",
            default=[],
            metavar="DEVICE:RATE",
            help=f"{what} that may be {'read' if 'read' in rate else 'written'}",
        )


def limits(args: argparse.Namespace) -> Limits:
    """The limits of a new container."""
    change = limits_change(args, memory=None)
    given = {
        name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not UNSET
    }
    if "memory" in given and "swap" not in given:
        given["swap"] = given["memory"]  # Docker's default: as much swap again
    return Limits(**given)


def any_given(args: argparse.Namespace) -> bool:
    """Whether at least one limit is named."""
    return bool(args.io) or any(getattr(args, name) is not UNSET for name in (*FIELDS, "memory_swap"))


def limits_change(args: argparse.Namespace, memory: int | None) -> LimitsChange:
    """The change of limits that was asked for; `memory` is the present limit, for what builds on it."""
    given = {name: getattr(args, name) for name in FIELDS}
    new_memory = memory if args.memory is UNSET else args.memory
    return LimitsChange(**given, swap=_swap(args.memory_swap, new_memory), io=_by_device(args.io))


def _swap(together: Any, memory: int | None) -> Any:
    """Docker's --memory-swap counts memory too; the model's swap is what comes on top of it."""
    if together is UNSET or together is None:
        return together
    if memory is None:
        raise UsageError("--memory-swap: needs a memory limit to count from", "add --memory 64m")
    if together < memory:
        raise UsageError("--memory-swap: less than --memory, which it includes", "make it at least as large")
    return together - memory


def _by_device(rates: list[tuple[str, str, int | None]]) -> Any:
    if not rates:
        return UNSET
    devices: dict[str, dict[str, int | None]] = {}
    for device, rate, value in rates:
        devices.setdefault(device, {})[rate] = value
    return {device: IoLimit(**given) for device, given in devices.items()}


def _or_max(read: Callable[[str], Any], zero: bool) -> Callable[[str], Any]:
    return lambda text: None if entry.is_no_limit(text) or (zero and text.strip() == "0") else read(text)


def _device(rate: str) -> Callable[[str], tuple[str, str, int | None]]:
    def read(text: str) -> tuple[str, str, int | None]:
        device, value = options.device_rate(text, bytes_each=rate.endswith("bps"))
        return device, rate, value

    return read


def _shares(text: str) -> int:
    return _scaled(entry.whole(text, 2, 262144), SHARES)


def _blkio(text: str) -> int:
    return _scaled(entry.whole(text, 10, 1000), BLKIO)


def _scaled(value: int, scale: float) -> int:
    return min(10000, max(1, round(value / scale)))
