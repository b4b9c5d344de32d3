"""What a container reads about names: the texts of its /etc/hosts and /etc/resolv.conf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

from engine.errors import BadRequest

RESOLV_CONF = Path("/etc/resolv.conf")
UPSTREAM = Path("/run/systemd/resolve/resolv.conf")  # what systemd-resolved's stub on 127.0.0.53 itself asks
FALLBACK = ("1.1.1.1", "8.8.8.8")


def hosts_text(
    hostname: str, address: str = "", extra_hosts: Iterable[str] = (), peers: Mapping[str, str] | None = None
) -> str:
    """The text of /etc/hosts; `extra_hosts` are "name:address", `peers` addresses by name.

    Without an address the name leads to the loopback. Raises BadRequest for a malformed extra host.
    """
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    short = hostname.partition(".")[0]
    lines.append(f"{address or '127.0.1.1'}\t{hostname}" + (f" {short}" if short != hostname else ""))
    lines += [f"{peer}\t{name}" for name, peer in (peers or {}).items()]
    lines += ["\t".join(reversed(parse_host(entry))) for entry in extra_hosts]
    return "\n".join(lines) + "\n"


def parse_host(entry: str) -> tuple[str, str]:
    """Name and address of "name:address"; raises BadRequest where it is not that."""
    name, _, address = entry.partition(":")
    try:
        if name and not set(name) & set(" \t\n#"):
            return name, str(ip_address(address.strip("[]")))
    except ValueError:
        pass
    raise BadRequest(f"{entry!r} is not a host entry", "give NAME:ADDRESS, for instance db:10.88.0.5")


def resolv_conf_text(dns: Iterable[str] = (), host: str | None = None) -> str:
    """The text of /etc/resolv.conf: the nameservers in `dns`, else those of `host` (None: this host's text).

    A nameserver on the host's loopback cannot be reached from a container and is left out; where no other is
    left, systemd-resolved's upstreams or public ones take its place. Raises BadRequest for a malformed one.
    """
    wanted = list(dns)
    for address in wanted:
        try:
            ip_address(address)
        except ValueError as error:
            raise BadRequest(
                f"{address!r} is not a nameserver's address", "give --dns an IP address"
            ) from error
    text = _read(RESOLV_CONF) if host is None else host
    options = [
        line for line in text.splitlines() if line.split()[:1] in (["search"], ["options"], ["domain"])
    ]
    servers = (
        wanted or _servers(text) or (_servers(_read(UPSTREAM)) if host is None else []) or list(FALLBACK)
    )
    return "\n".join([*options, *(f"nameserver {server}" for server in servers)]) + "\n"


def _servers(text: str) -> list[str]:
    """The nameservers that a container can reach: IPv4, and not on a loopback."""
    found = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", address, *_] if ":" not in address and not address.startswith("127."):
                found.append(address)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
