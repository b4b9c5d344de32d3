"""rtnetlink by hand: requests packed as bytes, sent as one batch, answered one by one; rtnetlink(7).

A general library costs several times the kernel's own work on the path of every launch, and its import alone
outlasts a hundred launches. Only what the network room needs is here, without policy.

A socket belongs to the network namespace its thread was in when it was opened, whatever the thread does after.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from types import TracebackType
from typing import NamedTuple

from engine.errors import KernelError
from engine.kernel.syscalls import CLONE_NEWNET, setns

LOOPBACK = 1  # the index of lo, in every namespace

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x4, 0x10, 0x300
NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_GETSTATS = 94

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 10, 18
IFLA_IFALIAS, IFLA_AF_SPEC, IFLA_NET_NS_FD, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES = 20, 26, 28, 31, 32
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BRPORT_MODE, IFLA_INET6_ADDR_GEN_MODE, VETH_INFO_PEER = 4, 8, 1
IN6_ADDR_GEN_MODE_NONE = 1
IFLA_STATS_LINK_64 = 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 3, 0, 1
IFF_UP = 1
SIOCGIFMTU, SIOCGIFINDEX = 0x8921, 0x8933

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_ADDRESS = struct.Struct("=BBBBi")  # struct ifaddrmsg
_ROUTE = struct.Struct("=8BI")  # struct rtmsg
_ATTRIBUTE = struct.Struct("=HH")
_COUNTERS = struct.Struct("=4Q")  # the head of struct rtnl_link_stats64
_RECEIVE = 1 << 16


class Request(NamedTuple):
    """One message to the kernel; `doing` is the phrase for its error."""

    doing: str
    type: int
    flags: int
    body: bytes


class Link(NamedTuple):
    """One interface; `master` is the index of the bridge it is a port of, else 0."""

    index: int
    name: str
    kind: str
    alias: str
    master: int
    mtu: int


class Counters(NamedTuple):
    """What an interface has counted since it was made, as the namespace holding it sees it."""

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int


class RouteSocket:
    """An rtnetlink socket in the namespace of the thread that opens it; one thread may use it at a time."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._sequence = 0
        self._buffer = bytearray(_RECEIVE)
        for option in (
            NETLINK_CAP_ACK,
            NETLINK_EXT_ACK,
        ):  # answers without our own message in them, but with why
            with contextlib.suppress(OSError):
                self._socket.setsockopt(SOL_NETLINK, option, 1)

    def __enter__(self) -> RouteSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def index(self, name: str) -> int:
        """The index of the interface `name`, or 0 where there is none."""
        return self._ask(SIOCGIFINDEX, name)

    def mtu(self, name: str) -> int:
        """The longest packet in bytes that the interface `name` takes, or 0 where there is none."""
        return self._ask(SIOCGIFMTU, name)

    def _ask(self, question: int, name: str) -> int:
        try:
            answer = fcntl.ioctl(self._socket, question, struct.pack("16s24x", name.encode()))  # struct ifreq
        except OSError as error:
            if error.errno == errno.ENODEV:
                return 0
            raise KernelError.of(f"looking up the interface {name}", error) from error
        return int(struct.unpack_from("=i", answer, 16)[0])

    def apply(self, *requests: Request) -> None:
        """Have the kernel work off the requests in order, all in one system call.

        It goes on behind one it refuses: KernelError tells of the first, and what others made is the caller's.
        """
        first = self._sequence + 1
        batch = bytearray()
        for request in requests:
            self._sequence += 1
            flags = request.flags | NLM_F_REQUEST | NLM_F_ACK
            batch += (
                _HEADER.pack(16 + len(request.body), request.type, flags, self._sequence, 0) + request.body
            )
        self._socket.send(batch)
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

    def dump(self, type: int, body: bytes) -> list[bytes]:
        """Payloads of all objects of one type, asked again where the kernel says they changed meanwhile."""
        for _ in range(5):
            payloads, torn = self._dump(type, body)
            if not torn:
                break
        return payloads

    def _dump(self, type: int, body: bytes) -> tuple[list[bytes], bool]:
        self._ask_dump(type, body)
        payloads: list[bytes] = []
        torn = False
        while True:
            for kind, flags, sequence, payload in self._receive():
                if sequence != self._sequence:
                    continue
                torn = torn or bool(flags & NLM_F_DUMP_INTR)
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    number = -struct.unpack_from("=i", payload)[0]
                    if number:
                        raise KernelError(f"listing with rtnetlink request {type}", number)
                    return payloads, torn
                payloads.append(bytes(payload))

    def _ask_dump(self, type: int, body: bytes) -> None:
        self._sequence += 1
        header = _HEADER.pack(16 + len(body), type, NLM_F_REQUEST | NLM_F_DUMP, self._sequence, 0)
        self._socket.send(header + body)

    def _receive(self) -> Iterator[tuple[int, int, int, memoryview]]:
        """The messages of one datagram: type, flags, sequence number, payload."""
        size = self._socket.recv_into(self._buffer)
        view = memoryview(self._buffer)
        at = 0
        while at < size:
            length, kind, flags, sequence, _ = _HEADER.unpack_from(view, at)
            yield kind, flags, sequence, view[at + 16 : at + length]
            at += (length + 3) & ~3

    # ── what is there ───────────────────────────────────────────────────────────────────────────────────────

    def links(self, master: int = 0) -> list[Link]:
        """All interfaces, or only the ports of the bridge with the index `master`."""
        body = _LINK.pack(0, 0, 0, 0, 0)
        if master:
            body += _u32(IFLA_MASTER, master)
        found = []
        for payload in self.dump(RTM_GETLINK, body):
            index = _LINK.unpack_from(payload)[2]
            fields = _attributes(payload, _LINK.size)
            info = _attributes(fields.get(IFLA_LINKINFO, b""), 0)
            link = Link(
                index,
                _text(fields.get(IFLA_IFNAME)),
                _text(info.get(IFLA_INFO_KIND)),
                _text(fields.get(IFLA_IFALIAS)),
                int.from_bytes(fields.get(IFLA_MASTER, b""), "little"),
                int.from_bytes(fields.get(IFLA_MTU, b""), "little"),
            )
            if not master or link.master == master:  # kernels before 4.6 do not filter
                found.append(link)
        return found

    def addresses(self) -> list[tuple[int, IPv4Interface]]:
        """The IPv4 addresses of all interfaces, with the interface's index."""
        found = []
        for payload in self.dump(RTM_GETADDR, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)):
            _, prefix, _, _, index = _ADDRESS.unpack_from(payload)
            fields = _attributes(payload, _ADDRESS.size)
            raw = fields.get(IFA_LOCAL) or fields.get(IFA_ADDRESS)
            if raw:
                found.append((index, IPv4Interface((raw, prefix))))
        return found

    def routes(self) -> list[tuple[int, IPv4Network]]:
        """The IPv4 routes of the main table, with the index of the interface they lead to (0: several or none)."""
        found = []
        for payload in self.dump(RTM_GETROUTE, _ROUTE.pack(socket.AF_INET, *(0,) * 7, 0)):
            _, prefix, _, _, table, *_ = _ROUTE.unpack_from(payload)
            if table != RT_TABLE_MAIN:
                continue
            fields = _attributes(payload, _ROUTE.size)
            to = IPv4Network((fields.get(RTA_DST, bytes(4)), prefix))
            found.append((int.from_bytes(fields.get(RTA_OIF, b""), "little"), to))
        return found

    def counters(self) -> dict[int, Counters]:
        """The counters of every interface by its index; about 2 µs each, kernel's share included."""
        self._ask_dump(RTM_GETSTATS, struct.pack("=B3xiI", 0, 0, 1 << (IFLA_STATS_LINK_64 - 1)))
        found: dict[int, Counters] = {}
        buffer, unpack, make = self._buffer, _COUNTERS.unpack_from, Counters._make
        while True:
            size = self._socket.recv_into(buffer)
            at = 0
            while at < size:
                length, kind, _, sequence, _ = _HEADER.unpack_from(buffer, at)
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    if sequence == self._sequence:
                        return found
                else:
                    # struct if_stats_msg is 12 bytes, its index in the middle; some machines pad before the u64s.
                    counters = at + 32 if buffer[at + 30] == IFLA_STATS_LINK_64 else at + 36
                    found[int.from_bytes(buffer[at + 20 : at + 24], "little")] = make(
                        unpack(buffer, counters)
                    )
                at += (length + 3) & ~3


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────


