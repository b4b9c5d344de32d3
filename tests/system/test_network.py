"""Networks on a real kernel: namespaces without processes stand for containers, sockets for programs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TypeVar

import pytest

from engine.errors import BadRequest, Conflict, KernelError, NotFound, Unsupported
from engine.instance import Instance, find
from engine.kernel import netns, rtnetlink
from engine.kernel.rtnetlink import RouteSocket
from engine.kernel.syscalls import CLONE_NEWNET, setns, unshare
from engine.model import Publish
from engine.network import Lease, Networks

pytestmark = pytest.mark.system
T = TypeVar("T")


def on_a_thread(call: Callable[[], T]) -> T:
    """What `call` returns on a thread of its own, which may change its namespace and ends."""
    result: list[T] = []
    thread = threading.Thread(target=lambda: result.append(call()))
    thread.start()
    thread.join()
    return result[0]


class Namespace:
    """A network namespace that lives as long as its descriptor and the sockets in it."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(32)

        def make() -> int:
            unshare(CLONE_NEWNET)
            return netns.current()

        self.fd = on_a_thread(make)
        self.sockets: list[socket.socket] = []

    def run(self, call: Callable[[], T]) -> T:
        def enter() -> T:
            setns(self.fd, CLONE_NEWNET)
            return call()

        return on_a_thread(enter)

    def command(self, *words: str) -> None:
        """Run a program in here; for what only an attacker or another administrator would set up."""
        subprocess.run(["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.fd}", *words], check=True)

    def open(self, kind: int = socket.SOCK_STREAM, at: tuple[str, int] | None = None) -> socket.socket:
        made = self.run(lambda: socket.socket(socket.AF_INET, kind))
        made.settimeout(1)
        if at:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(at)
        self.sockets.append(made)
        return made

    def serve(self, port: int, answer: bytes, kind: int = socket.SOCK_STREAM) -> None:
        """Answer every connection or datagram with `answer` and the peer's address, until closed."""
        server = self.open(kind, ("0.0.0.0", port))
        server.settimeout(None)
        if kind == socket.SOCK_STREAM:
            server.listen()

        def loop() -> None:
            with contextlib.suppress(OSError):
                while True:
                    if kind == socket.SOCK_STREAM:
                        connection, peer = server.accept()
                        with connection:
                            connection.sendall(answer + b" " + peer[0].encode())
                    else:
                        _, peer = server.recvfrom(100)
                        if peer is None:  # shut down
                            return
                        server.sendto(answer + b" " + peer[0].encode(), peer)

        threading.Thread(target=loop, daemon=True).start()

    def close(self) -> None:
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        os.close(self.fd)


def ask(
    at: tuple[str, int], kind: int = socket.SOCK_STREAM, via: Namespace | None = None, patience: float = 10
) -> bytes:
    """The answer of the server there; OSError where it cannot be reached for `patience` seconds."""
    client = via.open(kind) if via else socket.socket(socket.AF_INET, kind)
    with client:
        client.settimeout(patience)
        client.connect(at)
        if kind == socket.SOCK_DGRAM:
            client.send(b"?")
        return client.recv(100)


def nobody_at(at: tuple[str, int], via: Namespace | None = None) -> None:
    """Assert that asking there finds nobody."""
    with pytest.raises((ConnectionError, TimeoutError)):
        ask(at, via=via, patience=1)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return find(tmp_path / "root")


@pytest.fixture
async def networks(instance: Instance) -> AsyncIterator[Networks]:
    made = Networks(instance)
    await made.start()
    yield made
    kill(made)
    cleaner = Networks(instance)
    await cleaner.start()
    await cleaner.destroy()
    assert interfaces(instance) == []
    assert instance.table not in tables()


@pytest.fixture
def spaces() -> Iterator[Callable[[], Namespace]]:
    made: list[Namespace] = []

    def make() -> Namespace:
        made.append(Namespace())
        return made[-1]

    yield make
    for space in made:
        space.close()


def interfaces(instance: Instance) -> list[str]:
    with RouteSocket() as route:
        return [link.name for link in route.links() if link.name.startswith(f"tf{instance.tag[:4]}")]


def tables() -> str:
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
    return ""


@pytest.fixture
async def publishes(networks: Networks) -> bool:
    """Whether this kernel can publish ports, as the product's own doctor found."""
    return next(check for check in await networks.checks() if check.name == "firewall").verdict == "ok"


