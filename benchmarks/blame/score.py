"""The score on traces that nothing was fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.blame.fit import reliability
from benchmarks.blame.judging import Outcome, judge
from benchmarks.blame.trace import Trace
from engine.model import RESOURCES

ASKED = 0.95
REPORT = Path(__file__).parents[1] / "BLAME.md"


def share(outcomes: Sequence[Outcome]) -> str:
    """How many are right."""
    right = sum(outcome.right for outcome in outcomes)
    return f"{right} of {len(outcomes)}" + (f" ({right / len(outcomes):.0%})" if outcomes else "")


def met(outcomes: Sequence[Outcome]) -> bool:
    """Whether both scores are at least what is asked."""
    kinds = [[o for o in outcomes if o.trace.kind == kind and not o.void] for kind in ("hogs", "quiet")]
    return all(sum(o.right for o in found) >= ASKED * len(found) > 0 for found in kinds)


def report(traces: Sequence[Trace], machine: str) -> tuple[str, bool]:
    """The page, and whether the score is met."""
    outcomes = [judge(trace) for trace in traces]
    apart = [judge(trace, rest=False) for trace in traces]
    void = [o for o in outcomes if o.void]
    counted = [o for o in outcomes if not o.void]
    lines = [
        "# Blame, scored",
        "",
        "Made by `make blame`; do not edit. Scenarios are made of seeds, run in real cgroups, and recorded; see",
        "[docs/attribution.md](../docs/attribution.md). The confidence was fitted to traces of even seeds, the score",
        f"is of odd ones: {len(traces)} runs. The machine they were recorded on: {machine}",
        "",
        "| | CPU | memory | IO | all | asked |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, what, asked in (
        ("hogs", "a true culprit is ranked first", "95 %"),
        ("limit", "held by its own limit, and told so", "–"),
        ("quiet", "nobody is accused where nobody is to blame", "95 %"),
    ):
        found = [o for o in counted if o.trace.kind == kind]
        cells = [share([o for o in found if o.trace.resource == resource]) for resource in RESOURCES]
        lines.append(f"| {what} | {' | '.join(cells)} | {share(found)} | {asked} |")
    named = [o for o in apart if not o.void and o.trace.kind == "hogs"]
    sure = [o for o in named if o.verdict is not None and o.verdict.cause == "neighbour"]
    lines += [
        "",
        "- Judged as the engine does, with all other work on the machine among the suspects. Nobody knows who of",
        "  that was to blame, so the first of the scenario's own counts.",
        "- With other work left out, the first suspect was named as the cause in "
        f"{len(sure)} of {len(named)} runs with hogs.",
        f"- {len(void)} runs are not counted: their hogs did not make the victim stall for long enough to be judged.",
        f"- Bystanders accused by anybody, in all runs: {sum(len(_wronged(o)) for o in outcomes)}.",
        "",
        "How often a suspect of such a confidence was a hog, over every tick of every verdict, other work left out:",
        "",
        "| confidence | suspects | of them hogs |",
        "| --- | --- | --- |",
    ]
    for low, high, count, hogs in reliability(apart):
        part = f"{hogs / count:.0%}" if count else "–"
        lines.append(f"| {low:.1f} to {high:.1f} | {count} | {part} |")
    return "\n".join(lines) + "\n", met(outcomes)


def _wronged(outcome: Outcome) -> set[str]:
    """Bystanders that were accused."""
    return {id for id in outcome.accused if id.startswith("calm")}
