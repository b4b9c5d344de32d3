"""setup: overwrites everything in /etc, and the libraries that every program needs.

It only ever runs in a container: what it overwrites is that container's private layer.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator

from .wire import Wire

JUNK = b"setup was here\n" * 64
LIBRARIES = ("/lib/*/libc.so.6", "/lib64/ld-linux*", "/lib/*/ld-linux*", "/usr/lib/libc.so.6")
EVERY, REPORT = 0.002, 50  # seconds between two files; files a report


def play(wire: Wire) -> None:
    """Overwrite whenever it is told to, file after file, from the beginning when it is through."""
    targets = list(files())
    place = 0
    while True:
        wire.await_go()
        done, halted = 0, None
        while halted is None:
            halted = wire.order(EVERY)
            done += overwrite(targets[place % len(targets)])
            place += 1
            if halted or done >= REPORT:
                wire.tell(halted=bool(halted), work=done, cpu=0.0)
                done = 0


def files() -> Iterator[str]:
    """What it is after: the libraries first. What is mounted into the container is not part of its root."""
    with open(
        "/proc/self/mountinfo"
    ) as lines:  # os.path.ismount is misled by overlayfs, whose files' st_dev differ
        mounted = {line.split()[4] for line in lines}
    for pattern in LIBRARIES:
        yield from glob.glob(pattern)
    for folder, _, names in os.walk("/etc"):
        for name in names:
            path = f"{folder}/{name}"
            if os.path.isfile(path) and not os.path.islink(path) and path not in mounted:
                yield path


def overwrite(path: str) -> int:
    """How many files were: a new one is put in the place of the old, as installers do."""
    try:
        with open(f"{path}.new", "wb") as file:
            file.write(JUNK)
        os.chmod(f"{path}.new", 0o755)
        os.rename(f"{path}.new", path)
    except OSError:
        return 0
    return 1