def kill(networks: Networks) -> None:
    """What the kernel does to a killed engine: its descriptors and threads are gone, and nothing else."""
    networks._shut()


async def connect(networks: Networks, space: Namespace, network: str = "bridge") -> Lease:
    lease = networks.reserve(space.id, network)
    assert lease is not None
    await networks.attach(lease, space.fd)
    return lease


async def test_two_containers_listen_on_the_same_port(
    networks: Networks, spaces: Callable[[], Namespace]
) -> None:
    a, b = spaces(), spaces()
    lease_a, lease_b = await connect(networks, a), await connect(networks, b)
    a.serve(80, b"a")
    b.serve(80, b"b")
    assert ask((lease_a.address, 80)).startswith(b"a ")
    assert ask((lease_b.address, 80)).startswith(b"b ")
    assert ask((lease_b.address, 80), via=a) == b"b " + lease_a.address.encode()


async def test_the_first_packet_gets_through(networks: Networks, spaces: Callable[[], Namespace]) -> None:
    for _ in range(
        30
    ):  # a port that does not forward yet drops it, and TCP's second one follows after a second
        space = spaces()
        space.serve(80, b"here")
        lease = await connect(networks, space)
        assert ask((lease.address, 80), patience=0.9).startswith(b"here")


async def test_attach_is_quick(networks: Networks, spaces: Callable[[], Namespace]) -> None:
    await connect(networks, spaces())  # makes the bridge and the table
    took = []
    for _ in range(50):
        space = spaces()
        began = time.perf_counter()
        await connect(networks, space)
        took.append((time.perf_counter() - began) * 1000)
    print(f"reserve and attach: p50 {statistics.median(took):.2f} ms, max {max(took):.2f} ms")
    began = time.perf_counter()
    counters = networks.counters()
    print(f"counters: {(time.perf_counter() - began) * 1e6 / 51:.1f} µs an interface")
    assert len(counters) == 51


# ── published ports ─────────────────────────────────────────────────────────────────────────────────────────


def port(container_port: int, host_port: int = 0, **other: str) -> Publish:
    return Publish(container_port=container_port, host_port=host_port, **other)  # type: ignore[arg-type]


async def test_published_ports_lead_to_their_containers(
    networks: Networks, spaces: Callable[[], Namespace], publishes: bool
) -> None:
    a, b = spaces(), spaces()
    lease_a, lease_b = await connect(networks, a), await connect(networks, b)
    a.serve(80, b"a")
    b.serve(80, b"b")
    if not publishes:
        with pytest.raises(Unsupported, match="nft"):
            await networks.publish(a.id, lease_a, [port(80, 8080)])
        return
    assert await networks.publish(a.id, lease_a, [port(80, 8080)]) == [port(80, 8080)]
    [chosen] = await networks.publish(b.id, lease_b, [port(80)])
    assert chosen.host_port > 0
    gateway = lease_a.gateway
    assert ask(("127.0.0.1", 8080)) == b"a " + gateway.encode()
    assert ask((gateway, 8080)).startswith(b"a ")
    assert ask(("127.0.0.1", chosen.host_port)).startswith(b"b ")
    with socket.socket() as other:  # other programs are told, even one that would share
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("0.0.0.0", 8080))
    # From within, by the host's address: a neighbour, and oneself.
    assert ask((gateway, 8080), via=b) == b"a " + gateway.encode()
    assert ask((gateway, 8080), via=a) == b"a " + gateway.encode()
    await networks.unpublish(a.id)
    nobody_at(("127.0.0.1", 8080))
    assert ask(("127.0.0.1", chosen.host_port)).startswith(b"b ")


async def test_udp(networks: Networks, spaces: Callable[[], Namespace], publishes: bool) -> None:
    a, b = spaces(), spaces()
    lease, lease_b = await connect(networks, a), await connect(networks, b)
    a.serve(53, b"a", socket.SOCK_DGRAM)
    b.serve(53, b"b", socket.SOCK_DGRAM)
    if not publishes:
        return
    asked = [port(53, 5353, protocol="udp")]
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.settimeout(10)
        client.bind(("127.0.0.1", 0))
        client.sendto(b"too early", ("127.0.0.1", 5353))
        await networks.publish(a.id, lease, asked)
        for host in ("127.0.0.1", lease.gateway):
            assert ask((host, 5353), socket.SOCK_DGRAM).startswith(b"a ")
        # A client that keeps its own port is led to where the port leads now, not to where it once did.
        client.sendto(b"?", ("127.0.0.1", 5353))
        assert client.recv(100).startswith(b"a ")
        await networks.unpublish(a.id)
        await networks.publish(b.id, lease_b, asked)
        client.sendto(b"?", ("127.0.0.1", 5353))
        assert client.recv(100).startswith(b"b ")
    nobody_at(("127.0.0.1", 5353))  # the same number, but TCP


