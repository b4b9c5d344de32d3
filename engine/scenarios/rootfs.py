"""A root file system made on the spot of this machine's busybox: a second distribution where none is in the store."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from engine.scenarios.actors.vm import BUSYBOX, is_static

NAME = "demo-busybox:made-on-the-spot"
APPLETS = ("sh", "cat", "head", "ls", "readlink", "sleep", "uname", "wc", "grep", "true")
RELEASE = 'PRETTY_NAME="busybox, made on the spot"\nID=busybox\n'
PASSWD = "root:x:0:0:root:/:/bin/sh\n"


def possible() -> bool:
    """Whether this machine has a busybox that needs nothing else."""
    return is_static(BUSYBOX)


def archive() -> bytes:
    """The tar archive of it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("bin", "etc", "dev", "proc", "sys", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, data in (
            ("bin/busybox", Path(BUSYBOX).read_bytes()),
            ("etc/os-release", RELEASE.encode()),
            ("etc/passwd", PASSWD.encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return out.getvalue()
