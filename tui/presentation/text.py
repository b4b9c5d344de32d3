"""Text in terminal cells: width, clipping, padding, plain tables, and control characters made harmless."""

from __future__ import annotations

from collections.abc import Container, Sequence

ELLIPSIS = "…"


def width(text: str) -> int:
    """How many cells `text` takes; wide characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # only where it is needed: it costs more than all of `ps`

    return cell_len(text)


def clip(text: str, cells: int) -> str:
    """`text` in at most `cells` cells, the cut marked with an ellipsis."""
    if width(text) <= cells:
        return text
    kept, used = [], 0
    for character in text:
        used += width(character)
        if used > cells - 1:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS if cells > 0 else ""


def pad(text: str, cells: int, right: bool = False) -> str:
    """`text` clipped and filled with blanks to exactly `cells` cells; `right` aligns it to the right."""
    text = clip(text, cells)
    blanks = " " * (cells - width(text))
    return blanks + text if right else text + blanks


def harmless(text: str) -> str:
    """`text` with control characters made visible, so that a name cannot drive the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def harmless_lines(text: str) -> str:
    """Several lines, each made harmless."""
    return "\n".join(map(harmless, text.split("\n")))


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Container[int] = (), gap: str = "  "
) -> str:
    """Columns `gap` apart, each as wide as its widest cell; those numbered in `right` align right."""
    cells = [list(header), *([harmless(cell) for cell in row] for row in rows)]
    widths = [max(width(line[column]) for line in cells) for column in range(len(header))]
    lines = (
        gap.join(pad(cell, widths[column], column in right) for column, cell in enumerate(line))
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)
