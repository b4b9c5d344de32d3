"""Root file systems of real distributions, as `make roots` leaves them, and one of nothing but busybox."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

APPLETS = "sh cat ls echo true sleep uname id env touch mkdir rm mv cp ln chmod stat find head sed grep wc test".split()


def debian_tar(version: int) -> Path:
    """The uncompressed tar of a Debian root from mmdebstrap: 12 (bookworm) or 13 (trixie); essential packages."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "tiffin-tests" / f"debian-{version}.tar"
    assert path.exists(), f"{path} is missing: make roots"
    return path


def busybox_tar() -> bytes:
    """The uncompressed tar of a root with busybox, its applets and an /etc/os-release; the same at every call."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("bin", "etc", "tmp"):
            tar.addfile(_member(folder, 0o1777 if folder == "tmp" else 0o755, tarfile.DIRTYPE))
        for name, content, mode in (
            ("bin/busybox", Path("/usr/bin/busybox").read_bytes(), 0o755),
            ("etc/os-release", b'ID=busybox\nPRETTY_NAME="busybox"\n', 0o644),
            ("etc/passwd", b"root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n", 0o644),
            ("etc/group", b"root:x:0:\nuser:x:1000:\n", 0o644),
        ):
            info = _member(name, mode)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for applet in APPLETS:
            info = _member(f"bin/{applet}", 0o777, tarfile.SYMTYPE)
            info.linkname = "busybox"
            tar.addfile(info)
    return out.getvalue()


def _member(name: str, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.mtime = mode, kind, 1
    return info
