"""tiffin stats: what containers use, live in place, or once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from engine.client import EngineClient
from engine.errors import NotFound
from engine.model import ContainerSummary, Noun, Sample, Snapshot
from tui.cli.door import engine
from tui.cli.output import print_json, print_json_line
from tui.cli.parser import Parser, UsageError
from tui.cli.samples import Table
from tui.presentation import quantities as show
from tui.presentation.states import look
from tui.presentation.text import clip, table, width

HEADER = (
    *("", "NAME", "CPU", "LIMIT", "OF", "THR", "STALL", "MEM-ST", "IO-ST", "MEM", "CACHE", "LIMIT", "OF"),
    *("IO R", "IO W", "NET ↓", "NET ↑", "PIDS"),
)
LEFT = 2  # so many columns align left
FIRST_TICKS = 4  # a container that has just started has no rates until its second tick


class Usage(Noun, frozen=True, omit_defaults=False):
    """One container in the JSON of stats."""

    id: str
    name: str
    status: str
    at: float
    cpus: float | None  # its limit, in cores
    sample: Sample | None  # None: it does not run


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add("-a", "--all", action="store_true", help="those that do not run too")
    add("--once", "--no-stream", action="store_true", help="print one reading and end")
    add("--json", action="store_true", help="for scripts; without --once a line for each tick")
    add("--csv", action="store_true", help="rows for a spreadsheet, units in the header's names")
    add("containers", nargs="*", metavar="CONTAINER", completes="running", help="only these")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.csv and args.json:
        raise UsageError("stats: --csv and --json are two formats", "choose one")
    client = engine(args)
    wanted = {client.inspect(ref)["Id"] for ref in args.containers}
    if args.once:
        snapshot = _settled(client, wanted)
        shown = _chosen(snapshot, wanted, args.all)
        if args.csv:
            _rows(Table(), snapshot, shown)
        elif args.json:
            print_json([_usage(snapshot, one) for one in shown])
        else:
            print(_table(snapshot, shown))
        return 0
    if args.csv:
        rows = Table()
        for snapshot in _ticks(client):
            _rows(rows, snapshot, _chosen(snapshot, wanted, args.all))
        return 0
    if args.json or not sys.stdout.isatty():
        for snapshot in _ticks(client):
            shown = _chosen(snapshot, wanted, args.all)
            if args.json:
                print_json_line([_usage(snapshot, one) for one in shown])
            else:
                print(_table(snapshot, shown), flush=True)
        return 0
    return _live(client, wanted, args.all)


def _live(client: EngineClient, wanted: set[str], everything: bool) -> int:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for snapshot in client.live():
            shown = _chosen(snapshot, wanted, everything)
            lines = _table(snapshot, shown).split("\n")
            if max(map(width, lines)) > console.width:
                lines = _table(snapshot, shown, gap=" ").split("\n")
            text = "\n".join(clip(line, console.width) for line in lines[: console.height - 1])
            live.update(Text(text, no_wrap=True), refresh=True)
    return 0


def _ticks(client: EngineClient) -> Iterator[Snapshot]:
    """One snapshot a tick; those sent at a change of state in between hold the same samples."""
    before = 0.0
    for snapshot in client.live():
        if snapshot.at - before >= snapshot.interval / 2:
            before = snapshot.at
            yield snapshot


def _settled(client: EngineClient, wanted: set[str]) -> Snapshot:
    """The first snapshot in which every running container has rates, or the last one worth waiting for."""
    for ticks, snapshot in enumerate(_ticks(client), 1):
        running = [one.id for one in _chosen(snapshot, wanted, False)]
        samples = (snapshot.samples.get(id) for id in running)
        if ticks >= FIRST_TICKS or all(sample and sample.cpu is not None for sample in samples):
            return snapshot
    return client.snapshot()


def _chosen(snapshot: Snapshot, wanted: set[str], everything: bool) -> list[ContainerSummary]:
    if missing := wanted - {one.id for one in snapshot.containers}:
        raise NotFound(f"container {missing.pop()[:12]} is gone", "tiffin ps lists those there are")
    return [
        one
        for one in snapshot.containers
        if (one.id in wanted if wanted else everything or one.state.status in ("running", "paused"))
    ]


def _usage(snapshot: Snapshot, container: ContainerSummary) -> Usage:
    return Usage(
        id=container.id,
        name=container.name,
        status=container.state.status,
        at=snapshot.at,
        cpus=container.limits.cpus,
        sample=snapshot.samples.get(container.id),
    )


def _rows(table: Table, snapshot: Snapshot, containers: Sequence[ContainerSummary]) -> None:
    for one in containers:
        table.row(snapshot.at, one, snapshot.samples.get(one.id))
    table.flush()


def _table(snapshot: Snapshot, containers: Sequence[ContainerSummary], gap: str = "  ") -> str:
    rows = [_row(one, snapshot.samples.get(one.id) or Sample()) for one in containers]
    return table(HEADER, rows, right=range(LEFT, len(HEADER)), gap=gap)


def _row(container: ContainerSummary, sample: Sample) -> list[str]:
    limits = container.limits
    memory_limit = sample.memory_limit if sample.memory_limit is not None else limits.memory
    return [
        look(container.state).glyph,
        container.name,
        show.cores(sample.cpu),
        show.cores_limit(limits.cpus),
        show.of_limit(sample.cpu, limits.cpus),
        show.share(sample.throttled),
        show.share(sample.cpu_stall),
        show.share(sample.memory_some),
        show.share(sample.io_some),
        show.size(sample.memory),
        show.size(sample.cache),
        show.size_limit(memory_limit),
        show.of_limit(sample.memory, memory_limit),
        show.size(sample.io_read),
        show.size(sample.io_write),
        show.size(sample.net_rx),
        show.size(sample.net_tx),
        show.count(sample.pids),
    ]