async def test_a_port_on_one_address_only(
    networks: Networks, spaces: Callable[[], Namespace], publishes: bool
) -> None:
    a, b = spaces(), spaces()
    lease_a, lease_b = await connect(networks, a), await connect(networks, b)
    a.serve(80, b"a")
    b.serve(80, b"b")
    if not publishes:
        return
    await networks.publish(a.id, lease_a, [port(80, 8080, host_ip="127.0.0.1")])
    await networks.publish(b.id, lease_b, [port(80, 8080, host_ip=lease_a.gateway)])
    assert ask(("127.0.0.1", 8080)).startswith(b"a ")
    assert ask((lease_a.gateway, 8080)).startswith(b"b ")
    with pytest.raises(Conflict, match=b.id[:12]):
        await networks.publish(a.id, lease_a, [port(80, 8080)])


async def test_a_taken_port_names_who_has_it(networks: Networks, spaces: Callable[[], Namespace]) -> None:
    a = spaces()
    lease = await connect(networks, a)
    for kind, protocol in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
        with socket.socket(socket.AF_INET, kind) as other:
            other.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                other.listen()
            wanted = port(80, other.getsockname()[1], protocol=protocol)
            with pytest.raises(Conflict, match=f"pid {os.getpid()}"):
                await networks.publish(a.id, lease, [wanted])


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (port(0, 80), "0 is not a port"),
        (port(80, 65536), "65536 is not a port"),
        (port(80, 80, host_ip="::1"), "not an IPv4 address"),
        (port(80, 8080, host_ip="198.51.100.7"), "no such address"),
    ],
)
async def test_bad_ports_are_refused(
    networks: Networks, spaces: Callable[[], Namespace], wanted: Publish, says: str
) -> None:
    a = spaces()
    lease = await connect(networks, a)
    with pytest.raises(BadRequest, match=says):
        await networks.publish(a.id, lease, [port(80, 8081), wanted])
    nobody_at(("127.0.0.1", 8081))


# ── who reaches whom ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def outside(spaces: Callable[[], Namespace]) -> Iterator[Namespace]:
    """Another machine, 192.0.2.2, on a wire to this host, 192.0.2.1."""
    other = spaces()
    with RouteSocket() as route:
        route.apply(
            rtnetlink.add_bridge("wire0", "02:00:00:00:00:01"), rtnetlink.bridge_up("wire0", "", 1400, True)
        )
        wire = route.index("wire0")
        route.apply(rtnetlink.add_address(wire, IPv4Interface("192.0.2.1/24")))
        route.apply(
            rtnetlink.add_veth("wire1", wire, "eth0", other.fd, "02:00:00:00:00:02", 1400),
            rtnetlink.port_up("wire1", True),
        )
    other.command("ip", "link", "set", "lo", "up")
    other.command("ip", "address", "add", "192.0.2.2/24", "dev", "eth0")
    other.command("ip", "link", "set", "eth0", "up")
    yield other
    with RouteSocket() as route:
        route.apply(rtnetlink.delete_link("wire0"), rtnetlink.delete_link("wire1"))


async def test_to_and_from_another_machine(
    networks: Networks, spaces: Callable[[], Namespace], outside: Namespace, publishes: bool
) -> None:
    a = spaces()
    lease = await connect(networks, a)
    a.serve(80, b"a")
    outside.serve(7, b"outside")
    if not publishes:
        return
    assert ask(("192.0.2.2", 7), via=a) == b"outside 192.0.2.1"
    await networks.publish(a.id, lease, [port(80, 8080), port(80, 8081, host_ip="127.0.0.1")])
    assert ask(("192.0.2.1", 8080), via=outside) == b"a 192.0.2.2"
    # Neither around the published ports …
    outside.command("ip", "route", "add", lease.address, "via", "192.0.2.1")
    nobody_at((lease.address, 80), via=outside)
    # … nor to what is published for this host alone.
    pretend_remote_loopback(outside, "192.0.2.1")
    nobody_at(("127.0.0.1", 8081), via=outside)
    assert ask(("127.0.0.1", 8081)).startswith(b"a ")


