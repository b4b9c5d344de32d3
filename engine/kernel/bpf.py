"""Attaching a program to a cgroup: bpf(2), as far as filtering devices takes it. Functions raise OSError."""

from __future__ import annotations

import ctypes
import struct

from engine.kernel.syscalls import syscall

BPF_PROG_LOAD, BPF_PROG_ATTACH = 5, 8
BPF_PROG_TYPE_CGROUP_DEVICE = 15
BPF_CGROUP_DEVICE = 6
BPF_F_ALLOW_MULTI = 2


def instruction(code: int, into: int = 0, of: int = 0, offset: int = 0, number: int = 0) -> bytes:
    """One struct bpf_insn: registers, an offset (of a jump: from the next one), a number."""
    return struct.pack("=BBhi", code, into | of << 4, offset, number)


def load(kind: int, program: bytes) -> int:
    """Verify and load a program of 8-byte instructions; its descriptor."""
    code, licence = ctypes.create_string_buffer(program), ctypes.create_string_buffer(b"GPL")
    head = (kind, len(program) // 8, ctypes.addressof(code), ctypes.addressof(licence))
    return _bpf(BPF_PROG_LOAD, struct.pack("=IIQQ", *head))


def attach(cgroup: int, program: int, where: int) -> None:
    """Attach a loaded program to the cgroup of an open v2 folder, beside others that may be there."""
    _bpf(BPF_PROG_ATTACH, struct.pack("=IIII", cgroup, program, where, BPF_F_ALLOW_MULTI))


def _bpf(command: int, attributes: bytes) -> int:
    union = attributes.ljust(128, b"\0")  # the kernel wants what it does not know to be zero
    return syscall("bpf", command, union, len(union))
