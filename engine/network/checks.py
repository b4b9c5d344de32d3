"""What the doctor says about this host's networking; all is tried out, not concluded from versions."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from engine.errors import KernelError, TiffinError, Unsupported
from engine.instance import Instance
from engine.kernel import netns, rtnetlink
from engine.kernel.rtnetlink import RouteSocket
from engine.kernel.syscalls import CLONE_NEWNET, unshare
from engine.model import Check, NetworkSummary, Publish
from engine.network.firewall import Target, refusal, ruleset

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
LEGACY_TABLES = Path("/proc/net/ip_tables_names")


def checks(instance: Instance) -> list[Check]:
    """All findings; blocks for tens of milliseconds, and leaves nothing of its trials."""
    bridge = _elsewhere(_try_bridge)
    firewall = bridge or _elsewhere(_try_firewall)
    return [
        Check(
            name="container networks",
            verdict="missing" if bridge else "ok",
            found=bridge.message if bridge else "bridges and veth pairs can be made",
            cost="only --network none and host work" if bridge else "",
            remedy=bridge.remedy if bridge else "",
        ),
        Check(
            name="firewall",
            verdict="limited" if firewall else "ok",
            found=firewall.message if firewall else "nft makes tables with address translation",
            cost="no --publish, no way out of the host, no isolation between networks" if firewall else "",
            remedy=firewall.remedy if firewall else "",
        ),
        _forwarding(),
        _policies(instance),
    ]


def _elsewhere(trial: Callable[[], None]) -> TiffinError | None:
    """What `trial` raised on a thread in a network namespace of its own, which ends with it."""
    raised: list[TiffinError] = []

    def run() -> None:
        try:
            unshare(CLONE_NEWNET)
            trial()
        except TiffinError as error:
            raised.append(error)
        except OSError as error:
            raised.append(KernelError.of("making a network namespace", error, "run the engine as root"))

    thread = threading.Thread(target=run, name="network trial")
    thread.start()
    thread.join()
    return raised[0] if raised else None


def _try_bridge() -> None:
    here = netns.current()
    try:
        with RouteSocket() as route:
            try:
                route.apply(rtnetlink.add_bridge("trial0", "02:74:00:00:00:01"))
                route.apply(
                    rtnetlink.add_veth(
                        "trial1", route.index("trial0"), "trial2", here, "02:74:00:00:00:02", 1500
                    )
                )
            except KernelError as error:
                raise Unsupported(
                    error.message, "modprobe bridge veth, or use a kernel that has them"
                ) from error
    finally:
        os.close(here)


def _try_firewall() -> None:
    network = NetworkSummary(id="", name="trial", driver="bridge", bridge="trial0", subnet="10.0.0.0/24")
    ports = [
        Publish(container_port=80, host_port=80),
        Publish(container_port=80, host_port=81, host_ip="127.0.0.1"),
    ]
    script = ruleset("trial", [network], [Target(port, "10.0.0.2") for port in ports])
    try:
        done = subprocess.run(["nft", "-f", "-"], input=script, text=True, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise Unsupported("there is no nft on this host", "apt install nftables") from error
    if done.returncode:
        raise refusal(done.stderr)


def _forwarding() -> Check:
    try:
        on = FORWARD.read_text().strip() != "0"
    except OSError:
        on = False
    found = (
        "net.ipv4.ip_forward is on" if on else "net.ipv4.ip_forward is off; the first container turns it on"
    )
    writable = not on and _writable(FORWARD)
    if on or writable:
        return Check(name="forwarding", verdict="ok", found=found)
    return Check(
        name="forwarding",
        verdict="limited",
        found="net.ipv4.ip_forward is off and cannot be turned on from here",
        cost="containers reach this host and their neighbours only",
        remedy="sysctl -w net.ipv4.ip_forward=1, on the machine itself",
    )


def _writable(path: Path) -> bool:
    try:
        path.open("r+").close()
    except OSError:
        return False
    return True


def _policies(instance: Instance) -> Check:
    """Whether another firewall drops what is forwarded, which an accept in our table cannot undo."""
    blocking = [where for where, rules in _dropping(instance) if instance.bridge not in rules]
    if not blocking:
        return Check(name="other firewalls", verdict="ok", found="none drops what containers send by default")
    return Check(
        name="other firewalls",
        verdict="limited",
        found=f"{', '.join(blocking)} drops forwarded packets unless a rule of its own accepts them",
        cost="containers may not reach anything beyond this host, nor be reached through published ports",
        remedy=f"for way in -i -o; do iptables -I FORWARD $way {instance.bridge} -j ACCEPT; done"
        " (beside Docker: in its chain DOCKER-USER)",
    )


def _dropping(instance: Instance) -> Iterator[tuple[str, str]]:
    """Tables whose forward hook drops by default, with the text of their rules."""
    if shutil.which("nft"):
        listing = _output("nft", "-j", "list", "chains")
        objects = msgspec.json.decode(listing)["nftables"] if listing else []
        for chain in (entry["chain"] for entry in objects if "chain" in entry):
            family, table = chain["family"], chain["table"]
            if chain.get("hook") == "forward" and chain.get("policy") == "drop" and family in ("ip", "inet"):
                yield f"the nftables table {family} {table}", _output("nft", "list", "table", family, table)
    try:
        legacy = "filter" in LEGACY_TABLES.read_text().split()
    except OSError:
        legacy = False
    if legacy and shutil.which("iptables-legacy"):
        rules = _output("iptables-legacy", "-S")
        if "-P FORWARD DROP" in rules:
            yield "iptables' FORWARD chain", rules


def _output(*command: str) -> str:
    return subprocess.run(command, text=True, capture_output=True, check=False).stdout
