"""What ELF programs and libraries say about the machine and kernel they are made for; elf(5).

Every number in a file is a stranger's: what it leads to is read within bounds, and what is no ELF says nothing.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import NamedTuple

_MACHINES = {
    0x03: "386", 0x08: "mips", 0x15: "ppc64", 0x16: "s390x", 0x28: "arm", 0x3E: "amd64", 0xB7: "arm64",
    0xF3: "riscv64", 0x102: "loong64",
}  # fmt: skip
_PT_INTERP, _PT_NOTE = 3, 4
_NT_GNU_ABI_TAG = 1
_LINUX = 0  # the ABI tag's words for operating systems: 0 Linux, 1 Hurd, 2 Solaris, 3 FreeBSD
_MOST_HEADERS = 128
_MOST_BYTES = 1 << 16  # of one segment


class Elf(NamedTuple):
    """What one file says; empty where it does not."""

    machine: str  # what the OCI image-spec (and Go) calls it
    interpreter: str = ""  # the loader that it is started through; none where it is static, or a library
    kernel: str = ""  # the least Linux it runs on: .note.ABI-tag, "3.2.0"


class _Form(NamedTuple):
    """Where the fields are, in files of 32 and 64 bits."""

    header: str  # e_phoff, at `header_at`
    header_at: int
    counts_at: int  # e_phentsize, e_phnum
    segment: str  # fields of a program header
    offset: int  # which of them are p_offset and p_filesz
    size: int


_FORMS = {1: _Form("I", 28, 42, "IIIIIIII", 1, 4), 2: _Form("Q", 32, 54, "IIQQQQQQ", 2, 5)}


def read(path: str) -> Elf | None:
    """What the file at `path` says; None for what is no ELF file or cannot be read.

    `path` must be in this process's own root or be trusted: symbolic links are followed.
    """
    try:
        # Without blocking, because a FIFO of that name would wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read(fd) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except (OSError, struct.error):  # cut off, or its numbers lead out of it
        return None
    finally:
        os.close(fd)


def _read(fd: int) -> Elf | None:
    head = os.pread(fd, 64, 0)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    order = "<" if head[5] == 1 else ">"
    machine = _MACHINES.get(struct.unpack_from(f"{order}H", head, 18)[0], "")
    if machine in ("ppc64", "mips") and order == "<":
        machine += "le"
    form = _FORMS.get(head[4])
    if form is None or len(head) < 64:
        return Elf(machine)
    interpreter = kernel = ""
    for kind, data in _segments(fd, head, order, form):
        if kind == _PT_INTERP:
            interpreter = os.fsdecode(data.split(b"\0", 1)[0])
        else:
            kernel = kernel or _abi(data, order)
    return Elf(machine, interpreter, kernel)


def _segments(fd: int, head: bytes, order: str, form: _Form) -> list[tuple[int, bytes]]:
    """The content of the segments that name the loader or hold notes."""
    (offset,) = struct.unpack_from(order + form.header, head, form.header_at)
    entry, count = struct.unpack_from(f"{order}HH", head, form.counts_at)
    found = []
    for number in range(min(count, _MOST_HEADERS)):
        header = _at(fd, struct.calcsize(order + form.segment), offset + number * entry)
        fields = struct.unpack(order + form.segment, header)
        if fields[0] in (_PT_INTERP, _PT_NOTE):
            found.append((fields[0], _at(fd, min(fields[form.size], _MOST_BYTES), fields[form.offset])))
    return found


def _at(fd: int, size: int, offset: int) -> bytes:
    return os.pread(fd, size, offset) if offset < 1 << 62 else b""


def _abi(notes: bytes, order: str) -> str:
    """The least kernel that a GNU ABI tag among the notes states."""
    position = 0
    while position + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(f"{order}III", notes, position)
        content = position + 12 + _padded(name_size)
        name = notes[position + 12 : position + 12 + name_size]
        if name == b"GNU\0" and kind == _NT_GNU_ABI_TAG and size >= 16:
            system, *version = struct.unpack_from(f"{order}IIII", notes, content)
            return ".".join(map(str, version)) if system == _LINUX else ""
        position = content + _padded(size)
    return ""


def _padded(size: int) -> int:
    return (size + 3) & ~3
