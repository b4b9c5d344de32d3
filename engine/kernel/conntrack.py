"""Connections as the kernel tracks them; ctnetlink, <linux/netfilter/nfnetlink_conntrack.h>."""

from __future__ import annotations

import socket
import struct

from engine.kernel.netlink import NETLINK_NETFILTER, NetlinkSocket, Request, attribute, attributes, nest

GET, DELETE = 0x0101, 0x0102  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE
CTA_TUPLE_ORIG, CTA_FILTER, CTA_TUPLE_PROTO = 1, 25, 2
CTA_PROTO_NUM, CTA_PROTO_DST_PORT = 1, 3
CTA_FILTER_ORIG_FLAGS, CTA_FILTER_REPLY_FLAGS = 1, 2
CTA_FILTER_F_CTA_PROTO_NUM, CTA_FILTER_F_CTA_PROTO_DST_PORT = 1 << 3, 1 << 5

_FAMILY = struct.pack("=BBH", socket.AF_INET, 0, 0)  # struct nfgenmsg


def forget_udp(ports: set[int]) -> None:
    """Forget UDP exchanges that began with a packet to one of `ports`: the next one meets today's rules.

    Address translation is decided by an exchange's first packet, and a busy client's exchange never ends.
    Raises KernelError where the kernel cannot list connections (no nf_conntrack_netlink).
    """
    with NetlinkSocket(NETLINK_NETFILTER) as netfilter:
        for port in ports:
            for flow in _flows(netfilter, port):
                body = _FAMILY + nest(CTA_TUPLE_ORIG, flow)
                netfilter.apply(Request(f"forgetting an exchange with UDP port {port}", DELETE, 0, body))


def _flows(netfilter: NetlinkSocket, port: int) -> list[bytes]:
    """The original tuples, as attributes, of exchanges that began with a UDP packet to `port`."""
    number = attribute(CTA_PROTO_NUM, bytes([socket.IPPROTO_UDP]))
    wanted = attribute(CTA_PROTO_DST_PORT, struct.pack("!H", port))
    flags = struct.pack("=I", CTA_FILTER_F_CTA_PROTO_NUM | CTA_FILTER_F_CTA_PROTO_DST_PORT)
    asked = nest(CTA_TUPLE_ORIG, nest(CTA_TUPLE_PROTO, number, wanted)) + nest(
        CTA_FILTER, attribute(CTA_FILTER_ORIG_FLAGS, flags), attribute(CTA_FILTER_REPLY_FLAGS, bytes(4))
    )
    found = []
    for payload in netfilter.dump("listing tracked connections", GET, _FAMILY + asked):
        flow = attributes(payload, len(_FAMILY)).get(CTA_TUPLE_ORIG, b"")
        protocol = attributes(attributes(flow).get(CTA_TUPLE_PROTO, b""))
        # Kernels before 5.8 do not filter.
        if protocol.get(CTA_PROTO_NUM) == number[4:5] and protocol.get(CTA_PROTO_DST_PORT) == wanted[4:6]:
            found.append(flow)
    return found
