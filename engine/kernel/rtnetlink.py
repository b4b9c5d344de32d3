"""Interfaces, addresses, routes and their counters; rtnetlink(7). No policy, and only what is needed."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import NamedTuple

from engine.errors import KernelError
from engine.kernel.netlink import (
    HEADER,
    NETLINK_ROUTE,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLMSG_DONE,
    NLMSG_ERROR,
    NetlinkSocket,
    Request,
    attribute,
    attributes,
    nest,
    number,
    string,
    text,
    u32,
)

LOOPBACK = 1  # the index of lo, in every namespace

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_GETSTATS = 94

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_QDISC, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 6, 10, 18
IFLA_IFALIAS, IFLA_AF_SPEC, IFLA_NET_NS_FD, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES = 20, 26, 28, 31, 32
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BRPORT_STATE, IFLA_BRPORT_MODE, BR_STATE_FORWARDING = 1, 4, 3
IFLA_INET6_ADDR_GEN_MODE, VETH_INFO_PEER = 8, 1
IN6_ADDR_GEN_MODE_NONE = 1
IFLA_STATS_LINK_64 = 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 3, 0, 1
IFF_UP = 1
SIOCGIFMTU, SIOCGIFINDEX = 0x8921, 0x8933

_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_ADDRESS = struct.Struct("=BBBBi")  # struct ifaddrmsg
_ROUTE = struct.Struct("=8BI")  # struct rtmsg
_STATS = struct.Struct("=B3xiI")  # struct if_stats_msg
_COUNTERS = struct.Struct("=4Q")  # the head of struct rtnl_link_stats64
_ANY = _LINK.pack(0, 0, 0, 0, 0)  # the interface that the attributes name


@dataclass(frozen=True, slots=True)
class Link:
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


class RouteSocket(NetlinkSocket):
    """An rtnetlink socket in the namespace of the thread that opens it; one thread may use it at a time."""

    def __init__(self) -> None:
        super().__init__(NETLINK_ROUTE)

    def index(self, name: str) -> int:
        """The index of the interface `name`, or 0 where there is none."""
        return self._ioctl(SIOCGIFINDEX, name)

    def mtu(self, name: str) -> int:
        """The longest packet in bytes that the interface `name` takes, or 0 where there is none."""
        return self._ioctl(SIOCGIFMTU, name)

    def _ioctl(self, question: int, name: str) -> int:
        try:
            answer = fcntl.ioctl(self.socket, question, struct.pack("16s24x", name.encode()))  # struct ifreq
        except OSError as error:
            if error.errno == errno.ENODEV:
                return 0
            raise KernelError.of(f"looking up the interface {name}", error) from error
        return int(struct.unpack_from("=i", answer, 16)[0])

    def links(self, master: int = 0) -> list[Link]:
        """All interfaces, or only the ports of the bridge with the index `master`."""
        asked = _ANY + (u32(IFLA_MASTER, master) if master else b"")
        found = []
        for payload in self.dump("listing interfaces", RTM_GETLINK, asked):
            fields = attributes(payload, _LINK.size)
            link = Link(
                index=_LINK.unpack_from(payload)[2],
                name=text(fields.get(IFLA_IFNAME)),
                kind=text(attributes(fields.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_KIND)),
                alias=text(fields.get(IFLA_IFALIAS)),
                master=number(fields.get(IFLA_MASTER)),
                mtu=number(fields.get(IFLA_MTU)),
            )
            if master in (0, link.master):  # a bridge that is gone by now would not filter
                found.append(link)
        return found

    def forwards(self, port: int, bridge: int) -> bool:
        """Whether packets pass between a port and its bridge: both are activated a moment after they are up.

        Until then it drops what it should send, and a TCP connection begun meanwhile takes a second.
        """
        fields = attributes(self._link(port), _LINK.size)
        slave = attributes(attributes(fields.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_SLAVE_DATA, b""))
        if slave.get(IFLA_BRPORT_STATE) != bytes([BR_STATE_FORWARDING]):
            return False
        return text(attributes(self._link(bridge), _LINK.size).get(IFLA_QDISC)) != "noop"

    def _link(self, index: int) -> bytes:
        return self.get("looking at an interface", RTM_GETLINK, _LINK.pack(0, 0, index, 0, 0))

    def addresses(self) -> list[tuple[int, IPv4Interface]]:
        """The IPv4 addresses of all interfaces, each with its interface's index."""
        found = []
        for payload in self.dump("listing addresses", RTM_GETADDR, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)):
            _, prefix, _, _, index = _ADDRESS.unpack_from(payload)
            fields = attributes(payload, _ADDRESS.size)
            raw = fields.get(IFA_LOCAL) or fields.get(IFA_ADDRESS)
            if raw:
                found.append((index, IPv4Interface((raw, prefix))))
        return found

    def routes(self) -> list[tuple[int, IPv4Network]]:
        """The main table's IPv4 routes, each with its interface's index (0: none, or several)."""
        found = []
        for payload in self.dump("listing routes", RTM_GETROUTE, _ROUTE.pack(socket.AF_INET, *(0,) * 7, 0)):
            _, prefix, _, _, table, *_ = _ROUTE.unpack_from(payload)
            if table == RT_TABLE_MAIN:
                fields = attributes(payload, _ROUTE.size)
                to = IPv4Network((fields.get(RTA_DST, bytes(4)), prefix))
                found.append((number(fields.get(RTA_OIF)), to))
        return found

    def counters(self) -> dict[int, Counters]:
        """The counters of every interface by its index; about 2 µs each, the kernel's share included."""
        self.ask(RTM_GETSTATS, _STATS.pack(0, 0, 1 << (IFLA_STATS_LINK_64 - 1)))
        found: dict[int, Counters] = {}
        buffer, unpack, make = self.buffer, _COUNTERS.unpack_from, Counters._make
        while True:
            size = self.socket.recv_into(buffer)
            at = 0
            while at < size:
                length, kind, _, sequence, _ = HEADER.unpack_from(buffer, at)
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    if sequence == self.sequence:
                        return found
                else:
                    _, index, _ = _STATS.unpack_from(buffer, at + 16)
                    # An empty attribute comes first on machines that need 64-bit numbers aligned.
                    counters = at + 32 if buffer[at + 30] == IFLA_STATS_LINK_64 else at + 36
                    found[index] = make(unpack(buffer, counters))
                at += (length + 3) & ~3


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────


