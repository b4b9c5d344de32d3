"""Packets with descriptors, and JSON, from the C halves of the standard modules.

A monitor lives as long as its container, and there may be a thousand. What socket, json and signal import
beyond their C halves (enum, re, selectors, collections) would cost each monitor a fifth more.
"""

from __future__ import annotations

import _json
import _socket
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PACKET = 1 << 16  # bytes, the longest
MSG_CMSG_CLOEXEC = 0x40000000
AF_UNIX, SOCK_SEQPACKET, SOCK_NONBLOCK = _socket.AF_UNIX, _socket.SOCK_SEQPACKET, _socket.SOCK_NONBLOCK


class Line(_socket.socket):
    """A connection that carries packets and descriptors."""

    def send_with(self, packet: bytes, fds: list[int]) -> None:
        """Send one packet, and copies of descriptors with it."""
        if fds:
            rights = struct.pack(f"{len(fds)}i", *fds)
            self.sendmsg([packet], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        else:
            self.send(packet)

    def receive(self) -> tuple[bytes, list[int]]:
        """The next packet, empty at the end, and the descriptors that came with it."""
        packet, ancillary, _flags, _address = self.recvmsg(PACKET, _socket.CMSG_SPACE(16), MSG_CMSG_CLOEXEC)
        fds: list[int] = []
        for level, kind, data in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                fds += struct.unpack(f"{len(data) // 4}i", data)
        return packet, fds

    def accept(self) -> Line:
        """The next client of a listening socket."""
        return Line(fileno=self._accept()[0])  # type: ignore[attr-defined]


def pair() -> tuple[Line, Line]:
    """The two ends of a new connection."""
    one, other = _socket.socketpair(AF_UNIX, SOCK_SEQPACKET)
    return Line(fileno=one.detach()), Line(fileno=other.detach())


class _Scanner:
    """What json.JSONDecoder is to the scanner in C."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}


_scan = _json.make_scanner(_Scanner())  # type: ignore[arg-type]


def loads(text: bytes) -> Any:
    """The value of a JSON text; raises ValueError where it is none."""
    try:
        return _scan(text.decode().strip(), 0)[0]
    except (StopIteration, ValueError, SystemError, ImportError):  # it lacks json.decoder's own exception
        raise ValueError("not JSON") from None


def load(path: str) -> Any:
    """The value of a JSON file."""
    return loads(read(path))


def read(path: str) -> bytes:
    """The content of a file; open() would cost each monitor 100 KB for the io module's objects."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(fd, PACKET), b""))
    finally:
        os.close(fd)


def dumps(value: object) -> str:
    """The JSON text of dicts, strings, numbers, booleans and None."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dumps(key)}: {dumps(field)}" for key, field in value.items()) + "}"
    if isinstance(value, str):
        return _json.encode_basestring_ascii(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
