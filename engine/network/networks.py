"""The networks of one instance and the containers in them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from ipaddress import IPv4Network
from typing import Literal, TypeVar

import msgspec

from engine.errors import BadRequest, Conflict, Corrupt, NotFound, Unsupported
from engine.instance import Instance
from engine.kernel import files
from engine.kernel.rtnetlink import RouteSocket
from engine.model import Check, NetworkSummary, Publish
from engine.network import checks, subnets
from engine.network.firewall import Firewall, Target, ruleset
from engine.network.leases import Lease, Leases
from engine.network.ports import HostPorts
from engine.network.shaping import Rate
from engine.network.wiring import Wiring

log = logging.getLogger(__name__)
T = TypeVar("T")

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
DEFAULT = "bridge"
Summaries = list[NetworkSummary]  # within the class below, `list` is a verb
Ports = list[Publish]
Findings = list[Check]
Taken = list[tuple[str, IPv4Network]]
Traffic = tuple[int, int, int, int]  # received and sent bytes, received and sent packets


class Networks:
    """Networks, addresses and published ports of one instance; call from one event loop.

    Nothing is made in the kernel before a container needs it, and nothing that a running container needs goes
    away with the engine. Containers have IPv4 only.
    """

    def __init__(self, instance: Instance) -> None:
        self.name_of: Callable[[str], str] = lambda id: id[:12]
        """What to call a container in an error."""
        self._instance = instance
        self._file = instance.state / "networks.json"
        self._networks: dict[str, NetworkSummary] = {}
        self._unbridged = [_unbridged(instance, "none"), _unbridged(instance, "host")]
        self._leases = Leases(instance.state / "leases.json")
        # One thread works with the kernel: it enters containers' namespaces, which the loop's must not. The
        # kernel makes one change of interfaces at a time anyway.
        self._thread = ThreadPoolExecutor(1, "network")
        self._wiring: Wiring | None = None
        self._firewall = Firewall(instance.table, self._rules)
        self._guarded: frozenset[str] = frozenset()  # networks the table was last made for, or could not be
        self._ports = HostPorts()
        self._publishing = asyncio.Lock()
        self._indices: dict[str, int] = {}  # of the interfaces that `counters` reads
        self._statistics: RouteSocket | None = None

    async def start(self) -> None:
        """Take over what an earlier engine left; `reconcile` is due once the containers are known.

        Raises Corrupt where the file of networks is unreadable.
        """
        self._instance.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._wiring = await self._blocking(Wiring, self._instance)
        self._statistics = RouteSocket()
        self._leases.load()
        try:
            stored = msgspec.json.decode(self._file.read_bytes(), type=list[NetworkSummary])
        except FileNotFoundError:
            stored = []
        except msgspec.DecodeError as error:
            raise Corrupt(
                f"reading the networks in {self._file}: {error}",
                "remove the file; own networks are to be made again",
            ) from error
        self._networks = {network.name: network for network in stored}
        await self._settle_default()
        self._indices = {port.name: port.index for port in await self._blocking(self._wired.ports)}

    async def reconcile(self, containers: set[str], running: set[str]) -> None:
        """Give back what belongs to none of `containers`, and the ports of those that are not `running`.

        Both are sets of ids. Interfaces of this instance that nothing refers to are removed, and the firewall
        is made right again if it is in use.
        """
        for lease in self._leases.all():
            if lease.container not in containers:
                self._leases.release(lease.container)
        ended = set(self._leases.published) - running
        withdrawn = [publish for id in ended for publish in self._withdraw(id)]
        await self._blocking(self._leases.save)
        await self._delete_ports_but(running)
        await self._blocking(self._ports.take_again, self._leases.published)
        if await self._drop_unused():
            await self._guard()
        await self._forget_udp(withdrawn)

    async def close(self, running: set[str] | None = None) -> None:
        """Stop; what no container is connected to is taken out of the kernel, the rest goes on without us.

        Given the containers that are `running`, interfaces that the kernel has not yet taken back from others
        do not count as connected.
        """
        if self._wiring is not None:
            if running is not None:
                await self._delete_ports_but(running)
            await self._drop_unused()
        self._shut()

    async def _delete_ports_but(self, running: set[str]) -> None:
        wanted = {lease.veth for lease in self._leases.all() if lease.container in running}
        ports = await self._blocking(self._wired.ports)
        await self._blocking(self._wired.delete, *(port.name for port in ports if port.name not in wanted))

    async def _drop_unused(self) -> bool:
        """Remove bridges without ports, and the firewall after the last; whether any is left."""
        bridges = await self._blocking(self._wired.bridges)
        used = {port.master for port in await self._blocking(self._wired.ports)}
        await self._blocking(self._wired.delete, *(link.name for link in bridges if link.index not in used))
        if not used:  # even without bridges: an engine may have been killed between the two
            await self._firewall.remove()
        return bool(used)

    async def destroy(self) -> None:
        """Take everything of this instance out of the kernel and forget all leases; for its removal."""
        ports = await self._blocking(self._wired.ports)
        bridges = await self._blocking(self._wired.bridges)
        await self._blocking(self._wired.delete, *(link.name for link in [*ports, *bridges]))
        await self._firewall.remove()
        for lease in self._leases.all():
            self._withdraw(lease.container)
            self._leases.release(lease.container)
        await self._blocking(self._leases.save)
        self._shut()

    def _shut(self) -> None:
        if self._wiring is not None and self._statistics is not None:
            self._statistics.close()
            self._wiring.close()
            self._wiring = None
        self._ports.close()
        self._thread.shutdown()

    # ── networks ────────────────────────────────────────────────────────────────────────────────────────────

    def list(self) -> Summaries:
        """All networks, the built-in ones first, each with the addresses of its containers."""
        return [self._with_members(network) for network in self._all()]

    def get(self, ref: str) -> NetworkSummary:
        """One network by its name, its id, or the unambiguous beginning of its id."""
        networks = self._all()
        exact = [network for network in networks if ref in (network.name, network.id)]
        found = exact or [network for network in networks if ref and network.id.startswith(ref)]
        if len(found) == 1:
            return self._with_members(found[0])
        if found:
            raise BadRequest(f"{len(found)} networks have an id that begins with {ref}", "give more of it")
        raise NotFound(
            f"there is no network {ref!r}", "see `tiffin network ls`, or make it with `tiffin network create`"
        )

    async def create(self, name: str, subnet: str = "") -> NetworkSummary:
        """Make a bridge network; without a subnet one is chosen that nothing on this host uses.

        Raises BadRequest for a malformed name or subnet, Conflict where either is taken.
        """
        if not NAME.fullmatch(name):
            raise BadRequest(f"{name!r} cannot be a network's name", "use letters, digits, and . _ - within")
        wanted = subnets.parse(subnet) if subnet else None
        taken = await self._taken()
        if any(network.name == name for network in self._all()):
            raise Conflict(f"there is a network {name} already", "choose another name")
        if wanted is None:
            wanted = subnets.choose(f"{self._instance.table}/{name}", [net for _, net in taken])
        for owner, net in taken:
            if net.overlaps(wanted):
                raise Conflict(
                    f"the subnet {wanted} overlaps {net} of {owner}", "choose another, or leave it out"
                )
        network = self._make(name, self._free_bridge(), wanted)
        self._save()
        return network

    async def remove(self, ref: str) -> None:
        """Remove a network that no container is in; raises Conflict for another and for the built-in ones."""
        network = self.get(ref)
        if network.driver != "bridge" or network.name == DEFAULT:
            raise Conflict(f"the network {network.name} is built in and cannot be removed")
        if network.containers:
            names = ", ".join(sorted(self.name_of(id) for id in network.containers))
            raise Conflict(f"the network {network.name} is used by {names}", "remove these containers first")
        del self._networks[network.name]
        self._save()
        await self._blocking(self._wired.delete_bridge, network.bridge)

    # ── containers ──────────────────────────────────────────────────────────────────────────────────────────

    def reserve(self, container: str, network: str) -> Lease | None:
        """The container's address in a network, the same until `release`; None for "none" and "host".

        On disk before `attach` makes anything. Raises NotFound for no such network, Conflict for a full one.
        """
        found = self.get(network)
        if found.driver != "bridge":
            return None
        lease = self._leases.reserve(container, found, self._veth(container))
        self._save_leases()
        return lease

    def lease(self, container: str) -> Lease | None:
        """The container's lease, if it has one."""
        return self._leases.get(container)

    def release(self, container: str) -> None:
        """Forget the container's address; for when it is removed."""
        self._indices.pop(self._veth(container), None)
        self._leases.release(container)
        self._save_leases()

    async def attach(self, lease: Lease, netns: int) -> None:
        """Give the namespace of the descriptor `netns` an eth0 with the lease's address, and a loopback."""
        network = self._networks[lease.network]
        wired = self._blocking(self._wired.connect, network, lease, netns)
        if lease.network in self._guarded:
            index = await wired
        else:
            index, _ = await asyncio.gather(wired, self._guard())
        self._indices[lease.veth] = index

    async def shape(
        self, lease: Lease, netns: int, *, sends: Rate | None = None, receives: Rate | None = None
    ) -> None:
        """Limit what a running container sends and receives from now on; None is no limit."""
        await self._blocking(self._wired.shape, lease, netns, sends, receives)

    async def publish(self, container: str, lease: Lease, ports: Ports) -> Ports:
        """Lead ports of the host to the container; returns them with every host port chosen.

        Raises BadRequest for a malformed port or an address the host does not have, Conflict naming who has
        the port, Unsupported where nft or its part of the kernel is missing; nothing is published then.
        """
        if not ports:
            return []
        async with self._publishing:
            published = self._leases.published
            resolved = await self._blocking(self._ports.take, container, ports, published, self.name_of)
            published[container] = resolved
            self._leases.changed = True
            await self._blocking(self._leases.save)
        try:
            await self._apply(resolved)
        except BaseException:
            self._withdraw(container)
            raise
        return resolved

    async def unpublish(self, container: str) -> None:
        """Withdraw all ports of the container; no error where it has none."""
        withdrawn = self._withdraw(container)
        if withdrawn:
            await self._apply(withdrawn)

    def _withdraw(self, container: str) -> Ports:
        self._ports.give_back(container)
        withdrawn = self._leases.published.pop(container, [])
        if withdrawn:
            self._leases.changed = True
            self._save_leases()
        return withdrawn

    async def _apply(self, changed: Ports) -> None:
        await self._firewall.apply()
        await self._forget_udp(changed)

    async def _forget_udp(self, changed: Ports) -> None:
        udp = {publish.host_port for publish in changed if publish.protocol == "udp"}
        if udp:
            await self._blocking(self._wired.forget_udp, udp)

    def counters(self) -> dict[str, Traffic]:
        """What each container received and sent since it was connected, by `Lease.veth`."""
        if self._statistics is None:
            return {}
        read = self._statistics.counters()
        # What the host's end sent is what the container received.
        return {
            veth: (c.tx_bytes, c.rx_bytes, c.tx_packets, c.rx_packets)
            for veth, index in self._indices.items()
            if (c := read.get(index)) is not None
        }

    async def checks(self) -> Findings:
        """What the doctor has to say about this host's networking; takes tens of milliseconds."""
        return await asyncio.to_thread(checks.checks, self._instance)

    # ── within ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _wired(self) -> Wiring:
        if self._wiring is None:
            raise RuntimeError("Networks.start was not awaited, or it is closed")
        return self._wiring

    async def _blocking(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def _guard(self) -> None:
        """Have the firewall know all networks; without nft, containers just have no way out of the host."""
        networks = frozenset(self._networks)
        try:
            await self._firewall.apply()
        except Unsupported as error:
            log.warning("%s", error)
        self._guarded = networks

    def _rules(self) -> str:
        targets = [
            Target(publish, lease.address)
            for id, ports in self._leases.published.items()
            if (lease := self._leases.get(id)) is not None
            for publish in ports
        ]
        return ruleset(self._instance.table, self._networks.values(), targets)

    async def _settle_default(self) -> None:
        """Give the default network a subnet, or a new one where the host has begun to use the old."""
        network = self._networks.get(DEFAULT)
        taken = [net for owner, net in await self._taken() if owner != f"the network {DEFAULT}"]
        used = any(lease.network == DEFAULT for lease in self._leases.all())
        if network is not None and (
            used or not any(net.overlaps(IPv4Network(network.subnet)) for net in taken)
        ):
            return
        preferred = None if self._instance.tag else subnets.DEFAULT
        self._make(DEFAULT, self._instance.bridge, subnets.choose(self._instance.table, taken, preferred))
        self._save()

    async def _taken(self) -> Taken:
        """All networks in use, with who uses them: the host's interfaces but our own, and our networks."""
        own = {network.bridge for network in self._networks.values()}
        taken = [
            (f"interface {n}", net) for n, net in await self._blocking(self._wired.taken) if n not in own
        ]
        return taken + [(f"the network {n.name}", IPv4Network(n.subnet)) for n in self._networks.values()]

    def _make(self, name: str, bridge: str, subnet: IPv4Network) -> NetworkSummary:
        network = NetworkSummary(
            id=secrets.token_hex(32),
            name=name,
            driver="bridge",
            created_at=time.time(),
            bridge=bridge,
            subnet=str(subnet),
            gateway=str(subnet[1]),
        )
        self._networks[name] = network
        return network

    def _save_leases(self) -> None:
        """Have them written before the thread does anything that is asked of it from now on."""
        self._thread.submit(self._leases.save).add_done_callback(_complain)

    def _save(self) -> None:
        files.replace(self._file, msgspec.json.encode(list(self._networks.values())), sync=True)

    def _all(self) -> Summaries:
        own = [network for name, network in self._networks.items() if name != DEFAULT]
        return [self._networks[DEFAULT], *self._unbridged, *own]

    def _with_members(self, network: NetworkSummary) -> NetworkSummary:
        return msgspec.structs.replace(network, containers=self._leases.members(network.name))

    def _free_bridge(self) -> str:
        """An unused name of at most 15 bytes: tiffin1, tiffin2, … or tf<tag>-1, …"""
        used = {network.bridge for network in self._networks.values()}
        stem = f"tf{self._instance.tag}-" if self._instance.tag else "tiffin"
        return next(name for number in range(1, 100_000) if (name := f"{stem}{number}") not in used)

    def _veth(self, container: str) -> str:
        """The host's end for a container, 15 bytes: tf-<12 of its id>, or tf<4 of the tag><9 of its id>."""
        tag = self._instance.tag
        return f"tf{tag[:4]}{container[:9]}" if tag else f"tf-{container[:12]}"


def _unbridged(instance: Instance, driver: Literal["none", "host"]) -> NetworkSummary:
    id = hashlib.sha256(f"{instance.table} {driver}".encode()).hexdigest()  # the same each time
    return NetworkSummary(id=id, name=driver, driver=driver)


def _complain(saved: Future[None]) -> None:
    if saved.exception() is not None:
        log.error("writing the leases: %s", saved.exception())
