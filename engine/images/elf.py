"""For which kind of machine the programs in a tree are made; elf(5)."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator

_MACHINES = {
    0x03: "386", 0x08: "mips", 0x15: "ppc64", 0x16: "s390x", 0x28: "arm", 0x3E: "amd64", 0xB7: "arm64",
    0xF3: "riscv64", 0x102: "loong64",
}  # fmt: skip
_LIKELY = ("bin/sh", "bin/busybox", "bin/bash", "usr/bin/env", "sbin/init", "lib64/ld-linux-x86-64.so.2")
_SEARCH_LIMIT = 20_000  # files


def architecture(root: str) -> str:
    """What the OCI image-spec (and Go) calls the machine of the first program found; empty without one.

    `root` must be this process's own root or be trusted: symbolic links are followed.
    """
    likely = (os.path.join(root, path) for path in _LIKELY)
    for path in itertools.islice(itertools.chain(likely, _files(root)), _SEARCH_LIMIT):
        if name := _machine(path):
            return name
    return ""


def _files(root: str) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        for name in names:
            yield os.path.join(folder, name)


def _machine(path: str) -> str:
    try:
        # Without blocking, because a FIFO of that name would wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        head = os.read(fd, 20) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    finally:
        os.close(fd)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return ""
    little = head[5] == 1
    name = _MACHINES.get(int.from_bytes(head[18:20], "little" if little else "big"), "")
    return name + "le" if name in ("ppc64", "mips") and little else name
