"""Host ports: which a container may have, who has one that is taken, and keeping other programs off them."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address

import msgspec

from engine.errors import BadRequest, Conflict, KernelError, TiffinError
from engine.model import Publish
from engine.network.firewall import ANYWHERE

log = logging.getLogger(__name__)
ATTEMPTS = 100  # at a free port that no container has either


class HostPorts:
    """A bound socket for every published port, so that other programs find it taken.

    Packets never reach these sockets: the firewall leads them away before. They end with the engine while the
    forwarding goes on; a program that binds such a port meanwhile hears nothing, and the next engine says so.
    """

    def __init__(self) -> None:
        self._held: dict[str, list[socket.socket]] = {}  # by container id

    def take(
        self,
        container: str,
        wanted: list[Publish],
        published: Mapping[str, list[Publish]],
        name: Callable[[str], str],
    ) -> list[Publish]:
        """Hold the wanted ports in place of those the container had; 0 becomes a free one.

        `published` is what all containers have, `name` what to call them. Raises BadRequest for what is no
        port or no address of this host, Conflict naming who has the port.
        """
        self.give_back(container)
        others = {id: ports for id, ports in published.items() if id != container}
        taken = [(publish, f"container {name(id)}") for id, ports in others.items() for publish in ports]
        resolved: list[Publish] = []
        held = self._held[container] = []
        try:
            for publish in map(check, wanted):
                bound, chosen = _claim(publish, taken)
                held.append(bound)
                resolved.append(chosen)
                taken.append((chosen, "this container"))
        except TiffinError:
            self.give_back(container)
            raise
        return resolved

    def take_again(self, published: Mapping[str, list[Publish]]) -> None:
        """Hold what an earlier engine published; what somebody else has bound by now is told to the log."""
        for container, ports in published.items():
            for publish in ports:
                try:
                    self._held.setdefault(container, []).append(_bind(publish))
                except TiffinError as error:
                    log.warning("container %s keeps its port: %s", container[:12], error.message)

    def give_back(self, container: str) -> None:
        """Let go of the container's ports."""
        for bound in self._held.pop(container, []):
            bound.close()

    def close(self) -> None:
        """Let go of all ports."""
        for container in list(self._held):
            self.give_back(container)


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
    return msgspec.structs.replace(publish, host_ip=host_ip)


def _claim(publish: Publish, taken: list[tuple[Publish, str]]) -> tuple[socket.socket, Publish]:
    """A socket on the port, and the port with its number; raises Conflict."""
    for _ in range(ATTEMPTS):
        if publish.host_port and (owner := _owner(publish, taken)):
            raise _conflict(publish, owner)
        bound = _bind(publish)
        chosen = msgspec.structs.replace(publish, host_port=bound.getsockname()[1])
        if not _owner(chosen, taken):
            return bound, chosen
        bound.close()
    raise Conflict(f"choosing a host port for {publish.container_port}: all that were tried are taken")


def _owner(wanted: Publish, taken: list[tuple[Publish, str]]) -> str:
    """Who has that port on an address in common, or ""."""
    for other, owner in taken:
        same = (other.protocol, other.host_port) == (wanted.protocol, wanted.host_port)
        if same and (other.host_ip == wanted.host_ip or ANYWHERE in (other.host_ip, wanted.host_ip)):
            return owner
    return ""


def _bind(publish: Publish) -> socket.socket:
    """A socket on the host's port; raises Conflict where another program has it."""
    where = f"publishing port {publish.host_port}/{publish.protocol} on {publish.host_ip}"
    kind = socket.SOCK_STREAM if publish.protocol == "tcp" else socket.SOCK_DGRAM
    bound = socket.socket(socket.AF_INET, kind)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # the least there is: nobody will read it
        try:
            bound.bind((publish.host_ip, publish.host_port))
        except OSError as error:
            # Connections in TIME_WAIT do not count. Only now, as others could share the port with us then.
            if error.errno != errno.EADDRINUSE or publish.protocol != "tcp":
                raise
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((publish.host_ip, publish.host_port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise _conflict(publish, _listener(publish)) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise BadRequest(
                f"{where}: this host has no such address", "leave it out to publish on all addresses"
            ) from error
        raise KernelError.of(where, error) from error
    return bound


def _listener(wanted: Publish) -> str:
    """The program that has the port, for a message."""
    import psutil  # here: importing it takes longer than a launch, and only a Conflict needs it

    for connection in psutil.net_connections(f"{wanted.protocol}"):
        if connection.status not in (psutil.CONN_LISTEN, psutil.CONN_NONE) or not connection.pid:
            continue
        if connection.laddr and connection.laddr.port == wanted.host_port:
            with contextlib.suppress(psutil.Error):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program on this host"


def _conflict(wanted: Publish, owner: str) -> Conflict:
    return Conflict(
        f"publishing port {wanted.host_port}/{wanted.protocol} on {wanted.host_ip}: {owner} has it",
        "choose another port, or leave it out to get a free one",
    )
