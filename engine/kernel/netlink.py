"""Netlink by hand: requests packed as bytes, sent as one batch, answered one by one; netlink(7).

A general library costs several times the kernel's own work on the path of every launch, and its import alone
outlasts a hundred launches. What is said through it is in `rtnetlink` and `conntrack`.

A socket belongs to the network namespace its thread was in when it was opened, for good.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple, Self

from engine.errors import KernelError

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x4, 0x10, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGERR_ATTR_MSG = 1
NLA_F_NESTED = 0x8000
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11

HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr
_LARGEST = 1 << 16  # bytes of one answer


class Request(NamedTuple):
    """One message to the kernel; `doing` is the phrase for its error."""

    doing: str
    type: int
    flags: int
    body: bytes


class NetlinkSocket:
    """A netlink socket in the namespace of the thread that opens it; one thread may use it at a time."""

    def __init__(self, protocol: int) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self.buffer = bytearray(_LARGEST)
        self.sequence = 0
        for option in (
            NETLINK_CAP_ACK,
            NETLINK_EXT_ACK,
        ):  # answers that say why, without repeating our message
            with contextlib.suppress(OSError):
                self.socket.setsockopt(SOL_NETLINK, option, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back."""
        self.socket.close()

    def apply(self, *requests: Request) -> None:
        """Have the kernel work off the requests in order, all in one system call.

        It goes on after one it refuses: KernelError tells of the first, and what the others made stays.
        """
        first = self.sequence + 1
        batch = bytearray()
        for request in requests:
            self.sequence += 1
            flags = request.flags | NLM_F_REQUEST | NLM_F_ACK
            batch += HEADER.pack(HEADER.size + len(request.body), request.type, flags, self.sequence, 0)
            batch += request.body
        self.socket.send(batch)
        refused: KernelError | None = None
        waiting = len(requests)
        while waiting:
            for kind, _, sequence, payload in self._receive():
                if kind != NLMSG_ERROR or sequence < first:
                    continue
                waiting -= 1
                number = -struct.unpack_from("=i", payload)[0]
                if number and refused is None:
                    refused = KernelError(_phrase(requests[sequence - first].doing, payload), number)
        if refused is not None:
            raise refused

    def get(self, doing: str, type: int, body: bytes) -> bytes:
        """Payload of the one object that is asked for."""
        self.sequence += 1
        header = HEADER.pack(HEADER.size + len(body), type, NLM_F_REQUEST, self.sequence, 0)
        self.socket.send(header + body)
        while True:
            for kind, _, sequence, payload in self._receive():
                if sequence == self.sequence:
                    if kind == NLMSG_ERROR:
                        raise KernelError(_phrase(doing, payload), -struct.unpack_from("=i", payload)[0])
                    return bytes(payload)

    def dump(self, doing: str, type: int, body: bytes) -> list[bytes]:
        """Payloads of all objects of one type, asked again where the kernel says they changed meanwhile."""
        for _ in range(5):
            payloads, torn = self._dump(doing, type, body)
            if not torn:
                break
        return payloads

    def _dump(self, doing: str, type: int, body: bytes) -> tuple[list[bytes], bool]:
        self.ask(type, body)
        payloads: list[bytes] = []
        torn = False
        while True:
            for kind, flags, sequence, payload in self._receive():
                if sequence != self.sequence:
                    continue
                torn = torn or bool(flags & NLM_F_DUMP_INTR)
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    number = -struct.unpack_from("=i", payload)[0]
                    if number:
                        raise KernelError(doing, number)
                    return payloads, torn
                payloads.append(bytes(payload))

    def ask(self, type: int, body: bytes) -> None:
        """Begin a dump; for who reads the answers from `buffer` itself."""
        self.sequence += 1
        header = HEADER.pack(HEADER.size + len(body), type, NLM_F_REQUEST | NLM_F_DUMP, self.sequence, 0)
        self.socket.send(header + body)

    def _receive(self) -> Iterator[tuple[int, int, int, memoryview]]:
        """The messages of one datagram: type, flags, sequence number, payload."""
        size = self.socket.recv_into(self.buffer)
        view = memoryview(self.buffer)
        at = 0
        while at < size:
            length, kind, flags, sequence, _ = HEADER.unpack_from(view, at)
            yield kind, flags, sequence, view[at + HEADER.size : at + length]
            at += (length + 3) & ~3


def _phrase(doing: str, payload: memoryview) -> str:
    """What was being done, with the kernel's own reason where it gave one."""
    why = text(attributes(payload, 4 + HEADER.size).get(NLMSGERR_ATTR_MSG))
    return f"{doing} ({why})" if why else doing


# ── attributes ──────────────────────────────────────────────────────────────────────────────────────────────


def attribute(type: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    length = _ATTRIBUTE.size + len(payload)
    return _ATTRIBUTE.pack(length, type) + payload + bytes(-length % 4)


def nest(type: int, *within: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(type | NLA_F_NESTED, b"".join(within))


def string(type: int, value: str) -> bytes:
    """An attribute that is text."""
    return attribute(type, value.encode() + b"\0")


def u32(type: int, value: int) -> bytes:
    """An attribute that is a number in the machine's byte order."""
    return attribute(type, struct.pack("=I", value))


def attributes(payload: bytes | memoryview, at: int = 0) -> dict[int, bytes]:
    """The attributes from offset `at` on, by type."""
    found: dict[int, bytes] = {}
    while at + _ATTRIBUTE.size <= len(payload):
        length, type = _ATTRIBUTE.unpack_from(payload, at)
        if length < _ATTRIBUTE.size:
            break
        found[type & 0x3FFF] = bytes(payload[at + _ATTRIBUTE.size : at + length])
        at += (length + 3) & ~3
    return found


def text(raw: bytes | None) -> str:
    """An attribute's text, "" for a missing one."""
    return raw.rstrip(b"\0").decode(errors="replace") if raw else ""


def number(raw: bytes | None) -> int:
    """An attribute's number in the machine's byte order, 0 for a missing one."""
    return struct.unpack("=I", raw)[0] if raw else 0
