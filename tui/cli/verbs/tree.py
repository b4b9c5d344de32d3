"""tiffin tree: every cgroup of the host, whosever it is, and what each uses."""

from __future__ import annotations

import argparse

from engine.client import EngineClient
from engine.model import Group, GroupSnapshot, Noun, Sample
from tui.cli.door import engine
from tui.cli.output import notice, print_json
from tui.cli.parser import Parser
from tui.presentation import quantities as show
from tui.presentation.groups import NO_SAMPLE, SORTS, Branch, outline, title
from tui.presentation.text import table

HEADER = (
    *("NAME", "KIND", "OF", "CPU", "LIMIT", "STALL", "MEM", "CACHE", "LIMIT", "IO R", "IO W"),
    *("NET ↓", "NET ↑", "PROCS", ""),
)
LEFT = 3  # so many columns align left
FIRST_TICKS = 4  # an engine that has just started has no rates until its second tick


class Usage(Noun, frozen=True, omit_defaults=False):
    """One cgroup in the JSON."""

    group: Group
    sample: Sample | None


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add("-a", "--all", action="store_true", help="those without processes too")
    add("--sort", choices=[*SORTS], default="name", metavar="BY", help=f"order: {', '.join(SORTS)}")
    add("--flat", action="store_true", help="paths in one list, without the tree")
    add("--json", action="store_true", help="everything, for scripts")
    add(
        "text",
        nargs="?",
        default="",
        metavar="TEXT",
        help="only what has this in name, path, engine or image",
    )


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    snapshot = settled(engine(args))
    lines = outline(
        snapshot.groups, snapshot.samples, SORTS[args.sort], text=args.text, empty=args.all or args.json
    )
    if args.flat:
        key = SORTS[args.sort]
        lines.sort(
            key=lambda line: (
                key(line.group, snapshot.samples.get(line.group.id, NO_SAMPLE)),
                line.group.path,
            )
        )
    if args.json:
        print_json([Usage(group=line.group, sample=snapshot.samples.get(line.group.id)) for line in lines])
        return 0
    rows = [_row(line, snapshot.samples.get(line.group.id, NO_SAMPLE), args.flat) for line in lines]
    print(table(HEADER, rows, right=range(LEFT, len(HEADER) - 1)))
    if snapshot.omitted:
        notice(f"{snapshot.omitted} more cgroups are not watched: there are too many")
    return 0


def settled(client: EngineClient) -> GroupSnapshot:
    """The first snapshot with rates, or the last one worth waiting for."""
    for ticks, snapshot in enumerate(client.groups_live(), 1):
        rates = sum(1 for sample in snapshot.samples.values() if sample.cpu is not None)
        if rates * 2 > len(snapshot.samples) or ticks >= FIRST_TICKS:
            return snapshot
    return client.groups()


def _row(line: Branch, sample: Sample, flat: bool) -> list[str]:
    group = line.group
    return [
        group.path if flat else line.guides + title(group),
        group.kind,
        group.engine,
        show.cores(sample.cpu),
        show.cores_limit(group.cpus),
        show.share(sample.cpu_some),
        show.size(sample.memory),
        show.size(sample.cache),
        show.size_limit(sample.memory_limit),
        show.size(sample.io_read),
        show.size(sample.io_write),
        show.size(sample.net_rx),
        show.size(sample.net_tx),
        str(group.processes),
        " ".join(signs(group)),
    ]


def signs(group: Group) -> list[str]:
    """What is out of the ordinary with one."""
    told = [("frozen", group.frozen), ("idle", group.idle), ("changed", group.changed)]
    return [word for word, true in told if true]
