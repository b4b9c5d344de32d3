"""Networks as Docker shows them."""

from __future__ import annotations

from engine.docker.times import rfc3339
from engine.model import JSON, NetworkSummary

DRIVERS = {"none": "null"}


def network(summary: NetworkSummary, names: dict[str, str]) -> JSON:
    """One network; `names` are containers' names by id."""
    prefix = summary.subnet.rpartition("/")[2]
    ipam = [{"Subnet": summary.subnet, "Gateway": summary.gateway}] if summary.subnet else []
    return {
        "Name": summary.name,
        "Id": summary.id,
        "Created": rfc3339(summary.created_at),
        "Scope": "local",
        "Driver": DRIVERS.get(summary.driver, summary.driver),
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": ipam},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            id: {
                "Name": names.get(id, ""),
                "EndpointID": "",
                "MacAddress": "",
                "IPv4Address": f"{address}/{prefix}",
                "IPv6Address": "",
            }
            for id, address in summary.containers.items()
        },
        "Options": {"com.docker.network.bridge.name": summary.bridge} if summary.bridge else {},
        "Labels": {},
    }
