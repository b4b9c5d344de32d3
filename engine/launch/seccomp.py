"""The seccomp filter of a container as a BPF program in a file, made once for each set of capabilities.

pyseccomp and with it libseccomp are loaded only when a program has to be made, and never in the launcher: the
container's init loads the bytes as they are.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import platform
import re
import struct
import tempfile
import tomllib
from collections.abc import Collection, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import KernelError, Unsupported
from engine.kernel import files

X32_BIT = 0x40000000  # in x86-64's table from here on: the x32 ABI
LOAD, JEQ, JGT, JGE, RETURN = 0x20, 0x15, 0x25, 0x35, 0x06  # struct sock_filter's codes, linux/bpf_common.h
AT_NUMBER, AT_ARCH = 0, 4  # in struct seccomp_data
RET_ERRNO = 0x00050000
_COMPARISON = re.compile(r"(\d) (?:& (\w+) )?(<|==) (\w+)")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """One rule of the profile; seccomp.toml says what the fields mean."""

    names: tuple[str, ...]
    when: tuple[str, ...] = ("",)
    errno: str = ""
    arches: tuple[str, ...] = ()
    with_: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def holds(self, caps: Collection[str], arch: str) -> bool:
        """Whether it is part of the filter for a program with these capabilities on this architecture."""
        return (
            (not self.arches or arch in self.arches)
            and (not self.with_ or any(cap in caps for cap in self.with_))
            and not any(cap in caps for cap in self.without)
        )


@functools.cache
def _profile() -> tuple[tuple[Rule, ...], frozenset[str], str]:
    """The rules, the capabilities that make a difference, the digest of what programs are made from."""
    text = resources.files("engine.launch").joinpath("seccomp.toml").read_bytes()
    code = Path(__file__).read_bytes()
    rules = msgspec.convert(tomllib.loads(text.decode())["rules"], tuple[Rule, ...])
    caps = frozenset(cap for rule in rules for cap in (*rule.with_, *rule.without))
    return rules, caps, hashlib.sha256(text + code).hexdigest()


def program(caps: Collection[str], cache: Path) -> Path:
    """The file in `cache` with the filter for a program that has these capabilities (with or without CAP_).

    Its content is struct sock_filter[]. The first call for a set takes some 30 ms, later ones 0.1 ms. Raises
    Unsupported where libseccomp is missing, KernelError where the file cannot be made.
    """
    rules, telling, digest = _profile()
    given = {cap.removeprefix("CAP_") for cap in caps} & telling
    arch = platform.machine()
    key = hashlib.sha256(f"{digest} {arch} {' '.join(sorted(given))}".encode()).hexdigest()[:32]
    path = cache / f"{key}.bpf"
    if not path.exists():
        code = _compile([rule for rule in rules if rule.holds(given, arch)], arch)
        try:
            cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace(path, code)
        except OSError as e:
            raise KernelError.of(f"writing the seccomp filter {path}", e) from e
    return path


def _compile(rules: list[Rule], machine: str) -> bytes:
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as e:
        raise Unsupported(f"making a seccomp filter: {e}", "install libseccomp2") from e
    arches = {
        "x86_64": [pyseccomp.Arch.X86_64, pyseccomp.Arch.X86, pyseccomp.Arch.X32],
        "aarch64": [pyseccomp.Arch.AARCH64, pyseccomp.Arch.ARM],
    }.get(machine)
    if arches is None:
        raise Unsupported(f"making a seccomp filter: {machine} is not among the known architectures")
    try:
        filter = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
        for arch in arches[1:]:
            filter.add_arch(arch)
        for rule in rules:
            action = pyseccomp.ERRNO(getattr(errno, rule.errno)) if rule.errno else pyseccomp.ALLOW
            alternatives = [list(_arguments(text, pyseccomp)) for text in rule.when]
            for name in rule.names:
                if pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) == -1:  # newer than this libseccomp
                    continue
                for arguments in alternatives:
                    filter.add_rule(action, name, *arguments)
        with tempfile.TemporaryFile() as file:
            filter.export_bpf(file)
            file.seek(0)
            code = file.read()
    except OSError as e:
        raise KernelError.of("making a seccomp filter with libseccomp", e) from e
    names = [name for rule in rules for name in rule.names]
    newest = {arch: _newest(arch, names, pyseccomp) for arch in arches if arch != pyseccomp.Arch.X32}
    return _enosys_for_newer(newest) + code


def _arguments(text: str, pyseccomp: Any) -> Iterator[Any]:
    for comparison in filter(None, text.split(" and ")):
        match = _COMPARISON.fullmatch(comparison)
        assert match, comparison
        index, mask, operator, value = match.groups()
        if mask:
            yield pyseccomp.Arg(int(index), pyseccomp.MASKED_EQ, int(mask, 0), int(value, 0))
        else:
            yield pyseccomp.Arg(int(index), pyseccomp.EQ if operator == "==" else pyseccomp.LT, int(value, 0))


def _newest(arch: int, names: list[str], pyseccomp: Any) -> int:
    """The highest number in this architecture's table of all calls that the profile names."""
    return max(int(pyseccomp.resolve_syscall(arch, name)) for name in names)


def _enosys_for_newer(newest: dict[int, int]) -> bytes:
    """BPF to go before the filter: calls above the newest known one do not exist, as runc has it.

    A refusal (EPERM) of a call that a new libc tries first would keep it from falling back to the old one.
    """
    refuse = 1 + 4 * len(newest)  # index of the instruction that returns ENOSYS; the filter begins after it
    code = [(LOAD, 0, 0, AT_ARCH)]
    for arch, number in newest.items():
        here = len(code)
        last = here + 4 == refuse
        code += [
            (JEQ, 0, 4 if last else 3, arch),
            (LOAD, 0, 0, AT_NUMBER),
            (JGT, 0, refuse - here - 2, number),
            (JGE, refuse - here - 3, refuse - here - 4, X32_BIT),
        ]
    code.append((RETURN, 0, 0, RET_ERRNO | errno.ENOSYS))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)
