"""Which container holds which address and which host ports; kept for the container's whole life."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from engine.errors import Conflict
from engine.kernel import files
from engine.model import NetworkSummary, Noun, Publish


class Lease(Noun, frozen=True):
    """One container's place in one bridge network."""

    container: str
    network: str
    bridge: str
    address: str
    prefix: int  # bits
    gateway: str
    mac: str
    veth: str  # the host's end of the pair


class _Stored(Noun, frozen=True):
    leases: dict[str, Lease]  # by container id
    published: dict[str, list[Publish]]  # by container id; host ports are never 0 here


class Leases:
    """The leases of one instance and their file.

    The file survives the engine but perhaps not a power cut: neither does any container, and an unreadable
    file then only means that addresses are given out anew.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._leases: dict[str, Lease] = {}
        self.published: dict[str, list[Publish]] = {}  # who changes it says so by `changed`
        self.changed = False
        self._members: dict[str, dict[str, str]] = {}  # by network: addresses by container id
        self._used: dict[str, set[int]] = {}  # the same addresses as numbers
        self._last: dict[str, int] = {}  # the address given out last, by network

    def load(self) -> None:
        """Read what an earlier engine left."""
        try:
            stored = msgspec.json.decode(self._file.read_bytes(), type=_Stored)
        except (FileNotFoundError, msgspec.DecodeError):
            return
        self.published = dict(stored.published)
        for lease in stored.leases.values():
            self._keep(lease)

    def save(self) -> None:
        """Write all of it, if anything changed; may run on another thread than the rest."""
        if self.changed:
            self.changed = False
            stored = _Stored(leases=self._leases, published=self.published)
            files.replace(self._file, msgspec.json.encode(stored))

    def get(self, container: str) -> Lease | None:
        """The container's lease, if it has one."""
        return self._leases.get(container)

    def all(self) -> list[Lease]:
        """Every lease."""
        return list(self._leases.values())

    def members(self, network: str) -> dict[str, str]:
        """Addresses by container id."""
        return dict(self._members.get(network, {}))

    def reserve(self, container: str, network: NetworkSummary, veth: str) -> Lease:
        """The container's lease in `network`, its present or a new one; raises Conflict where it is full."""
        held = self._leases.get(container)
        if held is not None and held.network == network.name:
            return held
        subnet = IPv4Network(network.subnet)
        address = subnet[self._free(network.name, subnet)]
        lease = Lease(
            container=container,
            network=network.name,
            bridge=network.bridge,
            address=str(address),
            prefix=subnet.prefixlen,
            gateway=network.gateway,
            mac=mac_of(address.packed),
            veth=veth,
        )
        if held is not None:
            self._forget(held)
        self._keep(lease)
        self.changed = True
        return lease

    def release(self, container: str) -> None:
        """Forget the container's lease; no error where it has none."""
        held = self._leases.get(container)
        if held is not None:
            self._forget(held)
            self.changed = True

    def _free(self, network: str, subnet: IPv4Network) -> int:
        """The offset of an unused address: behind the last given out, so that none is used again at once.

        Neighbours may remember a gone container's address for minutes.
        """
        used = self._used.setdefault(network, set())
        first, count = 2, subnet.num_addresses - 3  # the gateway has .1, the last address is the broadcast
        if len(used) >= count:
            raise Conflict(
                f"the network {network} has no free address: {count} containers use {subnet}",
                "remove containers, or create a network with a larger --subnet",
            )
        offset = self._last.get(network, max((u - int(subnet.network_address) for u in used), default=1))
        while True:
            offset = offset + 1 if first <= offset + 1 < first + count else first
            if int(subnet.network_address) + offset not in used:
                self._last[network] = offset
                return offset

    def _keep(self, lease: Lease) -> None:
        self._leases[lease.container] = lease
        self._members.setdefault(lease.network, {})[lease.container] = lease.address
        self._used.setdefault(lease.network, set()).add(_number(lease))

    def _forget(self, lease: Lease) -> None:
        del self._leases[lease.container]
        del self._members[lease.network][lease.container]
        self._used[lease.network].discard(_number(lease))


def mac_of(address: bytes) -> str:
    """The hardware address that goes with an IPv4 address: always the same, so no neighbour is misled."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x74" + address)  # the 2 says: locally administered


def _number(lease: Lease) -> int:
    return int(IPv4Address(lease.address))
