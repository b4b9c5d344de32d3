"""Bridges, veth pairs and the sysctls they need: what an instance makes in the host's network namespace."""

from __future__ import annotations

import contextlib
import errno
import os
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from engine.errors import Conflict, KernelError
from engine.instance import Instance
from engine.kernel import netlink
from engine.kernel.netlink import LOOPBACK, Link, RouteSocket
from engine.model import NetworkSummary
from engine.network.leases import Lease, mac_of

SYSCTL = Path("/proc/sys/net")
PEER = "eth0"
LARGEST_MTU = 1500


class Wiring:
    """The interfaces of one instance; everything here blocks, and is to be called on one thread only.

    A bridge is the instance's own where it carries the instance's alias; an interface, where it is such a
    bridge's port.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._route = RouteSocket()
        self._home = netlink.current_netns()
        self._ipv6 = (SYSCTL / "ipv6").exists()

    def close(self) -> None:
        """Give the descriptors back."""
        self._route.close()
        os.close(self._home)

    # ── a container's interface ─────────────────────────────────────────────────────────────────────────────

    def connect(self, network: NetworkSummary, lease: Lease, netns: int) -> int:
        """Put an interface with the lease's address into the namespace; returns the index of the host's end.

        Makes the bridge where it is missing. Nothing is left on the host where this raises.
        """
        bridge = self._route.index(lease.bridge) or self.make_bridge(network)
        mtu = self._route.mtu(lease.bridge)
        with netlink.inside(netns, self._home):
            within = RouteSocket()
            if self._ipv6:  # before the interface is made, which inherits it; lo keeps ::1
                (SYSCTL / "ipv6/conf/default/disable_ipv6").write_text("1")
        with within:
            pair = netlink.add_veth(lease.veth, bridge, PEER, netns, lease.mac, mtu)
            up = netlink.port_up(lease.veth, self._ipv6)
            try:
                self._route.apply(pair, up)
            except KernelError as error:
                if error.errno != errno.EEXIST:
                    self.delete(lease.veth)
                    raise
                # The last run's namespace is still being taken down, which the kernel does when it has time.
                self.delete(lease.veth)
                self._route.apply(pair, up)
            try:
                eth0 = within.index(PEER)
                within.apply(
                    netlink.link_up(LOOPBACK),
                    netlink.add_address(eth0, IPv4Interface(f"{lease.address}/{lease.prefix}")),
                    netlink.link_up(eth0),
                    netlink.add_default_route(IPv4Address(lease.gateway)),
                )
            except KernelError:
                self.delete(lease.veth)
                raise
        return self._route.index(lease.veth)

    # ── bridges ─────────────────────────────────────────────────────────────────────────────────────────────

    def make_bridge(self, network: NetworkSummary) -> int:
        """Make the network's bridge, or finish one half made; returns its index."""
        name, gateway = (
            network.bridge,
            IPv4Interface(f"{network.gateway}/{IPv4Network(network.subnet).prefixlen}"),
        )
        if self._route.index(name) == 0:
            self._route.apply(netlink.add_bridge(name, mac_of(gateway.ip.packed)), self._up(network))
        elif not any(link.name == name for link in self.bridges()):
            raise Conflict(
                f"making the network {network.name}: there is an interface {name} that tiffin did not make",
                f"remove it with `ip link delete {name}`, or give it another name",
            )
        else:
            self._route.apply(self._up(network))
        index = self._route.index(name)
        try:
            self._route.apply(netlink.add_address(index, gateway))
        except KernelError as error:
            if error.errno != errno.EEXIST:
                self.delete(name)
                raise
        # Both may be refused inside another container; the doctor reads what they are.
        with contextlib.suppress(OSError):
            (SYSCTL / f"ipv4/conf/{name}/route_localnet").write_text(
                "1"
            )  # published ports answer on 127.0.0.1
        with contextlib.suppress(OSError):
            forward = SYSCTL / "ipv4/ip_forward"
            if forward.read_text().strip() == "0":
                forward.write_text("1")
        return index

    def _up(self, network: NetworkSummary) -> netlink.Request:
        return netlink.bridge_up(
            network.bridge, f"{self._instance.table} {network.name}", self._uplink_mtu(), self._ipv6
        )

    def _uplink_mtu(self) -> int:
        """What the way out of this host takes: longer packets would be lost where ICMP is filtered."""
        ways = {index for index, to in self._route.routes() if to.prefixlen == 0}
        sizes = [link.mtu for link in self._route.links() if link.index in ways]
        return min([LARGEST_MTU, *sizes])

    # ── what is there ───────────────────────────────────────────────────────────────────────────────────────

    def bridges(self) -> list[Link]:
        """The instance's own bridges."""
        owner = f"{self._instance.table} "
        return [
            link for link in self._route.links() if link.kind == "bridge" and link.alias.startswith(owner)
        ]

    def ports(self) -> list[Link]:
        """The host's ends of all pairs of this instance."""
        return [port for bridge in self.bridges() for port in self._route.links(bridge.index)]

    def taken(self) -> list[tuple[str, IPv4Network]]:
        """The networks this host has addresses in or routes to, each with the interface that has it."""
        names = {link.index: link.name for link in self._route.links()}
        found = [(names.get(index, ""), address.network) for index, address in self._route.addresses()]
        found += [(names.get(index, ""), to) for index, to in self._route.routes() if to.prefixlen]
        return found

    def delete(self, *names: str) -> None:
        """Remove interfaces; one that is gone already is no error."""
        for name in names:
            try:
                self._route.apply(netlink.delete_link(name))
            except KernelError as error:
                if error.errno != errno.ENODEV:
                    raise
