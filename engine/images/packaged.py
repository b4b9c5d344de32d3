"""What an image's own files say it is: distribution, C library, least kernel, CPU; runs in a worker.

The layers are mounted as one tree, which becomes the worker's root: links in it lead nowhere else. Nothing of
it is executed. The kernel: glibc refuses to start below the version in its ABI note (.note.ABI-tag, elf/
dl-load.c, "kernel too old"); musl and static programs have no such note, as a rule, and then nothing is said.
"""

from __future__ import annotations

import glob
import itertools
import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence

import msgspec

from engine.images import elf
from engine.launch.confine import CAP_DAC_READ_SEARCH, confine
from engine.model import Packaged
from engine.rootfs.root import open_layers

_LIKELY = ("/bin/sh", "/bin/busybox", "/bin/bash", "/usr/bin/env", "/sbin/init")
_LIBRARIES = ("/lib*/", "/usr/lib*/", "/lib*/*-linux-*/", "/usr/lib*/*-linux-*/")
_LOADERS = ("ld-linux*.so.*", "ld64.so.*", "ld.so.*", "ld-musl-*.so.1")
_GLIBC = re.compile(rb"GNU C Library [^\n]{0,200}?release version ([0-9]+(?:\.[0-9]+){1,2})")
_MUSL = re.compile(rb"\0([01]\.[0-9]{1,2}\.[0-9]{1,3})(?:-git[-0-9a-f]*)?\0")
_RELEASE_LIMIT = 1 << 16  # bytes
_LIBRARY_LIMIT = 1 << 24
_SEARCH_LIMIT = 20_000  # files


class AboutJob(msgspec.Struct, frozen=True, tag=True):
    """Say what the layers, topmost first, hold together; `programs` are those that the image starts."""

    layers: list[str]
    programs: list[str] = []


def about(job: AboutJob, parent: int) -> Packaged:
    """Do an AboutJob, which changes this process's root and confines it; KernelError, OSError."""
    root = open_layers(job.layers)
    confine(parent, capabilities=(CAP_DAC_READ_SEARCH,), root=root)
    return look(job.programs)


def look(programs: Sequence[str] = ()) -> Packaged:
    """What this process's root says."""
    release = _os_release()
    program, path = _first_program(programs)
    found = Packaged(
        distribution=release.get("PRETTY_NAME") or release.get("NAME", ""),
        distribution_id=release.get("ID", ""),
        distribution_version=release.get("VERSION_ID", ""),
        machine=program.machine if program else "",
        static=program is not None and not program.interpreter,
    )
    return _with_library(found, program, path)


def architecture() -> str:
    """What the first program found in this process's root is made for; empty without one."""
    program, _ = _first_program(())
    return program.machine if program else ""


def _with_library(found: Packaged, program: elf.Elf | None, path: str) -> Packaged:
    libraries = _unique(f"{folder}libc.so.6" for folder in _LIBRARIES)
    loaders = _unique(folder + name for folder in _LIBRARIES for name in _LOADERS)
    if program and program.interpreter:
        loaders = [program.interpreter, *(loader for loader in loaders if loader != program.interpreter)]
    stated = [(program.kernel, path)] if program and not program.interpreter else []
    for file in (*libraries, *loaders):
        part = elf.read(file)
        if part and (not found.machine or part.machine == found.machine):
            stated.append((part.kernel, file))
    kernel, where = max(stated, key=lambda entry: version(entry[0]), default=("", ""))
    musl = next((loader for loader in loaders if "/ld-musl-" in loader and elf.read(loader)), "")
    glibc = next((file for file in libraries if elf.read(file)), "")
    # Some musl distributions bring a glibc for strangers' programs: what the own ones use counts.
    if musl and (not glibc or (program and "ld-musl-" in program.interpreter)):
        name, text = "musl", _version_in(musl, _MUSL)
    else:
        name, text = ("glibc", _version_in(glibc, _GLIBC)) if glibc else ("", "")
    return msgspec.structs.replace(
        found, libc=name, libc_version=text, kernel=kernel, kernel_from=where if kernel else ""
    )


def version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version such as "6.1.0-18-amd64", to compare by; empty where it has none."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def _os_release() -> dict[str, str]:
    """os-release(5); an image's word, so only what can be printed of it."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if text := _content(path, _RELEASE_LIMIT):
            break
    else:
        return {}
    found = {}
    for line in text.decode(errors="replace").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            try:
                words = shlex.split(value)
            except ValueError:  # a quote is not closed
                words = [value]
            printable = " ".join(words)
            found[key.strip()] = "".join(filter(str.isprintable, printable))[:120]
    return found


def _content(path: str, limit: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(fd, "rb") as file:
        return file.read(limit) if stat.S_ISREG(os.fstat(fd).st_mode) else b""


def _version_in(path: str, pattern: re.Pattern[bytes]) -> str:
    versions = {match.decode() for match in pattern.findall(_content(path, _LIBRARY_LIMIT))}
    return versions.pop() if len(versions) == 1 else ""


def _first_program(programs: Sequence[str]) -> tuple[elf.Elf | None, str]:
    wanted = [path for path in programs if path.startswith("/")]
    for path in itertools.islice(itertools.chain(wanted, _LIKELY, _files()), _SEARCH_LIMIT):
        if program := elf.read(path):
            return program, path
    return None, ""


def _files() -> Iterator[str]:
    for folder, _, names in os.walk("/"):
        for name in names:
            yield os.path.join(folder, name)


def _unique(patterns: Iterator[str]) -> list[str]:
    """Files that match, each once however many links lead to it."""
    found: dict[str, str] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())