def add_bridge(name: str, mac: str) -> Request:
    """Make a bridge, down; a set hardware address stays when ports come and go."""
    body = _LINK.pack(0, 0, 0, 0, 0) + _string(IFLA_IFNAME, name) + _mac(mac)
    body += _nest(IFLA_LINKINFO, _string(IFLA_INFO_KIND, "bridge"))
    return Request(f"making the bridge {name}", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def bridge_up(name: str, alias: str, mtu: int, ipv6: bool) -> Request:
    """Bring up a bridge, write `alias` on it and fix its MTU (one given at creation follows the ports')."""
    body = _LINK.pack(0, 0, 0, IFF_UP, IFF_UP) + _string(IFLA_IFNAME, name)
    body += _string(IFLA_IFALIAS, alias) + _u32(IFLA_MTU, mtu) + (_no_ipv6_address() if ipv6 else b"")
    return Request(f"bringing up {name}", RTM_NEWLINK, 0, body)


def add_veth(name: str, bridge: int, peer: str, netns: int, mac: str, mtu: int) -> Request:
    """Make a pair of interfaces, down: `name` as a port of the bridge, `peer` in the namespace `netns`."""
    # By default each end gets a queue for every processor the machine might have, which a veth has no use for.
    queues = _u32(IFLA_NUM_TX_QUEUES, 1) + _u32(IFLA_NUM_RX_QUEUES, 1)
    inside = _LINK.pack(0, 0, 0, 0, 0) + queues
    inside += _string(IFLA_IFNAME, peer) + _mac(mac) + _u32(IFLA_MTU, mtu) + _u32(IFLA_NET_NS_FD, netns)
    body = _LINK.pack(0, 0, 0, 0, 0) + queues + _string(IFLA_IFNAME, name)
    body += _u32(IFLA_MTU, mtu) + _u32(IFLA_MASTER, bridge)
    info = _string(IFLA_INFO_KIND, "veth") + _nest(IFLA_INFO_DATA, _nest(VETH_INFO_PEER, inside))
    body += _nest(IFLA_LINKINFO, info)
    return Request(f"making the interface {name}", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def port_up(name: str, ipv6: bool) -> Request:
    """Bring up a bridge's port, in hairpin mode and, where the kernel has `ipv6`, without an address of its own."""
    hairpin = _string(IFLA_INFO_SLAVE_KIND, "bridge")
    hairpin += _nest(IFLA_INFO_SLAVE_DATA, _attribute(IFLA_BRPORT_MODE, b"\x01"))
    body = _LINK.pack(0, 0, 0, IFF_UP, IFF_UP) + _string(IFLA_IFNAME, name) + _nest(IFLA_LINKINFO, hairpin)
    body += _no_ipv6_address() if ipv6 else b""
    return Request(f"bringing up {name}", RTM_NEWLINK, 0, body)


def link_up(index: int) -> Request:
    """Bring up an interface."""
    return Request("bringing up an interface", RTM_NEWLINK, 0, _LINK.pack(0, 0, index, IFF_UP, IFF_UP))


def delete_link(name: str) -> Request:
    """Remove an interface, and its other half with it."""
    return Request(
        f"removing the interface {name}",
        RTM_DELLINK,
        0,
        _LINK.pack(0, 0, 0, 0, 0) + _string(IFLA_IFNAME, name),
    )


def add_address(index: int, address: IPv4Interface) -> Request:
    """Give an interface an address."""
    body = _ADDRESS.pack(socket.AF_INET, address.network.prefixlen, 0, RT_SCOPE_UNIVERSE, index)
    body += _attribute(IFA_LOCAL, address.ip.packed) + _attribute(IFA_ADDRESS, address.ip.packed)
    body += _attribute(IFA_BROADCAST, address.network.broadcast_address.packed)
    return Request(f"adding the address {address}", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body)


def add_default_route(gateway: IPv4Address) -> Request:
    """Send what has no nearer route to `gateway`."""
    body = _ROUTE.pack(
        socket.AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0
    ) + _attribute(RTA_GATEWAY, gateway.packed)
    return Request(f"adding the route through {gateway}", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body)


# ── packing and unpacking ───────────────────────────────────────────────────────────────────────────────────


def _attribute(type: int, payload: bytes) -> bytes:
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, type) + payload + bytes(-length % 4)


def _nest(type: int, payload: bytes) -> bytes:
    return _attribute(type | 0x8000, payload)  # NLA_F_NESTED


def _string(type: int, value: str) -> bytes:
    return _attribute(type, value.encode() + b"\0")


def _u32(type: int, value: int) -> bytes:
    return _attribute(type, struct.pack("=I", value))


def _mac(value: str) -> bytes:
    return _attribute(IFLA_ADDRESS, bytes.fromhex(value.replace(":", "")))


def _no_ipv6_address() -> bytes:
    mode = _attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))
    return _nest(IFLA_AF_SPEC, _nest(socket.AF_INET6, mode))


