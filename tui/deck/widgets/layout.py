"""Where each container is drawn in the panes view; pure geometry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from textual.geometry import Region

from tui.deck.draw.pane import LEAST_HEIGHT

LEAST_WIDTH = 38
MOST_HEIGHT = 14


class Layout(msgspec.Struct, frozen=True):
    """Boxes by container id, in virtual coordinates."""

    boxes: dict[str, Region]
    panes: int  # how many of the boxes, from the first, are panes; the others are rows of one line
    rows: list[list[str]]  # for each row of cells, whose boxes are in it, from left to right

    @property
    def height(self) -> int:
        """How high all of them are together."""
        return len(self.rows)


NOTHING = Layout({}, 0, [])


def arrange(running: Sequence[str], stopped: Sequence[str], width: int, height: int) -> Layout:
    """Panes in as many columns as are legible and as high as there is room; below, a row for each stopped."""
    boxes: dict[str, Region] = {}
    top = 0
    if running:
        most = max(1, width // LEAST_WIDTH)
        lanes = -(-len(running) // most)
        columns = -(-len(running) // lanes)  # no more than these need: 4 are 2 by 2, not 3 and 1
        high = max(LEAST_HEIGHT, min(MOST_HEIGHT, (height - len(stopped)) // lanes))
        edges = [width * column // columns for column in range(columns + 1)]
        for place, id in enumerate(running):
            row, column = divmod(place, columns)
            boxes[id] = Region(edges[column], row * high, edges[column + 1] - edges[column], high)
        top = lanes * high
    for place, id in enumerate(stopped):
        boxes[id] = Region(0, top + place, width, 1)
    rows: list[list[str]] = [[] for _ in range(top + len(stopped))]
    for id, box in boxes.items():
        for y in range(box.y, box.bottom):
            rows[y].append(id)
    return Layout(boxes, len(running), rows)


def beside(boxes: dict[str, Region], current: str, down: bool) -> str:
    """The box nearest below, or above, the current one; the current one at the edge."""
    here = boxes.get(current)
    if here is None:
        return current

    def gap(box: Region) -> int:
        return box.y - here.bottom if down else here.y - box.bottom

    near = [
        (gap(box), abs(box.x + box.width // 2 - here.x - here.width // 2), id)
        for id, box in boxes.items()
        if gap(box) >= 0
    ]
    return min(near)[2] if near else current
