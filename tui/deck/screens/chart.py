"""One measure over time, several containers in one picture, with what happened on the axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui.deck.chart.measures import ALL, Measure
from tui.deck.chart.past import Source
from tui.deck.chart.window import Window
from tui.deck.draw import plot
from tui.deck.draw.chart import levels, nice
from tui.deck.draw.line import Line, Row, cut
from tui.deck.draw.plot import INKS, SIGNS, Curve, Mark, Plot
from tui.deck.messages import KeyPressed
from tui.deck.past import Series
from tui.deck.replay.moments import event_look
from tui.deck.store import Store
from tui.deck.theme import palette_of
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.recordings import event_text
from tui.presentation.text import harmless, pad
from tui.presentation.times import clock, duration

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

MOST = len(SIGNS)
"""So many lines can be told apart."""
GAP = 2.5  # intervals between two samples from which there is a hole in the line
KEYS = (
    ("chart.close", "back"),
    ("chart.next", "measure"),
    ("chart.left", "cursor"),
    ("chart.narrower", "zoom"),
    ("chart.earlier", "pan"),
    ("chart.go", "go there"),
    ("app.help", "keys"),
    ("app.quit", "quit"),
)


class ChartScreen(Screen[float]):
    """Shows some containers; the result is the moment to go to, where one was chosen."""

    BINDINGS = [
        Binding("down,j", "measure(1)", "the next measure", id="chart.next"),
        Binding("up,k", "measure(-1)", "the measure before", id="chart.previous"),
        Binding("left", "point(-1)", "cursor left", id="chart.left"),
        Binding("right", "point(1)", "cursor right", id="chart.right"),
        Binding("plus,equals_sign", "zoom(-1)", "a shorter time", id="chart.narrower"),
        Binding("minus", "zoom(1)", "a longer time", id="chart.wider"),
        Binding("left_curly_bracket,shift+left,pageup", "pan(-1)", "earlier", id="chart.earlier"),
        Binding("right_curly_bracket,shift+right,pagedown", "pan(1)", "later", id="chart.later"),
        Binding("end", "latest", "the latest", id="chart.latest"),
        Binding("enter", "go", "go to the cursor's moment", id="chart.go"),
        Binding("escape,c", "close", "back", id="chart.close"),
    ]
    CSS = "ChartScreen { layout: vertical; }"

    def __init__(
        self,
        source: Source,
        store: Store,
        ids: Sequence[str],
        names: Callable[[str], str],
        *,
        at: float | None = None,
    ) -> None:
        """`names` tells what a container is called; `at` is the moment in a recording to begin with."""
        super().__init__()
        self._source = source
        self._store = store
        self._ids = list(ids)[:MOST]
        self._names = names
        self._past = at is not None
        self._at = at
        self._measure = 0
        self._window = Window()

    def compose(self) -> ComposeResult:
        yield ChartPicture()
        yield KeyBar(KEYS)

    def on_mount(self) -> None:
        deck = cast("DeckApp", self.app)
        self._window = self._window.zoomed(0, self._source.whole)
        if self._at is not None:
            latest, whole = self._source.latest, self._source.whole
            self._window = self._window.pointed(self._at - latest, latest, whole).around(
                self._at, latest, whole
            )
        self._source.begin(self, self.draw)
        deck.changed.subscribe(self, self._changed)
        deck.theme_changed_signal.subscribe(self, lambda _: self.draw())
        self.call_after_refresh(self.draw)

    @property
    def measure(self) -> Measure:
        """What is shown."""
        return ALL[self._measure]

    def _changed(self, store: Store) -> None:
        self._source.tick()
        self.draw()

    def draw(self) -> None:
        """Bring the picture up to date."""
        picture = self.query_one(ChartPicture)
        wide, high = picture.size
        if wide and high:
            picture.show(self._lines(wide, high))

    def _lines(self, wide: int, high: int) -> list[Line]:
        source, window, measure = self._source, self._window, self.measure
        palette = palette_of(self)
        begin, end = window.span(source.latest)
        series = source.series(self._ids, measure.field, begin, end)
        shown = {id: [p for p in series.get(id, []) if begin <= p[0] <= end] for id in self._ids}
        inner = plot.width(wide)
        columns = {
            id: levels(shown[id], end, window.seconds, inner, GAP * source.interval) for id in self._ids
        }
        known = [value for column in columns.values() for value in column if value is not None]
        scale = min(measure.most, nice(max(known, default=0.0), measure.least, measure.base))
        events = source.events(begin, end)
        picture = Plot(
            [Curve(columns[id], SIGNS[n], INKS[n]) for n, id in enumerate(self._ids)],
            begin,
            end,
            scale,
            measure.read,
            [Mark(event.at, *event_look(event.action)) for event in events],
            window.cursor,
            now=window.back == 0 and not self._past,
        )
        title = Row().add(" chart ", palette.style("selected", "surface", bold=True, reverse=True))
        title.add(f" {measure.label} ", palette.style("text", "surface", bold=True))
        told = f" {self._measure + 1} of {len(ALL)} · {duration(window.seconds)} "
        title.right(told, wide, palette.style("muted", "surface"))
        legend = [self._legend(n, id, shown[id], wide) for n, id in enumerate(self._ids)]
        near = self._near(picture, inner, wide)
        rest = max(4, high - 2 - len(legend))
        odd = rest - (rest + 1) % 2  # a row is in the middle of the others
        lines = [cut(title.segments, wide), *plot.draw(picture, wide, odd, palette)]
        return [*lines, *[[] for _ in range(rest - odd)], *legend, near]

    def _legend(self, number: int, id: str, points: Series, wide: int) -> Line:
        """Which line is whose, its figure at the cursor or now, its mean and its most."""
        palette, read = palette_of(self), self.measure.read
        quiet, plain = palette.style("muted"), palette.style("text", bold=True)
        ink = palette.style(INKS[number], bold=True)
        at = self._window.cursor
        values = [value for _, value in points if value is not None]
        row = Row().add(f" {SIGNS[number]} ", ink)
        row.add(pad(harmless(self._names(id)), min(28, max(8, wide - 54))), ink)
        row.add("  at the cursor " if at is not None else "  latest ", quiet)
        row.add(pad(read(value_at(points, at, GAP * self._source.interval)), 7, right=True), plain)
        row.add("   mean ", quiet).add(
            pad(read(sum(values) / len(values) if values else None), 7, True), plain
        )
        row.add("   most ", quiet).add(pad(read(max(values, default=None)), 7, True), plain)
        return cut(row.fill(wide, quiet).segments, wide)

    def _near(self, picture: Plot, inner: int, wide: int) -> Line:
        """What happened where the cursor is; without one, what happened last."""
        palette = palette_of(self)
        events = self._source.events(picture.begin, picture.end)
        if picture.cursor is not None:
            cell = (picture.end - picture.begin) / inner
            events = [event for event in events if abs(event.at - picture.cursor) <= max(1.5 * cell, 1.0)]
        row = Row()
        for event in events[-2:]:
            sign, ink = event_look(event.action)
            row.add(f" {sign} ", palette.style(ink, bold=True))
            row.add(f"{clock(event.at)} {event_text(event)}  ", palette.style("text"))
        if not events:
            what = (
                "nothing happened then" if picture.cursor is not None else "← → read the values at a moment"
            )
            row.add(f"   {what}", palette.style("muted"))
        return cut(row.fill(wide, palette.style("muted")).segments, wide)

    # ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

    def action_measure(self, step: int) -> None:
        self._measure = (self._measure + step) % len(ALL)
        self.draw()

    def action_zoom(self, step: int) -> None:
        self._look(self._window.zoomed(step, self._source.whole))

    def action_pan(self, step: int) -> None:
        self._look(self._window.panned(step / 2, self._source.whole))

    def action_point(self, step: int) -> None:
        columns = plot.width(self.query_one(ChartPicture).size.width)
        seconds = max(self._source.interval, self._window.seconds / columns)
        self._look(self._window.pointed(step * seconds, self._source.latest, self._source.whole))

    def action_latest(self) -> None:
        self._look(Window(self._window.seconds))

    def _look(self, window: Window) -> None:
        self._window = window
        self.draw()

    def action_go(self) -> None:
        self.dismiss(self._window.cursor)

    def action_close(self) -> None:
        if self._window.cursor is not None:
            self._look(Window(self._window.seconds, self._window.back))
        else:
            self.dismiss(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A moment can be gone to in a recording."""
        return action != "go" or self._past

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)


def value_at(points: Series, at: float | None, gap: float) -> float | None:
    """The value of the sample that is of a moment; of the last one where that is None."""
    if at is None:
        return points[-1][1] if points else None
    before = 0.0
    for end, value in points:  # a sample is of all the time since the one before it
        if before < at <= end:
            return value if end - at <= gap else None
        before = end
    return None


class ChartPicture(Widget):
    """Rows that are drawn, repainted where they differ."""

    DEFAULT_CSS = "ChartPicture { height: 1fr; width: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Line] = []

    def show(self, rows: list[Line]) -> None:
        """Take what is to be seen."""
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    def on_resize(self) -> None:
        cast("ChartScreen", self.screen).draw()

    def render_line(self, y: int) -> Strip:
        """One row."""
        line = self._rows[y] if y < len(self._rows) else []
        return Strip(line).adjust_cell_length(self.size.width, palette_of(self).style("text"))
