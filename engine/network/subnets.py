"""Which IPv4 networks an instance may use: reading what a user asks for, choosing otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError

from engine.errors import BadRequest, Conflict

DEFAULT = IPv4Network("10.88.0.0/16")
"""Of the machine's own instance, where nothing else has it."""

POOLS = tuple(IPv4Network(pool) for pool in ("10.128.0.0/10", "172.24.0.0/13", "192.168.128.0/17"))
"""Where all others come from, a /24 each; the later pools are for hosts that route the earlier elsewhere."""


def parse(text: str) -> IPv4Network:
    """The network a user asked for; raises BadRequest where no container could live in it."""
    try:
        network = IPv4Network(text)
    except (AddressValueError, NetmaskValueError) as error:
        raise BadRequest(
            f"{text!r} is not an IPv4 subnet: {error}", "give one such as 10.5.0.0/24; IPv6 is not supported"
        ) from error
    except ValueError as error:  # bits set behind the prefix
        meant = IPv4Network(text, strict=False)
        raise BadRequest(f"{text} is an address within a subnet, not a subnet", f"give {meant}") from error
    if not 8 <= network.prefixlen <= 29:
        raise BadRequest(f"the subnet {network} has an unusable size", "give one from /8 to /29")
    if (
        network.is_multicast
        or network.is_loopback
        or network.is_link_local
        or network.network_address.packed[0] == 0
    ):
        raise BadRequest(
            f"containers cannot use addresses of {network}", "give a private subnet such as 10.5.0.0/24"
        )
    return network


def choose(owner: str, taken: Iterable[IPv4Network], preferred: IPv4Network | None = None) -> IPv4Network:
    """The first network that overlaps none of `taken`, searched from a place that depends on `owner`.

    Instances start at different places, so that two that cannot see each other's bridges seldom choose alike.
    """
    ranges = [(int(net.network_address), int(net.broadcast_address)) for net in taken]
    for candidate in _candidates(owner, preferred):
        first, last = int(candidate.network_address), int(candidate.broadcast_address)
        if not any(low <= last and first <= high for low, high in ranges):
            return candidate
    raise Conflict(
        "choosing a subnet: this host routes all private networks already", "give one with --subnet"
    )


def _candidates(owner: str, preferred: IPv4Network | None) -> Iterator[IPv4Network]:
    if preferred is not None:
        yield preferred
    start = int.from_bytes(hashlib.sha256(owner.encode()).digest()[:4], "big")
    for pool in POOLS:
        size, base = pool.num_addresses // 256, int(pool.network_address)
        for step in range(size):
            yield IPv4Network((base + (start + step) % size * 256, 24))
