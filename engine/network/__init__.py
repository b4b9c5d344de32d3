"""Bridges, addresses, published ports and the names a container knows."""

from engine.network.leases import Lease
from engine.network.networks import Networks
from engine.network.shaping import Rate
from engine.network.texts import hosts_text, parse_host, resolv_conf_text

__all__ = ["Lease", "Networks", "Rate", "hosts_text", "parse_host", "resolv_conf_text"]
