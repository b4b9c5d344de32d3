"""What our own netlink made, as an independent implementation of the protocol reads it."""

from __future__ import annotations

from ipaddress import IPv4Interface

import pytest
from command import eventually
from pyroute2 import IPRoute

from engine.client import EngineClient
from engine.instance import Instance
from engine.model import ContainerConfig

pytestmark = pytest.mark.system


def test_pyroute2_sees_the_bridge_its_address_and_a_forwarding_port(
    client: EngineClient, instance: Instance
) -> None:
    id = client.run(ContainerConfig(image="host", command=["sleep", "1000"]))
    network = client.network("bridge")
    with IPRoute() as route:
        bridge = route.link_lookup(ifname=instance.bridge)[0]
        link = route.get_links(bridge)[0]
        assert link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "bridge"
        assert link["state"] == "up"
        (address,) = route.get_addr(index=bridge, family=2)
        subnet = IPv4Interface(f"{address.get_attr('IFA_ADDRESS')}/{address['prefixlen']}").network
        assert (str(subnet), address.get_attr("IFA_ADDRESS")) == (network.subnet, network.gateway)
        (port,) = [p for p in route.get_links() if p.get_attr("IFLA_MASTER") == bridge]
        assert port.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "veth"
        assert port["state"] == "up"
        client.remove(id, force=True)
        # The kernel takes a network namespace apart, and with it the port, after the last process has gone.
        eventually(
            lambda: not [p for p in route.get_links() if p.get_attr("IFLA_MASTER") == bridge],
            "its port is gone",
        )
