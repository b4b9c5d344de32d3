"""A demo's result as a picture (SVG, 16:9) and as a page around it (HTML): self-contained, light, for a talk."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from engine.model import Lane, Measure, ScenarioRun
from tui.presentation import demos as show
from tui.presentation.quantities import exact_cores
from tui.presentation.times import local_stamp

WIDE, HIGH = 1200, 675
LEFT, GAP = 60, 80  # of the panels
PANEL = (WIDE - 2 * LEFT - GAP) // 2
TOP, BOTTOM = 172, 420  # of the curves
INK, MUTED, RULE, GOOD = "#1c2430", "#5c6778", "#d5dbe4", "#1f7a3f"
COLORS = {"unprotected": "#c2410c", "protected": "#1d5fbf"}
SANS, MONO = "system-ui, 'DejaVu Sans', sans-serif", "'DejaVu Sans Mono', monospace"


def svg(run: ScenarioRun) -> str:
    """The picture."""
    top = scale(run)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}" '
        f'font-family="{SANS}" role="img" aria-label="{escape(run.scenario.title)}">',
        f'<rect width="{WIDE}" height="{HIGH}" fill="#ffffff"/>',
        _text(LEFT, 56, run.scenario.title, 32, INK, bold=True),
        _text(LEFT, 86, f"{run.host} · {local_stamp(run.started_at)}", 15, MUTED),
    ]
    for place, lane in enumerate(run.lanes):
        parts += _panel(run, lane, LEFT + place * (PANEL + GAP), top)
    parts += _foot(run)
    return "\n".join([*parts, "</svg>", ""])


def html(run: ScenarioRun) -> str:
    """The page: the picture, the story, every number, every file that was written."""
    labels = list(dict.fromkeys(m.label for lane in run.lanes for m in lane.measures))
    facts = list(dict.fromkeys(label for lane in run.lanes for label, _ in lane.facts))
    rows = [(label, *(dict(lane.facts).get(label, "") for lane in run.lanes)) for label in facts]
    rows += [(label, *(_of(lane.measures, label) for lane in run.lanes)) for label in labels]
    figures = [(f.label, show.number(f), f.why_not) for f in run.verdict.figures] if run.verdict else []
    tried = [show.tried(one, run.scenario.unit) for one in run.tried]
    sections = [
        f"<h1>{escape(run.scenario.title)}</h1>",
        f"<p>{escape(run.scenario.story)}</p>",
        svg(run),
        _table(("", *(lane.title for lane in run.lanes)), rows),
        _table(("verdict", "", ""), figures) if figures else "",
        _list("Protections tried", tried if len(tried) > 1 else []),
        _list("Kernel files written", [show.wrote(one) for one in run.written if not one.cap], code=True),
        _list(
            "Written to bound the demo itself", [show.wrote(one) for one in run.written if one.cap], code=True
        ),
        _list("To be known", run.notes),
    ]
    body = "\n".join(section for section in sections if section)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(run.scenario.title)}</title>
<style>
body {{ font-family: {SANS}; color: {INK}; max-width: {WIDE}px; margin: 2rem auto; padding: 0 1rem; line-height: 1.5; }}
svg {{ width: 100%; height: auto; border: 1px solid {RULE}; border-radius: 6px; }}
table {{ border-collapse: collapse; margin: 1.5rem 0; }}
th, td {{ text-align: left; padding: .3rem 1.5rem .3rem 0; border-bottom: 1px solid {RULE}; }}
code {{ font-family: {MONO}; font-size: .85rem; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def scale(run: ScenarioRun) -> float:
    """A round number that no point of either lane exceeds."""
    most = max((value for lane in run.lanes for _, value in lane.points), default=1.0)
    if run.scenario.unit == "%":
        return 100.0
    step = 1.0
    while step * 10 < most:
        step *= 10
    return next(step * n for n in (1, 2, 5, 10) if step * n >= most)


def _panel(run: ScenarioRun, lane: Lane, x: int, top: float) -> list[str]:
    color = COLORS[lane.name]
    parts = [_text(x, 134, lane.title, 20, color, bold=True)]
    if lane.facts:
        for row, (label, value) in enumerate(lane.facts):
            y = TOP + row * 34
            parts.append(_text(x, y, label, 15, MUTED))
            parts.append(_text(x + 130, y, textwrap.shorten(value, 44, placeholder=" …"), 15, INK))
    else:
        parts += [_text(x, TOP - 12, f"{run.scenario.suffering}, {run.scenario.unit}", 13, MUTED)]
        parts += _axes(x, top, run.seconds / 2)
        parts.append(_curve(lane, x, top, run.seconds / 2, color))
    told = [f"{measure.label} {show.number(measure)}" for measure in lane.measures]
    for row, line in enumerate(textwrap.wrap(" · ".join(told), 68, break_long_words=False)[:2]):
        parts.append(_text(x, BOTTOM + 52 + row * 22, line, 15, INK))
    return parts


def _axes(x: int, top: float, seconds: float) -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = BOTTOM - share * (BOTTOM - TOP)
        parts.append(f'<line x1="{x}" x2="{x + PANEL}" y1="{y:.0f}" y2="{y:.0f}" stroke="{RULE}"/>')
        parts.append(_text(x - 8, y + 4, exact_cores(top * share), 12, MUTED, anchor="end"))
    parts.append(_text(x, BOTTOM + 20, "0", 12, MUTED))
    parts.append(_text(x + PANEL, BOTTOM + 20, f"{seconds:g} s", 12, MUTED, anchor="end"))
    return parts


def _curve(lane: Lane, x: int, top: float, seconds: float, color: str) -> str:
    """The worst of every moment, as steps: a point is of all the time since the one before it."""
    path, at = f"M{x},{BOTTOM}", float(x)
    for moment, value in lane.points:
        y = BOTTOM - min(1.0, value / top) * (BOTTOM - TOP)
        path += f"L{at:.1f},{y:.1f}"
        at = x + min(1.0, moment / seconds) * PANEL
        path += f"L{at:.1f},{y:.1f}"
    look = f'fill-opacity=".25" stroke="{color}" stroke-width="1.5"'
    return f'<path d="{path}L{at:.1f},{BOTTOM}Z" fill="{color}" {look}/>'


def _foot(run: ScenarioRun) -> list[str]:
    if run.verdict is None:
        return [_text(LEFT, 540, f"no verdict: {run.state}", 24, MUTED, bold=True)]
    y, parts = 536, list[str]()
    for line in textwrap.wrap(run.verdict.words, 70)[:2]:
        parts.append(_text(LEFT, y, line, 24, GOOD, bold=True))
        y += 32
    for place, figure in enumerate(run.verdict.figures):
        x = LEFT + place * (WIDE - 2 * LEFT) // 3
        parts.append(_text(x, y + 8, show.number(figure), 22, INK, bold=True))
        parts.append(_text(x, y + 30, figure.label, 13, MUTED))
    written = [show.wrote(one) for one in run.written if not one.cap]
    parts += [_text(LEFT, y + 58 + n * 18, one, 13, MUTED, MONO) for n, one in enumerate(written[:2])]
    return parts


def _text(
    x: float,
    y: float,
    text: str,
    size: int,
    color: str,
    family: str = "",
    *,
    bold: bool = False,
    anchor: str = "",
) -> str:
    more = (f' font-family="{family}"' if family else "") + (' font-weight="600"' if bold else "")
    more += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{color}"{more}>{escape(text)}</text>'


def _of(measures: list[Measure], label: str) -> str:
    return next((show.number(one) for one in measures if one.label == label), "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>\n<tr>{top}</tr>\n{body}</table>"


def _list(title: str, lines: list[str], code: bool = False) -> str:
    if not lines:
        return ""
    before, after = ("<code>", "</code>") if code else ("", "")
    items = "".join(f"<li>{before}{escape(line)}{after}</li>\n" for line in lines)
    return f"<h2>{escape(title)}</h2>\n<ul>\n{items}</ul>"