async def test_a_container_does_not_reach_the_hosts_loopback(
    networks: Networks, spaces: Callable[[], Namespace], publishes: bool
) -> None:
    a = spaces()
    lease = await connect(networks, a)
    if not publishes:
        return
    pretend_remote_loopback(a, lease.gateway)
    with socket.socket() as private:
        private.bind(("127.0.0.1", 0))
        private.listen()
        with pytest.raises(TimeoutError):
            a.open().connect(private.getsockname())
        assert Path(f"/proc/sys/net/ipv4/conf/{lease.bridge}/route_localnet").read_text() == "1\n"


def pretend_remote_loopback(space: Namespace, gateway: str) -> None:
    """Send packets for 127.0.0.1 over the wire, as CVE-2020-8558's attacker does."""
    space.command("ip", "address", "flush", "dev", "lo")
    space.command("ip", "route", "flush", "table", "local", "127.0.0.0/8")
    space.command("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    space.command("ip", "route", "add", "127.0.0.1", "via", gateway)


async def test_networks_are_apart(
    networks: Networks, spaces: Callable[[], Namespace], publishes: bool
) -> None:
    other = await networks.create("other")
    a, b, c = spaces(), spaces(), spaces()
    lease_a = await connect(networks, a)
    lease_b, lease_c = await connect(networks, b, "other"), await connect(networks, c, "other")
    assert lease_b.bridge == other.bridge != lease_a.bridge
    assert networks.get("other").containers == {b.id: lease_b.address, c.id: lease_c.address}
    a.serve(80, b"a")
    b.serve(80, b"b")
    assert ask((lease_b.address, 80), via=c).startswith(b"b ")
    assert ask((lease_b.address, 80)).startswith(b"b ")
    if publishes:
        nobody_at((lease_b.address, 80), via=a)
    with pytest.raises(Conflict, match=b.id[:12]):
        await networks.remove("other")
    networks.release(b.id)
    networks.release(c.id)
    await networks.remove("other")
    with pytest.raises(NotFound):
        networks.get("other")


# ── engines come and go ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_next_engine_takes_over(
    instance: Instance, networks: Networks, spaces: Callable[[], Namespace], publishes: bool
) -> None:
    a, b, c = spaces(), spaces(), spaces()
    leases = [await connect(networks, space) for space in (a, b, c)]
    a.serve(80, b"a")
    b.serve(80, b"b")
    if publishes:
        await networks.publish(a.id, leases[0], [port(80, 8080)])
        await networks.publish(b.id, leases[1], [port(80, 8081)])
    kill(networks)
    assert ask((leases[0].address, 80)).startswith(b"a ")
    if publishes:
        assert ask(("127.0.0.1", 8080)).startswith(b"a ")
    following = Networks(instance)
    await following.start()
    await following.reconcile({a.id, b.id}, {a.id})  # b ended meanwhile, c was removed
    assert following.reserve(a.id, "bridge") == leases[0]
    assert following.reserve(b.id, "bridge") == leases[1]
    assert following.lease(c.id) is None
    assert sorted(interfaces(instance)) == sorted([instance.bridge, leases[0].veth])
    if publishes:
        assert ask(("127.0.0.1", 8080)).startswith(b"a ")
        nobody_at(("127.0.0.1", 8081))
    assert list(following.counters()) == [leases[0].veth]
    await following.close()
    assert sorted(interfaces(instance)) == sorted([instance.bridge, leases[0].veth])  # a goes on


async def test_the_default_subnet_gives_way_to_what_the_host_uses(instance: Instance) -> None:
    first = Networks(instance)
    await first.start()
    before = first.get("bridge")
    await first.close()
    with RouteSocket() as route:
        route.apply(
            rtnetlink.add_bridge("wire0", "02:00:00:00:00:01"), rtnetlink.bridge_up("wire0", "", 1400, True)
        )
        route.apply(rtnetlink.add_address(route.index("wire0"), IPv4Interface(before.subnet)))
        try:
            second = Networks(instance)
            await second.start()
            assert second.get("bridge").subnet != before.subnet
            with pytest.raises(Conflict, match="of interface wire0"):
                await second.create("same", before.subnet)
            await second.close()
        finally:
            route.apply(rtnetlink.delete_link("wire0"))


