"""tiffin network: list, create, remove and inspect networks."""

from __future__ import annotations

import argparse

from engine.client import EngineClient
from tui.cli.door import engine
from tui.cli.output import for_each, print_json
from tui.cli.parser import Parser
from tui.presentation.text import table

HEADER = ("NETWORK ID", "NAME", "DRIVER", "SUBNET", "BRIDGE", "CONTAINERS")


def arguments(parser: Parser) -> None:
    """Declare the verbs of a network."""
    verbs = parser.verbs(
        ls="list networks", create="make a bridge network", rm="remove networks", inspect="show all, as JSON"
    )
    verbs["ls"].argument("-q", "--quiet", action="store_true", help="ids only")
    verbs["ls"].argument("--json", action="store_true", help="everything, for scripts")
    verbs["create"].argument("--subnet", default="", metavar="CIDR", help="10.5.0.0/24 (else a free one)")
    verbs["create"].argument("name", metavar="NETWORK")
    verbs["rm"].argument("names", nargs="+", metavar="NETWORK", completes="network")
    verbs["inspect"].argument("names", nargs="+", metavar="NETWORK", completes="network")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    match args.subverb:
        case "create":
            print(client.network_create(args.name, args.subnet).id)
        case "rm":
            return for_each(args.names, client.network_remove)
        case "inspect":
            print_json([client.network(name) for name in args.names])
        case _:
            _list(client, args)
    return 0


def _list(client: EngineClient, args: argparse.Namespace) -> None:
    networks = client.networks()
    if args.json:
        print_json(networks)
    elif args.quiet:
        for network in networks:
            print(network.id[:12])
    else:
        rows = [
            [one.id[:12], one.name, one.driver, one.subnet, one.bridge, str(len(one.containers))]
            for one in networks
        ]
        print(table(HEADER, rows, right=(5,)))
