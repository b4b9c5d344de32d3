"""Which devices a container may open: those of its own /dev, whatever nodes it makes elsewhere.

A root with CAP_MKNOD, which containers have as in other engines, could else make a node of the host's disk.
In a v2 tree the rules are a program attached to its cgroup; on v1 they are lists in the instance's own
group, which its children inherit.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

from engine.cgroups import files
from engine.errors import KernelError
from engine.kernel import bpf
from engine.kernel.bpf import instruction

ALLOWED = {1: (3, 5, 7, 8, 9), 5: (0, 1, 2), 136: ()}
"""Minors by major, none for all: null, zero, full, random, urandom; tty, console, ptmx; pseudo-terminals."""

MKNOD, CHARACTER = 1, 2  # BPF_DEVCG_ACC_MKNOD, BPF_DEVCG_DEV_CHAR, include/uapi/linux/bpf.h
# Opcodes, Documentation/bpf/standardization/instruction-set.rst, and registers.
_LOAD, _SET, _MOVE, _AND, _OR, _LEFT, _RIGHT, _EXIT = 0x61, 0xB7, 0xBF, 0x57, 0x4F, 0x67, 0x77, 0x95
_IF_EQUAL, _UNLESS_EQUAL = 0x15, 0x55
_RESULT, _CONTEXT, _KIND, _MAJOR, _DEVICE, _ACCESS = range(6)


def confine(folder: str) -> None:
    """Let those in a v2 cgroup, and below it, open ALLOWED only; nodes of others can be made all the same.

    Raises KernelError, for a container that is not confined must not start.
    """
    try:
        cgroup = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            bpf.attach(cgroup, _loaded(), bpf.BPF_CGROUP_DEVICE)
        finally:
            os.close(cgroup)
    except OSError as error:
        remedy = "use a kernel with CONFIG_CGROUP_BPF, or start it with --privileged"
        raise KernelError.of(f"keeping {folder} from the host's devices", error, remedy) from None


def confine_v1(folder: str) -> None:
    """The same for a v1 group in which no cgroup has been made yet; raises OSError."""
    files.write(f"{folder}/devices.deny", "a")
    for rule in ("c *:* m", "b *:* m", *_rules_v1()):
        files.write(f"{folder}/devices.allow", rule)


def filters() -> bool:
    """Whether the kernel takes the program. Raises PermissionError without the privilege to try."""
    try:
        _loaded()
    except PermissionError:
        raise
    except OSError:
        return False
    return True


def _rules_v1() -> Iterator[str]:
    for major, minors in ALLOWED.items():
        for minor in minors or ("*",):
            yield f"c {major}:{minor} rwm"


@functools.cache
def _loaded() -> int:
    """Descriptor of the program; an attached one outlives it."""
    return bpf.load(bpf.BPF_PROG_TYPE_CGROUP_DEVICE, program())


def program() -> bytes:
    """On a struct bpf_cgroup_dev_ctx {u32 access_type, major, minor}: 1 allows and 0 refuses."""
    tests = [(_IF_EQUAL, _ACCESS, MKNOD, True), (_UNLESS_EQUAL, _KIND, CHARACTER, False)]
    for major, minors in ALLOWED.items():
        tests += [(_IF_EQUAL, _DEVICE, major << 20 | minor, True) for minor in minors]
        tests += [(_IF_EQUAL, _MAJOR, major, True)] if not minors else []
    refuse = [instruction(_SET, _RESULT, number=0), instruction(_EXIT)]
    allow = [instruction(_SET, _RESULT, number=1), instruction(_EXIT)]
    decide = [
        instruction(code, register, offset=left + (len(refuse) if allowed else 0), number=number)
        for left, (code, register, number, allowed) in zip(reversed(range(len(tests))), tests, strict=True)
    ]
    load = [
        instruction(_LOAD, _KIND, _CONTEXT, offset=0),
        instruction(_LOAD, _MAJOR, _CONTEXT, offset=4),
        instruction(_LOAD, _RESULT, _CONTEXT, offset=8),
        instruction(_MOVE, _DEVICE, _MAJOR),
        instruction(_LEFT, _DEVICE, number=20),
        instruction(_OR, _DEVICE, _RESULT),
        instruction(_MOVE, _ACCESS, _KIND),
        instruction(_RIGHT, _ACCESS, number=16),
        instruction(_AND, _KIND, number=0xFFFF),
    ]
    return b"".join([*load, *decide, *refuse, *allow])
