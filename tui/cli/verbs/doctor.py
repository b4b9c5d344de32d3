"""tiffin doctor: what this machine has, what it lacks, what that costs, and how to mend it."""

from __future__ import annotations

import argparse

from engine.model import Check
from tui.cli.door import engine
from tui.cli.output import coloured, print_json
from tui.cli.parser import Parser
from tui.presentation.text import pad, width

GLYPH = {"ok": "●", "limited": "◐", "missing": "✕"}
COLOUR = {"ok": "32", "limited": "33", "missing": "31"}


def arguments(parser: Parser) -> None:
    """Declare flags."""
    parser.argument("--json", action="store_true", help="everything, for scripts")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    report = engine(args).doctor()
    if args.json:
        print_json(report)
        return 0
    print(f"Linux {report.kernel}, {report.cgroup_mode} cgroups, {'root' if report.root else 'not root'}\n")
    wide = max((width(check.name) for check in report.checks), default=0)
    for check in report.checks:
        print("\n".join(_lines(check, wide)))
    worse = [check for check in report.checks if check.verdict != "ok"]
    print(f"\n{len(report.checks) - len(worse)} of {len(report.checks)} as they should be")
    return 0


def _lines(check: Check, wide: int) -> list[str]:
    glyph = GLYPH[check.verdict]
    if coloured():
        glyph = f"\x1b[{COLOUR[check.verdict]}m{glyph}\x1b[0m"
    indent = " " * (wide + 4)
    lines = [f"{glyph} {pad(check.name, wide)}  {check.found}"]
    if check.cost:
        lines.append(f"{indent}costs: {check.cost}")
    if check.remedy:
        lines.append(f"{indent}to mend it: {check.remedy}")
    return lines
