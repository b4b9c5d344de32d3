"""Every test runs in a network namespace of its own making, so that nothing it sends can leave the machine."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from roots import debian_tar

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def _private_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "tests that need root: unshare(CLONE_NEWNET)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


if os.geteuid() == 0:
    _private_network()

# What is started in the background may have it ignored, and hands that on to every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A time limit for one example measures the machine, which may be busy or emulated.
settings.register_profile("tiffin", deadline=None)
settings.load_profile("tiffin")


@pytest.fixture(autouse=True)
def _same_folder() -> Iterator[None]:
    """Undo what code that is made for workers does to the working folder."""
    here = os.open(".", os.O_PATH)
    yield
    os.fchdir(here)
    os.close(here)


@pytest.fixture(scope="session")
def debian12() -> Path:
    """The tar of a real Debian 12 root."""
    return debian_tar(12)


@pytest.fixture(scope="session")
def debian13() -> Path:
    """The tar of a real Debian 13 root."""
    return debian_tar(13)
