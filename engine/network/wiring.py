"""Bridges, veth pairs and the sysctls they need: what an instance makes in the host's network namespace."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from engine.errors import Conflict, KernelError
from engine.instance import Instance
from engine.kernel import conntrack, netns, rtnetlink, tc
from engine.kernel.rtnetlink import LOOPBACK, Link, RouteSocket
from engine.model import NetworkSummary
from engine.network.leases import Lease, mac_of
from engine.network.shaping import Rate

SYSCTL = Path("/proc/sys/net")
PEER = "eth0"
LARGEST_MTU = 1500
SETTLE = 0.5  # seconds at most until a new interface passes packets


class Wiring:
    """The interfaces of one instance; everything here blocks, and is to be called on one thread only.

    A bridge is the instance's own where it carries the instance's alias; another interface, where it is a
    port of such a bridge.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._route = RouteSocket()
        self._home = netns.current()
        self._ipv6 = (SYSCTL / "ipv6").exists()
        self._bridges: dict[str, int] = {}  # indices of those known to be our own

    def close(self) -> None:
        """Give the descriptors back."""
        self._route.close()
        os.close(self._home)

    # ── a container's interface ─────────────────────────────────────────────────────────────────────────────

    def connect(self, network: NetworkSummary, lease: Lease, namespace: int) -> int:
        """Put an interface with the lease's address into the namespace; returns the index of the host's end.

        Makes the bridge where it is missing. Nothing of the pair is left where this raises.
        """
        bridge = self._bridge(network)
        within = self._enter(namespace)
        try:
            self._pair(lease, bridge, namespace)
            eth0 = within.index(PEER)
            within.apply(
                rtnetlink.link_up(LOOPBACK),
                rtnetlink.add_address(eth0, IPv4Interface(f"{lease.address}/{lease.prefix}")),
                rtnetlink.link_up(eth0),
                rtnetlink.add_default_route(IPv4Address(lease.gateway)),
            )
            port = self._route.index(lease.veth)
            self._settle(port, bridge)
        except KernelError:
            self.delete(lease.veth)
            raise
        finally:
            within.close()
        return port

    def _settle(self, port: int, bridge: int) -> None:
        """Wait until packets pass, usually for less than a millisecond."""
        deadline = time.monotonic() + SETTLE
        while not self._route.forwards(port, bridge) and time.monotonic() < deadline:
            time.sleep(0.0001)

    def shape(self, lease: Lease, namespace: int, sends: Rate | None, receives: Rate | None) -> None:
        """Limit what a container sends and what it receives, or lift that; where it cannot lift it itself."""
        within = self._enter(namespace)
        try:
            for route, name, rate in ((within, PEER, sends), (self._route, lease.veth, receives)):
                if rate is None:
                    tc.unlimit(route, route.index(name))
                else:
                    route.apply(tc.limit_rate(route.index(name), rate.rate, rate.burst, rate.queue))
        finally:
            within.close()

    def _enter(self, namespace: int) -> RouteSocket:
        """A socket in the namespace, whose interfaces to come will have no IPv6 (lo keeps ::1)."""
        try:
            with netns.inside(namespace, self._home):
                if self._ipv6:
                    (SYSCTL / "ipv6/conf/default/disable_ipv6").write_text("1")
                return RouteSocket()
        except OSError as error:
            raise KernelError.of("entering a container's network namespace", error) from error

    def _pair(self, lease: Lease, bridge: int, namespace: int) -> None:
        mtu = self._route.mtu(lease.bridge)
        pair = rtnetlink.add_veth(lease.veth, bridge, PEER, namespace, lease.mac, mtu)
        up = rtnetlink.port_up(lease.veth, self._ipv6)
        try:
            self._route.apply(pair, up)
        except KernelError as error:
            if error.errno != errno.EEXIST:
                raise
            # The last run's namespace is still being taken down, which the kernel does when it has time.
            self.delete(lease.veth)
            self._route.apply(pair, up)

    # ── bridges ─────────────────────────────────────────────────────────────────────────────────────────────

    def _bridge(self, network: NetworkSummary) -> int:
        """The index of the network's bridge, which is made, or finished where a crash left it half made."""
        index = self._route.index(network.bridge)
        if index == 0 or index != self._bridges.get(network.bridge):
            index = self._make_bridge(network, exists=index != 0)
            self._bridges[network.bridge] = index
        return index

    def _make_bridge(self, network: NetworkSummary, exists: bool) -> int:
        name = network.bridge
        if exists and name not in {bridge.name for bridge in self.bridges()}:
            raise Conflict(
                f"making the network {network.name}: there is an interface {name} that tiffin did not make",
                f"give it another name, or remove it with `ip link delete {name}`",
            )
        gateway = IPv4Interface(f"{network.gateway}/{IPv4Network(network.subnet).prefixlen}")
        alias = f"{self._instance.table} {network.name}"
        up = rtnetlink.bridge_up(name, alias, self._uplink_mtu(), self._ipv6)
        try:
            if exists:
                self._route.apply(up)
            else:
                self._route.apply(rtnetlink.add_bridge(name, mac_of(gateway.ip.packed)), up)
            index = self._route.index(name)
            with _ignored(errno.EEXIST):
                self._route.apply(rtnetlink.add_address(index, gateway))
        except KernelError:
            if not exists:
                self.delete(name)
            raise
        self._allow_forwarding(name)
        return index

    def _allow_forwarding(self, bridge: str) -> None:
        """Let packets pass the host, and those to ports published on 127.0.0.1 leave it."""
        local, forward = SYSCTL / f"ipv4/conf/{bridge}/route_localnet", SYSCTL / "ipv4/ip_forward"
        with contextlib.suppress(OSError):  # read-only within some other container
            local.write_text("1")
            if (
                forward.read_text().strip() == "0"
            ):  # writing it resets settings of all interfaces, even if equal
                forward.write_text("1")

    def _uplink_mtu(self) -> int:
        """What the way out of this host takes: longer packets would be lost where ICMP is filtered."""
        ways = {index for index, to in self._route.routes() if to.prefixlen == 0}
        return min([LARGEST_MTU, *(link.mtu for link in self._route.links() if link.index in ways)])

    # ── what is there ───────────────────────────────────────────────────────────────────────────────────────

    def bridges(self) -> list[Link]:
        """The instance's own bridges."""
        owner = f"{self._instance.table} "
        links = self._route.links()
        return [link for link in links if link.kind == "bridge" and link.alias.startswith(owner)]

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
            with _ignored(errno.ENODEV):
                self._route.apply(rtnetlink.delete_link(name))

    def delete_bridge(self, name: str) -> None:
        """Remove one of our bridges, first its ports: their namespaces may still be being taken down."""
        for bridge in self.bridges():
            if bridge.name == name:
                self.delete(*(port.name for port in self._route.links(bridge.index)), name)

    def forget_udp(self, ports: set[int]) -> None:
        """Have UDP exchanges with these host ports meet today's rules, where the kernel can list them."""
        with contextlib.suppress(KernelError, OSError):
            conntrack.forget_udp(ports)


@contextlib.contextmanager
def _ignored(number: int) -> Iterator[None]:
    """Take one errno of the kernel's for success."""
    try:
        yield
    except KernelError as error:
        if error.errno != number:
            raise
