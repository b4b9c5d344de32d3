"""Network namespaces: which one a thread is in, and being in another for a moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from engine.kernel.syscalls import CLONE_NEWNET, setns


def current() -> int:
    """A new descriptor of the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def inside(netns: int, home: int) -> Iterator[None]:
    """Be in the network namespace `netns` for a moment, with this thread only; `home` is the way back.

    Never on a thread that runs an event loop or starts programs: what it starts meanwhile is in there.
    """
    setns(netns, CLONE_NEWNET)
    try:
        yield
    finally:
        setns(home, CLONE_NEWNET)
