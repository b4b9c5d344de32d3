"""Networks on a real kernel: namespaces like containers', but without processes; sockets stand for programs."""

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
from pathlib import Path
from typing import TypeVar

import pytest

from engine.errors import BadRequest, Conflict, KernelError, NotFound, Unsupported
from engine.instance import Instance, find
from engine.kernel import netlink
from engine.kernel.netlink import RouteSocket
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
            return netlink.current_netns()

        self.fd = on_a_thread(make)
        self.sockets: list[socket.socket] = []

    def run(self, call: Callable[[], T]) -> T:
        def enter() -> T:
            setns(self.fd, CLONE_NEWNET)
            return call()

        return on_a_thread(enter)

    def open(self, kind: int = socket.SOCK_STREAM, at: tuple[str, int] | None = None) -> socket.socket:
        made = self.run(lambda: socket.socket(socket.AF_INET, kind))
        made.settimeout(5)
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
                        server.sendto(answer + b" " + peer[0].encode(), peer)

        threading.Thread(target=loop, daemon=True).start()

    def close(self) -> None:
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        os.close(self.fd)


def ask(at: tuple[str, int], kind: int = socket.SOCK_STREAM, via: Namespace | None = None) -> bytes:
    """The answer of the server there; OSError where it cannot be reached."""
    client = via.open(kind) if via else socket.socket(socket.AF_INET, kind)
    with client:
        client.settimeout(1)
        client.connect(at)
        if kind == socket.SOCK_DGRAM:
            client.send(b"?")
        return client.recv(100)


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


def kill(networks: Networks) -> None:
    """What the kernel does to a killed engine: its descriptors and threads are gone, and nothing else."""
    networks._shut()


async def connect(networks: Networks, space: Namespace, network: str = "bridge") -> Lease:
    lease = networks.reserve(space.id, network)
    assert lease is not None
    await networks.attach(lease, space.fd)
    return lease


async def test_two_containers_listen_on_the_same_port(networks: Networks, spaces: Callable[[], Namespace]) -> None:
    a, b = spaces(), spaces()
    lease_a, lease_b = await connect(networks, a), await connect(networks, b)
    a.serve(80, b"a")
    b.serve(80, b"b")
    assert ask((lease_a.address, 80)).startswith(b"a ")
    assert ask((lease_b.address, 80)).startswith(b"b ")
    assert ask((lease_b.address, 80), via=a) == b"b " + lease_a.address.encode()


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