def add_bridge(name: str, mac: str) -> Request:
    """Make a bridge, down; a set hardware address stays when ports come and go."""
    body = _ANY + string(IFLA_IFNAME, name) + _mac(mac)
    body += nest(IFLA_LINKINFO, string(IFLA_INFO_KIND, "bridge"))
    return Request(f"making the bridge {name}", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def bridge_up(name: str, alias: str, mtu: int, ipv6: bool) -> Request:
    """Bring up a bridge, write `alias` on it and fix its MTU (one given at creation follows the ports')."""
    body = _named_up(name) + string(IFLA_IFALIAS, alias) + u32(IFLA_MTU, mtu)
    body += _no_ipv6_address() if ipv6 else b""
    return Request(f"bringing up {name}", RTM_NEWLINK, 0, body)


def add_veth(name: str, bridge: int, peer: str, netns: int, mac: str, mtu: int) -> Request:
    """Make a pair of interfaces, down: `name` as a port of the bridge, `peer` in the namespace `netns`."""
    # By default each end gets a queue for every processor the machine might have; a veth has no use for them.
    both = u32(IFLA_MTU, mtu) + u32(IFLA_NUM_TX_QUEUES, 1) + u32(IFLA_NUM_RX_QUEUES, 1)
    inside = _ANY + both + string(IFLA_IFNAME, peer) + _mac(mac) + u32(IFLA_NET_NS_FD, netns)
    info = nest(IFLA_INFO_DATA, nest(VETH_INFO_PEER, inside))
    body = _ANY + both + string(IFLA_IFNAME, name) + u32(IFLA_MASTER, bridge)
    body += nest(IFLA_LINKINFO, string(IFLA_INFO_KIND, "veth"), info)
    return Request(f"making the interface {name}", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def port_up(name: str, ipv6: bool) -> Request:
    """Bring up a bridge's port in hairpin mode and, where the kernel has IPv6, without an address of its own.

    Not part of making it: the kernel answers ENOTCONN to an IFF_UP there.
    """
    hairpin = nest(IFLA_INFO_SLAVE_DATA, attribute(IFLA_BRPORT_MODE, b"\x01"))
    body = _named_up(name) + nest(IFLA_LINKINFO, string(IFLA_INFO_SLAVE_KIND, "bridge"), hairpin)
    body += _no_ipv6_address() if ipv6 else b""
    return Request(f"bringing up {name}", RTM_NEWLINK, 0, body)


def link_up(index: int) -> Request:
    """Bring up an interface."""
    return Request("bringing up an interface", RTM_NEWLINK, 0, _LINK.pack(0, 0, index, IFF_UP, IFF_UP))


def delete_link(name: str) -> Request:
    """Remove an interface, and its other half with it."""
    return Request(f"removing the interface {name}", RTM_DELLINK, 0, _ANY + string(IFLA_IFNAME, name))


def add_address(index: int, address: IPv4Interface) -> Request:
    """Give an interface an address."""
    body = _ADDRESS.pack(socket.AF_INET, address.network.prefixlen, 0, RT_SCOPE_UNIVERSE, index)
    body += attribute(IFA_LOCAL, address.ip.packed) + attribute(IFA_ADDRESS, address.ip.packed)
    body += attribute(IFA_BROADCAST, address.network.broadcast_address.packed)
    return Request(f"adding the address {address}", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body)


def add_default_route(gateway: IPv4Address) -> Request:
    """Send what has no nearer route to `gateway`."""
    head = (socket.AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST)
    body = _ROUTE.pack(*head, 0) + attribute(RTA_GATEWAY, gateway.packed)
    return Request(f"adding the route through {gateway}", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body)


def _named_up(name: str) -> bytes:
    return _LINK.pack(0, 0, 0, IFF_UP, IFF_UP) + string(IFLA_IFNAME, name)


def _mac(value: str) -> bytes:
    return attribute(IFLA_ADDRESS, bytes.fromhex(value.replace(":", "")))


def _no_ipv6_address() -> bytes:
    mode = attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))
    return nest(IFLA_AF_SPEC, nest(socket.AF_INET6, mode))
