"""Which platform an image is for, which of an index's fits this machine, and why one does not.

Spec: image-index.md and config.md of the OCI image-spec, "platform", "architecture", "os", "variant".
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from engine.errors import BadRequest, Unsupported
from engine.images.names import GO_ARCHITECTURES

BINFMT = Path("/proc/sys/fs/binfmt_misc")
_WORD = re.compile("[a-z0-9_.-]+")
_OTHER_WORDS = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
}
_ALSO_RUNS = {"amd64": ("386",), "arm64": ("arm",)}  # what the CPU does by itself, as a rule
_ARM = {"armv8l": "v8", "armv7l": "v7", "armv6l": "v6", "armv5tel": "v5"}
_ELF = {  # class, byte order, e_machine: elf(5)
    "386": (1, 1, 3), "amd64": (2, 1, 62), "arm": (1, 1, 40), "arm64": (2, 1, 183), "loong64": (2, 1, 258),
    "mips": (1, 2, 8), "mips64": (2, 2, 8), "mips64le": (2, 1, 8), "mipsle": (1, 1, 8), "ppc64": (2, 2, 21),
    "ppc64le": (2, 1, 21), "riscv64": (2, 1, 243), "s390x": (2, 2, 22),
}  # fmt: skip


class Platform(NamedTuple):
    """What a program needs to run: `linux/arm64/v8`."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, self))


class Fit(NamedTuple):
    """How a platform fits this machine: the lower the `rank` the better, None if not at all."""

    rank: int | None
    emulator: str = ""  # the name under which binfmt_misc has it


def parse(text: str) -> Platform:
    """`linux/arm64`, `arm64`, `linux/arm/v7`, as Docker's --platform takes them; raises BadRequest."""
    words = text.lower().split("/")
    if not all(map(_WORD.fullmatch, words)) or len(words) > 3:
        raise BadRequest(f"{text!r} is no platform", "write OS/ARCHITECTURE[/VARIANT], such as linux/arm64")
    if len(words) == 1:
        words = [words[0], here().architecture] if words[0] in ("linux", "windows") else ["linux", words[0]]
    words[1] = _OTHER_WORDS.get(words[1], words[1])
    return Platform(*words)


def here() -> Platform:
    """This machine."""
    machine = os.uname().machine
    return Platform("linux", GO_ARCHITECTURES.get(machine, machine), _ARM.get(machine, ""))


def fit(platform: Platform, machine: Platform | None = None, binfmt: Path = BINFMT) -> Fit:
    """Whether this machine runs programs of a platform, and by which emulator if not by itself."""
    machine = machine or here()
    if platform.os != "linux":
        return Fit(None)
    if platform.architecture == machine.architecture:
        return _same(platform, machine)
    if platform.architecture in _ALSO_RUNS.get(machine.architecture, ()):
        return Fit(20)
    emulator = _emulator(platform.architecture, binfmt)
    return Fit(30, emulator) if emulator else Fit(None)


def _same(platform: Platform, machine: Platform) -> Fit:
    if machine.architecture != "arm" or not platform.variant:
        return Fit(0 if platform.variant in ("", "v8", "v1", machine.variant) else 10)
    return Fit(
        int(machine.variant > platform.variant) if platform.variant <= (machine.variant or "v5") else None
    )


def choose(offered: Iterable[Platform | None], wanted: Platform | None, what: str) -> int:
    """The number of the platform that suits best; Unsupported says what there is, and what to do.

    None in `offered` is an entry that names no platform: it is taken where nothing better is there.
    """
    found = list(offered)
    if wanted:
        for number, platform in enumerate(found):
            if platform and platform[:2] == wanted[:2] and wanted.variant in ("", platform.variant):
                return number
    else:
        ranks = [
            (rank, number)
            for number, platform in enumerate(found)
            if (rank := fit(platform).rank if platform else 40) is not None
        ]
        if ranks:
            return min(ranks)[1]
    names = sorted({str(platform) for platform in found if platform and platform.os != "unknown"})
    there = ", ".join(names) or "no platform at all"
    if wanted:
        raise Unsupported(
            f"{what}: it is not there for {wanted}, but for {there}", "choose one of these with --platform"
        )
    if names and all(name.startswith("windows/") for name in names):
        check(parse(names[0]), what)
    raise Unsupported(f"{what}: it is there for {there}, not for {here()}", _remedy(names))


def check(platform: Platform, what: str) -> str:
    """Refuse with Unsupported what cannot run here; else a note for the user, or nothing."""
    machine = here()
    fits = fit(platform)
    if platform.os != "linux":
        system = platform.os.capitalize()
        raise Unsupported(
            f"{what}: it is for {platform}, and containers share this machine's Linux kernel",
            f"use an image for Linux; only a virtual machine can run the {system} kernel that this one needs",
        )
    if fits.rank is None:
        raise Unsupported(
            f"{what}: it is for {platform}, but this machine is {machine} and has no emulator for "
            f"{platform.architecture} programs",
            _remedy([str(platform)]),
        )
    if fits.emulator:
        return f"it is for {platform}; its programs run through the emulator {fits.emulator} (binfmt_misc), slowly"
    return ""


def _remedy(names: list[str]) -> str:
    architecture = names[0].split("/")[1] if names else "other"
    return (
        f"use an image for {here()}, or install an emulator: qemu-user-static registers one for "
        f"{architecture} programs with binfmt_misc"
    )


def _emulator(architecture: str, binfmt: Path) -> str:
    """The interpreter that the kernel starts for such programs; binfmt-misc.rst."""
    if architecture not in _ELF:
        return ""
    try:
        if (binfmt / "status").read_text().strip() != "enabled":
            return ""
        entries = sorted(path for path in binfmt.iterdir() if path.name not in ("register", "status"))
        return next((path.name for path in entries if _takes(path.read_text(), architecture)), "")
    except OSError:
        return ""


def _takes(entry: str, architecture: str) -> bool:
    fields = dict(line.partition(" ")[::2] for line in entry.splitlines())
    if "enabled" not in fields or "magic" not in fields:
        return False
    try:
        magic = bytes.fromhex(fields["magic"])
        mask = bytes.fromhex(fields.get("mask", "ff" * len(magic)))
        offset = int(fields.get("offset", "0"))
    except ValueError:
        return False
    width, order, machine = _ELF[architecture]
    form = "<" if order == 1 else ">"
    program = b"\x7fELF" + bytes([width, order, 1]) + bytes(9) + struct.pack(f"{form}HHI", 2, machine, 1)
    seen = program[offset : offset + len(magic)]
    return len(seen) == len(magic) and all(a & m == b & m for a, b, m in zip(seen, magic, mask, strict=False))