async def test_closing_takes_away_what_nobody_uses(
    instance: Instance, networks: Networks, spaces: Callable[[], Namespace]
) -> None:
    assert interfaces(instance) == []  # nothing before the first container
    lease = await connect(networks, spaces())
    with RouteSocket() as route:
        route.apply(rtnetlink.delete_link(lease.veth))  # as the kernel does when a namespace ends
    await networks.close()
    assert interfaces(instance) == []
    assert instance.table not in tables()


async def test_a_restart_finds_the_old_namespace_still_there(
    networks: Networks, spaces: Callable[[], Namespace]
) -> None:
    old, new = spaces(), spaces()
    lease = await connect(networks, old)
    await networks.attach(lease, new.fd)
    new.serve(80, b"new")
    assert ask((lease.address, 80)).startswith(b"new ")
    assert old.run(lambda: [link.name for link in links()]) == ["lo"]


async def test_a_bridge_that_somebody_removed_is_made_again(
    networks: Networks, spaces: Callable[[], Namespace]
) -> None:
    a, b = spaces(), spaces()
    lease = await connect(networks, a)
    with RouteSocket() as route:
        route.apply(rtnetlink.delete_link(lease.bridge))
    b.serve(80, b"b")
    assert ask(((await connect(networks, b)).address, 80)).startswith(b"b ")


async def test_a_failed_attach_leaves_nothing(
    instance: Instance, networks: Networks, spaces: Callable[[], Namespace]
) -> None:
    a = spaces()
    await connect(networks, a)
    again = networks.reserve(secrets.token_hex(32), "bridge")
    assert again is not None
    with pytest.raises(KernelError, match="exists"):
        await networks.attach(again, a.fd)  # has an eth0 already
    assert again.veth not in interfaces(instance)


async def test_somebody_elses_interface_is_not_taken_over(
    instance: Instance, networks: Networks, spaces: Callable[[], Namespace]
) -> None:
    with RouteSocket() as route:
        route.apply(rtnetlink.add_bridge(instance.bridge, "02:00:00:00:00:01"))
        try:
            with pytest.raises(Conflict, match="did not make"):
                await connect(networks, spaces())
        finally:
            route.apply(rtnetlink.delete_link(instance.bridge))


async def test_without_nft_containers_still_have_a_network(
    networks: Networks, spaces: Callable[[], Namespace], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    a = spaces()
    lease = await connect(networks, a)
    a.serve(80, b"a")
    assert ask((lease.address, 80)).startswith(b"a ")
    with pytest.raises(Unsupported, match="no nft") as raised:
        await networks.publish(a.id, lease, [port(80, 8080)])
    assert raised.value.remedy == "apt install nftables"
    found = {check.name: check for check in await networks.checks()}
    assert found["container networks"].verdict == "ok"
    assert found["firewall"].verdict == "limited"


async def test_a_firewall_that_drops_is_reported(networks: Networks, publishes: bool) -> None:
    if not publishes:
        return
    drop = "table inet others { chain f { type filter hook forward priority 0; policy drop; }; }"
    subprocess.run(["nft", drop], check=True)
    try:
        check = next(check for check in await networks.checks() if check.name == "other firewalls")
    finally:
        subprocess.run(["nft", "delete table inet others"], check=True)
    assert check.verdict == "limited"
    assert "inet others" in check.found


async def test_many_at_once(networks: Networks, spaces: Callable[[], Namespace], publishes: bool) -> None:
    many = [spaces() for _ in range(20)]
    for number, space in enumerate(many):
        space.serve(80, b"%d" % number)

    async def start(space: Namespace) -> int:
        lease = await connect(networks, space)
        if not publishes:
            return 0
        return (await networks.publish(space.id, lease, [port(80)]))[0].host_port

    ports = await asyncio.gather(*(start(space) for space in many))
    if publishes:
        for number, host_port in enumerate(ports):
            assert ask(("127.0.0.1", host_port)).startswith(b"%d " % number)


async def test_counters_are_the_containers_own(networks: Networks, spaces: Callable[[], Namespace]) -> None:
    a = spaces()
    lease = await connect(networks, a)
    quiet = networks.counters()[lease.veth]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        a.open(socket.SOCK_DGRAM, ("0.0.0.0", 9))
        for _ in range(10):
            client.sendto(bytes(1000), (lease.address, 9))
    received, sent, received_packets, _ = (
        now - before for now, before in zip(networks.counters()[lease.veth], quiet, strict=True)
    )
    assert received >= 10_000
    assert received_packets >= 10
    assert sent < 1000


def links() -> list[rtnetlink.Link]:
    with RouteSocket() as route:
        return route.links()
