"""tiffin demo: the gallery, or one demo, live on the screen or as JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.client import EngineClient
from engine.errors import BadRequest, TiffinError
from engine.model import Measure, Scenario, ScenarioAsk, ScenarioRun
from tui.cli.door import engine
from tui.cli.output import notice, print_json
from tui.cli.parser import Parser, UsageError
from tui.presentation import demos as show
from tui.presentation.text import table

REPORTS = (".html", ".svg")
INTERRUPTED = 130


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add("--list", action="store_true", help="list the demos and their protections")
    add("--protect", metavar="HOW", default="", help="by what, for instance idle, weight, quota or cpuset")
    add("--seconds", metavar="N", read=_seconds, default=0.0, help="how long it takes, 2 to 120")
    add("--resume", action="store_true", help="go on with the run that was left")
    add("--report", metavar="FILE", read=_report, help="write the result to FILE.html or FILE.svg")
    add("--json", action="store_true", help="for scripts: no screen, the result as JSON")
    add("demo", nargs="?", metavar="NAME", completes="demo", help="which one; without it, the gallery")


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequest("it is no number of seconds", "give a number such as 20") from None


def _report(text: str) -> Path:
    path = Path(text)
    if path.suffix not in REPORTS:
        raise BadRequest("a report is an .html or .svg file", "let its name end so")
    if not path.parent.is_dir():
        raise BadRequest(f"there is no folder {path.parent}", "make it first")
    return path


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.list:
        return _list(engine(args), args.json)
    client = engine(args)
    ask = ScenarioAsk(protection=args.protect, seconds=args.seconds, resume=args.resume)
    if sys.stdin.isatty() and sys.stdout.isatty() and not args.json:
        from tui.cli.deck import demo

        seen = demo(args, args.demo or "", ask)
        if seen is not None and seen.verdict is not None:
            print(result(seen))
            if args.report:
                _write(args.report, seen)
        return 0
    if not args.demo:
        raise UsageError("demo: the gallery needs a terminal", "name a demo; tiffin demo --list lists them")
    last: ScenarioRun | None = None
    try:
        for frame in _played(client, args.demo, ask, quiet=args.json):
            last = frame
    except KeyboardInterrupt:
        if last is not None:
            notice(f"left; `tiffin demo {args.demo} --resume` goes on")
        return INTERRUPTED
    assert last is not None
    if last.state == "failed":
        raise TiffinError(f"the demo {args.demo} failed: {last.error}")
    if args.report:
        _write(args.report, last)
    if args.json:
        print_json(last)
    else:
        print(result(last))
    return 0 if last.state == "done" else 1


def _played(client: EngineClient, name: str, ask: ScenarioAsk, quiet: bool) -> Iterator[ScenarioRun]:
    """The run's frames; every second a line of them is shown."""
    shown = -1
    with client.play(name, ask) as frames:
        for frame in frames:
            if not quiet and frame.state == "running" and int(frame.elapsed) != shown:
                shown = int(frame.elapsed)
                print(_line(frame), flush=True)
            yield frame


def _line(frame: ScenarioRun) -> str:
    sides = []
    for lane in frame.lanes:
        mark = "▸" if lane.turn else " "
        worst = next((m for m in lane.measures if m.label in ("p99", "failed")), None)
        sides.append(
            f"{mark} {lane.name} {worst.label if worst else ''} {show.number(worst) if worst else ''}"
        )
    return f"{frame.elapsed:5.1f} s of {frame.seconds:g} s  " + "  │ ".join(f"{side:<28}" for side in sides)


def result(run: ScenarioRun) -> str:
    """What came of it, in lines."""
    lines = [run.scenario.title, run.host, ""]
    labels = list(dict.fromkeys(m.label for lane in run.lanes for m in lane.measures))
    rows = [[label, *(_of(lane.measures, label) for lane in run.lanes)] for label in labels]
    facts = list(dict.fromkeys(label for lane in run.lanes for label, _ in lane.facts))
    rows = [[label, *(dict(lane.facts).get(label, "") for lane in run.lanes)] for label in facts] + rows
    right = () if facts else (1, 2)
    lines.append(table(("", *(lane.title for lane in run.lanes)), rows, right=right))
    if len(run.tried) > 1:
        lines.append("")
        lines += [show.tried(one, run.scenario.unit) for one in run.tried]
    lines.append("")
    lines += [f"wrote {show.wrote(write)}" for write in run.written if not write.cap]
    lines += [f"note: {note}" for note in run.notes]
    if run.verdict:
        lines += ["", *(f"{f.label}: {show.number(f)}" for f in run.verdict.figures), "", run.verdict.words]
    return "\n".join(lines)


def _of(measures: list[Measure], label: str) -> str:
    return next((show.number(m) for m in measures if m.label == label), "")


def _write(path: Path, run: ScenarioRun) -> None:
    """Write the report; raises TiffinError."""
    from tui.presentation import report

    text = report.svg(run) if path.suffix == ".svg" else report.html(run)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TiffinError(f"writing {path}: {error.strerror}", "choose another file") from error
    notice(f"the report is in {path}")


def _list(client: EngineClient, as_json: bool) -> int:
    scenarios = client.scenarios()
    if as_json:
        print_json(scenarios)
        return 0
    rows = [[one.name, one.title, f"{one.seconds:g} s", _protections(one)] for one in scenarios]
    print(table(("NAME", "WHAT", "TAKES", "PROTECTED BY"), rows))
    return 0


def _protections(scenario: Scenario) -> str:
    if scenario.why_not:
        return f"not here: {scenario.why_not}"
    return " ".join(one.name for one in scenario.protections if not one.why_not)
