"""The main screen on the past: panes and table as they were, and the time line in the place of the output."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding

from tui.deck.actions import Actions
from tui.deck.alerts import Alert, alert
from tui.deck.chart.past import RecordedPast
from tui.deck.logs.pane import LogPane
from tui.deck.replay.link import ReplayLink
from tui.deck.replay.moments import Kind, Moment
from tui.deck.replay.timeline import TimeLine
from tui.deck.screens.chart import MOST, ChartScreen
from tui.deck.screens.main import MainScreen
from tui.deck.selection import Selection
from tui.deck.store import Store
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.recordings import moment_text, summary_text

KEYS = (
    ("app.help", "keys"),
    ("replay.play", "play"),
    ("replay.back", "step"),
    ("replay.faster", "speed"),
    ("replay.next_worst", "worst"),
    ("replay.next_event", "events"),
    ("view.chart", "chart"),
    ("view.toggle", "table"),
    ("view.details", "open"),
    ("replay.copy", "copy"),
    ("view.filter", "filter"),
    ("app.quit", "quit"),
)


class ReplayScreen(MainScreen):
    """Where a replay opens; see MainScreen."""

    BINDINGS = [
        Binding("space", "play", "play / pause", id="replay.play"),
        Binding("left", "step(-1)", "a frame back", id="replay.back"),
        Binding("right", "step(1)", "a frame on", id="replay.on"),
        Binding("left_curly_bracket,shift+left", "skip(-60)", "a minute back", id="replay.minute_back"),
        Binding("right_curly_bracket,shift+right", "skip(60)", "a minute on", id="replay.minute_on"),
        Binding("home", "end(False)", "the beginning", id="replay.begin"),
        Binding("end", "end(True)", "the end", id="replay.end"),
        Binding("plus,equals_sign", "faster(1)", "faster", id="replay.faster"),
        Binding("minus", "faster(-1)", "slower", id="replay.slower"),
        Binding(
            "right_square_bracket",
            "jump('worst', True)",
            "the next of the worst moments",
            id="replay.next_worst",
        ),
        Binding("left_square_bracket", "jump('worst', False)", "the one before", id="replay.previous_worst"),
        Binding("n", "jump('event', True)", "the next event", id="replay.next_event"),
        Binding("N", "jump('event', False)", "the event before", id="replay.previous_event"),
        Binding("w", "worst", "the worst moment of all", id="replay.worst"),
        Binding("y", "copy", "copy a summary of the moment and of the whole", id="replay.copy"),
    ]

    def __init__(self, link: ReplayLink, store: Store, selection: Selection, actions: Actions) -> None:
        super().__init__(link, store, selection, actions)
        self._replay = link

    def compose(self) -> ComposeResult:
        for widget in super().compose():
            if isinstance(widget, KeyBar):
                yield TimeLine(self._replay)
                yield KeyBar(KEYS)
            else:
                yield widget

    def on_mount(self) -> None:
        """Before MainScreen's own, which Textual calls too."""
        self.time_line = self.query_one(TimeLine)
        self.query_one(LogPane).display = False

    def sync(self) -> None:
        """See MainScreen."""
        super().sync()
        self.time_line.sync()

    def _banner(self) -> Alert:
        """See MainScreen; who died in the last seconds before the moment that is shown is of interest here too."""
        return alert(self._store) or Alert(self._counts(), "text")

    def _why_empty(self) -> str:
        if self._filter and self._store.containers:
            return super()._why_empty()
        return "there were no containers" if self._store.snapshot else "reading …"

    def _want_tails(self) -> None:
        """Output is not recorded."""

    def _share_out(self, order: list[str]) -> None:
        """Containers have all the room that the time line leaves."""

    def _follow(self) -> None:
        self._name_keys()

    def _name_keys(self) -> None:
        self.keybar.words = {
            "view.toggle": "panes" if self._table_view else "table",
            "replay.play": "pause" if self._replay.playing else "play",
        }
        self.keybar.sync()

    # ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

    def action_play(self) -> None:
        self._replay.play(not self._replay.playing)
        self._moved_in_time()

    def action_step(self, frames: int) -> None:
        self._replay.play(False)
        self._replay.step(frames)
        self._moved_in_time()

    def action_skip(self, seconds: float) -> None:
        self._replay.seek(self._replay.position + seconds)
        self._moved_in_time()

    def action_end(self, last: bool) -> None:
        recording = self._replay.recording
        self._replay.seek(recording.end if last else recording.begin)
        self._moved_in_time()

    def action_faster(self, step: int) -> None:
        self._replay.faster(step)
        self._moved_in_time()

    def action_jump(self, kind: Kind, later: bool) -> None:
        survey = self._replay.survey
        at = self._replay.position - self._lag(kind)
        found = survey.beside(at, kind, later) if survey else None
        if found is None:
            what = "moment as bad" if kind == "worst" else "event"
            told = (
                f"no {what} {'after' if later else 'before'} this" if survey else "still looking it through"
            )
            self.notify(told, timeout=2)
        else:
            self._go_to(found)

    def action_worst(self) -> None:
        survey = self._replay.survey
        if survey and survey.summary.worst:
            worst = survey.summary.worst[0].at
            self._go_to(next(moment for moment in survey.moments if moment.at == worst))
        else:
            self.notify("nobody waited for long" if survey else "still looking it through", timeout=2)

    def _lag(self, kind: Kind) -> float:
        """Seconds after an event in which what it did is seen."""
        return self._replay.recording.header.interval if kind == "event" else 0.0

    def _go_to(self, moment: Moment) -> None:
        self._replay.play(False)
        self._replay.seek(moment.at + self._lag(moment.kind))
        self._selection.select(moment.id)
        self._moved_in_time()
        self._moved()

    def on_time_line_sought(self, message: TimeLine.Sought) -> None:
        self._replay.seek(message.at)
        self._moved_in_time()

    def action_copy(self) -> None:
        """Put the moment, and the whole as far as it was looked through, into the clipboard."""
        recording, survey = self._replay.recording, self._replay.survey
        position = self._replay.position

        def work() -> None:
            texts = [moment_text(recording.at(position)), *([summary_text(survey.summary)] if survey else [])]
            self.app.call_from_thread(self.app.copy_to_clipboard, "\n\n".join(texts) + "\n")

        self._actions.attempt(work, "copied: this moment, and the whole recording in short")

    def action_chart(self) -> None:
        """See ActingScreen."""
        ids = self._selection.targets()[:MOST]
        if ids:
            names = {id: self.called(id) for id in ids}
            past = RecordedPast(self._replay.recording)
            screen = ChartScreen(past, self._store, ids, lambda id: names[id], at=self._replay.position)
            self.app.push_screen(screen, self._chosen)

    def _chosen(self, moment: float | None) -> None:
        if moment is not None:
            self._replay.seek(moment)
            self._moved_in_time()

    def action_limits(self) -> None:
        self.deck.refuses()

    action_new = action_images = action_demos = action_limits

    def action_logs(self) -> None:
        self.notify(
            "output is not recorded: tiffin logs has it while its container is there", severity="warning"
        )

    def action_shell(self) -> None:
        self.deck.refuses()

    action_attach = action_shell

    def _moved_in_time(self) -> None:
        self.time_line.sync()
        self._name_keys()
