"""Host ports: which a container may have, and who has one that is taken.

No socket is held for a published port: it would die with the engine while the port goes on being forwarded. So
another program can bind a published port later; it is then reachable only where the forwarding does not apply.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address

from engine.errors import BadRequest, Conflict, KernelError
from engine.model import Publish
from engine.network.firewall import ANYWHERE

ATTEMPTS = 100  # at a free port that no container has either


def resolve(
    wanted: list[Publish], published: Mapping[str, list[Publish]], name: Callable[[str], str]
) -> list[Publish]:
    """The wanted ports with every host port chosen; `published` are other containers', called by `name`.

    Raises BadRequest for what cannot be a port or an address of this host, Conflict naming who has the port.
    Blocks for as long as a few binds take; longer only on the way to a Conflict.
    """
    taken = {
        (p.protocol, p.host_port, p.host_ip): f"container {name(id)}"
        for id, ports in published.items()
        for p in ports
    }
    resolved: list[Publish] = []
    with contextlib.ExitStack() as held:  # until all are found, so that none is chosen twice
        for publish in map(check, wanted):
            for _ in range(ATTEMPTS):
                bound = held.enter_context(_bind(publish))
                chosen = Publish(
                    container_port=publish.container_port,
                    host_port=bound.getsockname()[1],
                    host_ip=publish.host_ip,
                    protocol=publish.protocol,
                )
                owner = _owner(chosen, taken)
                if not owner:
                    break
                if publish.host_port:
                    raise _conflict(chosen, owner)
            else:
                raise Conflict(
                    f"choosing a host port for {publish.container_port}: all that were tried are taken"
                )
            taken[(chosen.protocol, chosen.host_port, chosen.host_ip)] = "this container"
            resolved.append(chosen)
    return resolved


def check(publish: Publish) -> Publish:
    """The same with an IPv4 address in its usual form; raises BadRequest where it is malformed."""
    for number, least in ((publish.container_port, 1), (publish.host_port, 0)):
        if not least <= number <= 65535:
            raise BadRequest(f"{number} is not a port", f"give one from {least} to 65535")
    try:
        host_ip = str(IPv4Address(publish.host_ip or ANYWHERE))
    except AddressValueError as error:
        raise BadRequest(
            f"publishing on {publish.host_ip!r}: it is not an IPv4 address",
            "leave it out to publish on all addresses",
        ) from error
    return Publish(
        container_port=publish.container_port,
        host_port=publish.host_port,
        host_ip=host_ip,
        protocol=publish.protocol,
    )


def _bind(publish: Publish) -> socket.socket:
    """A socket on the host's port, which no other program can then have."""
    tcp = publish.protocol == "tcp"
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    try:
        if tcp:  # connections in TIME_WAIT do not count, listeners still do; for UDP it would let both bind
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((publish.host_ip, publish.host_port))
    except OSError as error:
        bound.close()
        where = f"publishing port {publish.host_port}/{publish.protocol} on {publish.host_ip}"
        if error.errno == errno.EADDRINUSE:
            raise _conflict(publish, _listener(publish)) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise BadRequest(
                f"{where}: this host has no such address", "leave it out to publish on all addresses"
            ) from error
        raise KernelError.of(where, error) from error
    return bound


def _owner(wanted: Publish, taken: Mapping[tuple[str, int, str], str]) -> str:
    """Who has that port on an address in common, or ""."""
    for (protocol, port, host_ip), owner in taken.items():
        if (protocol, port) == (wanted.protocol, wanted.host_port) and (
            ANYWHERE in (host_ip, wanted.host_ip) or host_ip == wanted.host_ip
        ):
            return owner
    return ""


def _listener(wanted: Publish) -> str:
    """The program that has the port, for a message."""
    import psutil  # here: takes longer to import than a launch, and only a Conflict needs it

    kind = socket.SOCK_STREAM if wanted.protocol == "tcp" else socket.SOCK_DGRAM
    for connection in psutil.net_connections(wanted.protocol):
        if connection.type != kind or connection.status not in (psutil.CONN_LISTEN, psutil.CONN_NONE):
            continue
        if connection.laddr and connection.laddr.port == wanted.host_port and connection.pid:
            with contextlib.suppress(psutil.Error):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program on this host"


def _conflict(wanted: Publish, owner: str) -> Conflict:
    return Conflict(
        f"publishing port {wanted.host_port}/{wanted.protocol} on {wanted.host_ip}: {owner} has it",
        "choose another port, or leave it out to get a free one",
    )
