"""The instance's nftables table: outbound NAT, published ports, and who may reach whom.

The whole table is made anew from what is known and replaced in one transaction, so it is right after any
crash and after anybody else's flush. Connections under way do not notice: theirs is tracked by the kernel.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.errors import Unsupported
from engine.model import NetworkSummary, Publish

log = logging.getLogger(__name__)

ANYWHERE = "0.0.0.0"


class Target(NamedTuple):
    """A published port and the container's address that it leads to."""

    publish: Publish
    address: str


def ruleset(table: str, networks: Iterable[NetworkSummary], targets: Iterable[Target]) -> str:
    """The table of these bridge networks as a script for nft(8) that replaces it as a whole."""
    at, anywhere = [], []
    for publish, address in targets:
        to = f"{address} . {publish.container_port}"
        port = f"{publish.protocol} . {publish.host_port}"
        if publish.host_ip == ANYWHERE:
            anywhere.append(f"{port} : {to}")
        else:
            at.append(f"{publish.host_ip} . {port} : {to}")
    bridges, source_nat, within = [], [], []
    for network in networks:
        bridge = f'"{network.bridge}"'
        bridges.append(bridge)
        source_nat.append(f"ip saddr {network.subnet} oifname != {bridge} masquerade")
        # Who reaches a neighbour, or itself, by the host's port must get the answers the same way.
        source_nat.append(f"ip saddr {network.subnet} oifname {bridge} ct status dnat masquerade")
        within.append(f"iifname {bridge} oifname {bridge} accept")
    return f"""\
table inet {table}
delete table inet {table}
table inet {table} {{
	set bridges {{
		type ifname
		{_elements(bridges)}
	}}
	map published_at {{
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		{_elements(at)}
	}}
	map published {{
		type inet_proto . inet_service : ipv4_addr . inet_service
		{_elements(anywhere)}
	}}
	# Bridges have route_localnet set: without this, containers would reach what listens on the host's
	# 127.0.0.1 (CVE-2020-8558), or pass for it.
	chain guard {{
		type filter hook prerouting priority -300; policy accept;
		iifname @bridges ip daddr 127.0.0.0/8 drop
		iifname @bridges ip saddr 127.0.0.0/8 drop
	}}
	chain publish {{
		dnat ip to ip daddr . meta l4proto . th dport map @published_at
		dnat ip to meta l4proto . th dport map @published
	}}
	# Nobody outside may reach what is published on 127.0.0.1: routing drops such packets, but later.
	chain prerouting {{
		type nat hook prerouting priority -100; policy accept;
		meta l4proto {{ tcp, udp }} ip daddr != 127.0.0.0/8 fib daddr type local jump publish
	}}
	chain output {{
		type nat hook output priority -100; policy accept;
		meta nfproto ipv4 meta l4proto {{ tcp, udp }} fib daddr type local jump publish
	}}
	chain postrouting {{
		type nat hook postrouting priority 100; policy accept;
		{_lines(source_nat)}
		oifname @bridges ip saddr 127.0.0.0/8 masquerade
	}}
	chain forward {{
		type filter hook forward priority 0; policy accept;
		ct state established,related accept
		ct status dnat accept
		{_lines(within)}
		oifname @bridges drop
	}}
}}
"""


def _elements(elements: Iterable[str]) -> str:
    joined = ", ".join(elements)
    return f"elements = {{ {joined} }}" if joined else ""


def _lines(rules: Iterable[str]) -> str:
    return "\n\t\t".join(rules)


class Firewall:
    """Keeps the kernel's table equal to what `rules` returns."""

    def __init__(self, table: str, rules: Callable[[], str]) -> None:
        self._table = table
        self._rules = rules
        self._lock = asyncio.Lock()
        self._wanted = self._loaded = 0

    async def apply(self) -> None:
        """Return once the kernel has what `rules` says now; calls that have to wait share one load.

        Raises Unsupported where nft or the kernel's part of it is missing.
        """
        self._wanted += 1
        mine = self._wanted
        async with self._lock:
            if self._loaded >= mine:
                return
            now = self._wanted
            await load(self._rules())
            self._loaded = now

    async def remove(self) -> None:
        """Take the table away; no error where there is none, or no nft."""
        async with self._lock:
            try:
                await load(f"table inet {self._table}\ndelete table inet {self._table}\n")
            except Unsupported as error:
                log.debug("%s", error)


async def load(script: str) -> None:
    """Have nft(8) work off a script as one transaction.

    Raises Unsupported where the program is missing or the kernel refuses, with nft's words.
    """
    try:
        nft = await asyncio.create_subprocess_exec(
            "nft", "-f", "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise Unsupported(
            "setting up the firewall: there is no nft on this host", "apt install nftables"
        ) from error
    _, said = await nft.communicate(script.encode())
    if nft.returncode:
        raise refusal(said.decode(errors="replace"))


def refusal(said: str) -> Unsupported:
    """The error for what nft printed when it failed."""
    first = next((line for line in said.splitlines() if "Error: " in line), said.strip() or "nothing")
    return Unsupported(
        f"setting up the firewall: nft said {first.rpartition('Error: ')[2]!r}",
        "see `tiffin doctor`; the kernel needs nf_tables with NFT_NAT, NFT_MASQ, NFT_CT and NFT_FIB_INET",
    )