def _attributes(payload: bytes | memoryview, at: int) -> dict[int, bytes]:
    """The attributes from offset `at` on, by type."""
    found: dict[int, bytes] = {}
    while at + 4 <= len(payload):
        length, type = _ATTRIBUTE.unpack_from(payload, at)
        if length < 4:
            break
        found[type & 0x3FFF] = bytes(payload[at + 4 : at + length])
        at += (length + 3) & ~3
    return found


def _text(raw: bytes | None) -> str:
    return raw.rstrip(b"\0").decode(errors="replace") if raw else ""


def _phrase(doing: str, payload: memoryview) -> str:
    """What was being done, with the kernel's own reason where it gave one (NLMSGERR_ATTR_MSG)."""
    why = _text(_attributes(payload, 20).get(1))  # behind the error number and our header
    return f"{doing} ({why})" if why else doing


# ── namespaces ──────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def inside(netns: int, home: int) -> Iterator[None]:
    """Be in the network namespace `netns` for a moment, with this thread only; `home` is the way back.

    Never on a thread that runs an event loop or starts programs: what it opens or starts meanwhile belongs there.
    """
    setns(netns, CLONE_NEWNET)
    try:
        yield
    finally:
        setns(home, CLONE_NEWNET)


def current_netns() -> int:
    """A new descriptor of the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
