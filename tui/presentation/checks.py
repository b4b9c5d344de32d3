"""What images are and whether they run here, in a table that tells the reason where they do not."""

from __future__ import annotations

from engine.model import ImageCheck
from tui.presentation.text import harmless, pad, width

GLYPH = {"fits": "●", "emulated": "◐", "refused": "✕", "unreadable": "✕"}
COLOUR = {"fits": "32", "emulated": "33", "refused": "31", "unreadable": "31"}
WORDS = {"fits": "runs here", "emulated": "emulated", "refused": "refused", "unreadable": "unreadable"}
HEADER = ("IMAGE", "DISTRIBUTION", "C LIBRARY", "KERNEL", "CPU", "VERDICT")
NOT_STATED = "not stated"


def distribution(check: ImageCheck) -> str:
    """Which one, by its own words."""
    return check.packaged.distribution or "–"


def library(check: ImageCheck) -> str:
    """Which C library: "glibc 2.36", "musl 1.2.5", "none (static)"."""
    packaged = check.packaged
    if packaged.libc:
        return f"{packaged.libc} {packaged.libc_version}".strip()
    return "none (static)" if packaged.static else "–"


def kernel(check: ImageCheck) -> str:
    """The least kernel it needs: "≥ 3.2.0"."""
    if check.packaged.kernel:
        return f"≥ {check.packaged.kernel}"
    return "–" if check.verdict == "unreadable" else NOT_STATED


def report(found: list[ImageCheck], colour: bool) -> list[str]:
    """All of it as lines: this machine, a line an image, under it the reason and the remedy where there are."""
    rows = [_cells(check) for check in found]
    widths = [max(width(row[column]) for row in (HEADER, *rows)) for column in range(len(HEADER))]
    lines = [f"this machine: Linux {found[0].running_kernel}", ""]
    lines.append("  " + _line(HEADER, widths))
    for check, row in zip(found, rows, strict=True):
        glyph = GLYPH[check.verdict]
        if colour:
            glyph = f"\x1b[{COLOUR[check.verdict]}m{glyph}\x1b[0m"
        lines.append(f"{glyph} {_line(row, widths)}")
        lines += [
            f"    {harmless(text)}" for text in (check.reason, check.remedy and f"→ {check.remedy}") if text
        ]
    return lines


def _cells(check: ImageCheck) -> tuple[str, ...]:
    name = check.names[0] if check.names else check.id.removeprefix("sha256:")[:12]
    system = "" if check.os == "linux" else f"{check.os}/"
    cells = (
        name,
        distribution(check),
        library(check),
        kernel(check),
        f"{system}{check.architecture}",
        WORDS[check.verdict],
    )
    return tuple(map(harmless, cells))


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(pad(cell, cells_wide) for cell, cells_wide in zip(cells, widths, strict=True)).rstrip()
