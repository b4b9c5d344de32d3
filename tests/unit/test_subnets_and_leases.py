"""Subnets, leases, names: what of the networks needs no kernel, or no right to change it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest, Conflict, Corrupt, NotFound
from engine.instance import Instance, find
from engine.model import NetworkSummary, Publish
from engine.network import Networks, hosts_text, resolv_conf_text, subnets
from engine.network.firewall import Target, ruleset
from engine.network.leases import Leases
from engine.network.ports import HostPorts

# ── subnets ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ten", "not an IPv4 subnet"),
        ("10.5.0.0/33", "not an IPv4 subnet"),
        ("fd00::/64", "not an IPv4 subnet"),
        ("10.5.0.1/24", "an address within"),
        ("10.5.0.0/31", "unusable size"),
        ("0.0.0.0/0", "unusable size"),
        ("127.0.0.0/16", "cannot use"),
        ("224.0.0.0/16", "cannot use"),
        ("169.254.0.0/16", "cannot use"),
        ("0.1.0.0/16", "cannot use"),
    ],
)
def test_a_bad_subnet_is_refused_with_a_remedy(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as raised:
        subnets.parse(text)
    assert raised.value.remedy


taken_networks = st.lists(
    st.builds(
        lambda address, prefix: IPv4Network((address, prefix), strict=False),
        st.integers(int(IPv4Address("10.0.0.0")), int(IPv4Address("10.255.255.255"))),
        st.integers(8, 30),
    ),
    max_size=8,
)


@given(st.text(min_size=1), taken_networks)
def test_a_chosen_subnet_overlaps_nothing(owner: str, taken: list[IPv4Network]) -> None:
    chosen = subnets.choose(owner, taken)
    assert not any(chosen.overlaps(other) for other in taken)
    assert chosen == subnets.choose(owner, taken)


def test_the_preferred_subnet_only_where_it_is_free() -> None:
    assert subnets.choose("tiffin", [], subnets.DEFAULT) == subnets.DEFAULT
    podman = IPv4Network("10.88.0.0/16")
    assert not subnets.choose("tiffin", [podman], subnets.DEFAULT).overlaps(podman)


def test_a_host_that_routes_everything_elsewhere() -> None:
    with pytest.raises(Conflict, match="routes all private"):
        subnets.choose("tiffin", [*subnets.POOLS, subnets.DEFAULT], subnets.DEFAULT)


# ── leases ──────────────────────────────────────────────────────────────────────────────────────────────────


def small_network(subnet: str = "10.9.0.0/29") -> NetworkSummary:
    return NetworkSummary(id="1", name="n", driver="bridge", bridge="b", subnet=subnet, gateway="10.9.0.1")


def test_addresses_are_kept_distinct_and_not_used_again_at_once(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "leases.json")
    network = small_network()
    first = leases.reserve("a", network, "v")
    assert first == leases.reserve("a", network, "v")
    assert (first.address, first.prefix, first.mac) == ("10.9.0.2", 29, "02:74:0a:09:00:02")
    leases.release("a")
    assert leases.reserve("b", network, "v").address == "10.9.0.3"
    leases.save()
    again = Leases(tmp_path / "leases.json")
    again.load()
    assert again.get("b") == leases.get("b")
    assert again.reserve("c", network, "v").address == "10.9.0.4"


def test_a_network_fills_up_to_its_last_address(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "leases.json")
    network = small_network()
    addresses = {leases.reserve(str(number), network, "v").address for number in range(5)}
    assert addresses == {f"10.9.0.{number}" for number in range(2, 7)}
    with pytest.raises(Conflict, match="no free address"):
        leases.reserve("one too many", network, "v")
    leases.release("3")
    assert leases.reserve("another", network, "v").address == "10.9.0.5"


def test_leases_broken_by_a_power_cut_are_given_out_anew(tmp_path: Path) -> None:
    (tmp_path / "leases.json").write_bytes(b"")
    leases = Leases(tmp_path / "leases.json")
    leases.load()
    assert leases.reserve("a", small_network(), "v").address == "10.9.0.2"


# ── networks ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return find(tmp_path / "root")


@pytest.fixture
async def networks(instance: Instance) -> AsyncIterator[Networks]:
    made = Networks(instance)
    await made.start()
    yield made
    await made.close()


async def test_networks_are_made_found_and_kept(instance: Instance, networks: Networks) -> None:
    assert [network.name for network in networks.list()] == ["bridge", "none", "host"]
    made = await networks.create("backend", "10.5.0.0/24")
    chosen = await networks.create("other")
    assert (made.gateway, made.bridge) == ("10.5.0.1", f"tf{instance.tag}-1")
    assert len(chosen.bridge.encode()) <= 15
    assert networks.get("backend") == networks.get(made.id) == networks.get(made.id[:12]) == made
    following = Networks(instance)
    await following.start()
    assert following.list() == networks.list()
    await following.remove("backend")
    assert [network.name for network in following.list()] == ["bridge", "none", "host", "other"]
    await following.close()


@pytest.mark.parametrize(
    ("name", "subnet", "error", "says"),
    [
        ("", "", BadRequest, "cannot be a network's name"),
        ("a/b", "", BadRequest, "cannot be a network's name"),
        ("none", "", Conflict, "already"),
        ("bridge", "", Conflict, "already"),
        ("new", "127.0.0.0/24", BadRequest, "cannot use"),
        ("new", "10.5.0.0/16", Conflict, "overlaps 10.5.1.0/24 of the network there"),
    ],
)
async def test_a_network_that_cannot_be(
    networks: Networks, name: str, subnet: str, error: type[Exception], says: str
) -> None:
    await networks.create("there", "10.5.1.0/24")
    with pytest.raises(error, match=says):
        await networks.create(name, subnet)
    assert len(networks.list()) == 4


@pytest.mark.parametrize("name", ["bridge", "none", "host"])
async def test_built_in_networks_stay(networks: Networks, name: str) -> None:
    with pytest.raises(Conflict, match="built in"):
        await networks.remove(name)


async def test_an_unknown_network(networks: Networks) -> None:
    with pytest.raises(NotFound, match="'nowhere'"):
        networks.reserve("a" * 64, "nowhere")


async def test_no_lease_where_there_is_no_bridge(networks: Networks) -> None:
    assert networks.reserve("a" * 64, "none") is None
    assert networks.reserve("a" * 64, "host") is None


async def test_an_unreadable_file_of_networks_is_not_overwritten(instance: Instance) -> None:
    instance.state.mkdir(parents=True)
    (instance.state / "networks.json").write_text("[{")
    broken = Networks(instance)
    with pytest.raises(Corrupt, match=r"networks\.json"):
        await broken.start()
    await broken.close()
    assert (instance.state / "networks.json").read_text() == "[{"


# ── ports ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_port_wanted_twice() -> None:
    ports = HostPorts()
    [free] = ports.take("a", [Publish(container_port=80)], {}, str)
    ports.give_back("a")
    with pytest.raises(Conflict, match="this container has it"):
        ports.take("a", [free, free], {}, str)
    assert ports.take("a", [free], {}, str) == [free]
    ports.close()


def test_the_ruleset_leads_each_port_to_its_container() -> None:
    targets = [
        Target(Publish(container_port=80, host_port=8080), "10.9.0.2"),
        Target(Publish(container_port=53, host_port=53, protocol="udp", host_ip="127.0.0.1"), "10.9.0.3"),
    ]
    text = ruleset("tiffin_test", [small_network("10.9.0.0/24")], targets)
    assert "tcp . 8080 : 10.9.0.2 . 80" in text
    assert "127.0.0.1 . udp . 53 : 10.9.0.3 . 53" in text


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_hosts() -> None:
    assert hosts_text("web.local", "10.9.0.2", ["db:10.9.0.3", "six:[fd00::1]"]) == (
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "10.9.0.2\tweb.local web\n"
        "10.9.0.3\tdb\n"
        "fd00::1\tsix\n"
    )
    assert "127.0.1.1\tlonely\n" in hosts_text("lonely")


@pytest.mark.parametrize("entry", ["db", "db:", ":10.0.0.1", "db:ten", "a b:10.0.0.1", "a\nb:10.0.0.1"])
def test_a_bad_extra_host(entry: str) -> None:
    with pytest.raises(BadRequest, match="not a host entry"):
        hosts_text("web", "10.9.0.2", [entry])


def test_resolv_conf_leaves_out_what_a_container_cannot_reach() -> None:
    host = "# made by hand\nsearch lab\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53 # ours\n"
    assert resolv_conf_text(host=host) == "search lab\nnameserver 192.0.2.53\n"
    assert resolv_conf_text(["9.9.9.9"], host=host) == "search lab\nnameserver 9.9.9.9\n"
    assert resolv_conf_text(host="nameserver 127.0.0.1\n").count("nameserver") == 2
    with pytest.raises(BadRequest, match="nameserver's address"):
        resolv_conf_text(["nine"])
