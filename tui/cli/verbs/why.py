"""tiffin why: who waits, for what, and because of whom."""

from __future__ import annotations

import argparse

from engine.client import EngineClient
from engine.errors import NotFound
from engine.model import Blame, ContainerSummary, Noun, Sample, Snapshot
from tui.cli.door import engine
from tui.cli.output import print_json
from tui.cli.parser import Parser
from tui.presentation import blame
from tui.presentation.glossary import PRESSURE
from tui.presentation.quantities import share
from tui.presentation.text import harmless, pad, table, width

TICKS = 6  # samples that a verdict takes
HEADER = ("SUSPECT", "USE", "OF ALL", "CORR", "CONFIDENCE")


class Why(Noun, frozen=True, omit_defaults=False):
    """One cgroup in the JSON of why."""

    id: str
    name: str
    at: float
    verdicts: list[Blame]
    told: list[str]  # each verdict as a sentence
    sample: Sample | None


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add("--json", action="store_true", help="the verdicts with all evidence, for scripts")
    add(
        "containers",
        nargs="*",
        metavar="CONTAINER",
        completes="running",
        help="only these, with all measures",
    )


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    wanted = [client.inspect(ref)["Id"] for ref in args.containers]
    snapshot = settled(client)
    names = {id: verdicts[0].name for id, verdicts in snapshot.verdicts.items()}
    names |= {one.id: one.name for one in snapshot.containers}
    if missing := [id for id in wanted if id not in names]:
        raise NotFound(f"container {missing[0][:12]} is gone", "tiffin ps lists those there are")
    shown = wanted or sorted(snapshot.verdicts, key=lambda id: -snapshot.verdicts[id][0].stall)
    if args.json:
        print_json([_why(snapshot, id, names.get(id, id)) for id in shown])
        return 0
    if not shown:
        print(f"nobody waits: {_count(snapshot.containers)}, none of them stalled")
    for place, id in enumerate(shown):
        if place:
            print()
        print("\n".join(_lines(snapshot, id, harmless(names.get(id, id)), bool(wanted))))
    return 0


def settled(client: EngineClient) -> Snapshot:
    """A snapshot of an engine that has watched for long enough to judge."""
    missing = TICKS - len(client.history("host", TICKS + 1).at)
    if missing <= 0:
        return client.snapshot()
    at = 0.0
    for snapshot in client.live():
        if snapshot.at - at >= snapshot.interval / 2:
            at = snapshot.at
            missing -= 1
        if missing < 0:
            return snapshot
    return client.snapshot()


def _count(containers: list[ContainerSummary]) -> str:
    running = sum(1 for one in containers if one.state.status == "running")
    return f"{running} container{'s' if running != 1 else ''} running"


def _why(snapshot: Snapshot, id: str, name: str) -> Why:
    verdicts = snapshot.verdicts.get(id, [])
    told = [blame.sentence(name, verdict) for verdict in verdicts]
    return Why(
        id=id, name=name, at=snapshot.at, verdicts=verdicts, told=told, sample=snapshot.samples.get(id)
    )


def _lines(snapshot: Snapshot, id: str, name: str, measures: bool) -> list[str]:
    lines = []
    verdicts = snapshot.verdicts.get(id, [])
    for verdict in verdicts:
        lines.append(harmless(blame.sentence(name, verdict)))
        if verdict.measure != "psi":
            lines.append("  measured as run-queue wait: this kernel has no pressure figures (PSI)")
        if verdict.held is not None:
            lines.append(f"  to give it more: {blame.remedy(name, verdict.held)}")
        if verdict.suspects:
            rows = [
                [
                    suspect.name,
                    blame.used(verdict.resource, suspect),
                    share(suspect.share),
                    f"{suspect.correlation:+.2f}",
                    f"{share(suspect.confidence)} {blame.certainty(suspect.confidence)}",
                ]
                for suspect in verdict.suspects[:5]
            ]
            lines += [f"  {line}" for line in table(HEADER, rows, right=(1, 2, 3)).split("\n")]
    sample = snapshot.samples.get(id)
    if not verdicts:
        lines.append(f"{name} waits for nothing that lasts" if sample else f"{name} does not run")
    if measures and sample:
        wide = max(width(measure.label) for measure in PRESSURE)
        lines += [
            f"  {pad(m.label, wide)}  {m.of(sample):>7}  {m.meaning}"
            for m in PRESSURE
            if getattr(sample, m.field) is not None
        ]
    return lines
