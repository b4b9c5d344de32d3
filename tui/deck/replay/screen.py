"""The main screen on the past: panes and table as they were, and the time line in the place of the output."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding

from tui.deck.actions import Actions
from tui.deck.alerts import Alert, alert
from tui.deck.replay.link import ReplayLink
from tui.deck.replay.timeline import TimeLine
from tui.deck.screens.main import MainScreen
from tui.deck.selection import Selection
from tui.deck.store import Store
from tui.deck.widgets.keybar import KeyBar

KEYS = (
    ("app.help", "keys"),
    ("replay.play", "play"),
    ("replay.back", "back"),
    ("replay.on", "on"),
    ("replay.faster", "faster"),
    ("replay.next_worst", "next worst"),
    ("replay.next_event", "next event"),
    ("view.toggle", "table"),
    ("view.details", "open"),
    ("replay.copy", "copy summary"),
    ("view.filter", "filter"),
    ("app.quit", "quit"),
)


class ReplayScreen(MainScreen):
    """Where a replay opens; see MainScreen."""

    BINDINGS = [
        Binding("space", "play", "play / pause", id="replay.play"),
        Binding("left", "step(-1)", "a frame back", id="replay.back"),
        Binding("right", "step(1)", "a frame on", id="replay.on"),
        Binding("shift+left,left_curly_bracket", "skip(-60)", "a minute back", id="replay.minute_back"),
        Binding("shift+right,right_curly_bracket", "skip(60)", "a minute on", id="replay.minute_on"),
        Binding("home", "end(False)", "the beginning", id="replay.begin"),
        Binding("end", "end(True)", "the end", id="replay.end"),
        Binding("plus,equals_sign", "faster(1)", "faster", id="replay.faster"),
        Binding("minus", "faster(-1)", "slower", id="replay.slower"),
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
        self.time_line = self.query_one(TimeLine)
        super().on_mount()
        self.logs.display = False

    def sync(self) -> None:
        """See MainScreen."""
        super().sync()
        self.time_line.sync()

    def _banner(self) -> Alert:
        """See MainScreen; who died in the last seconds before the moment that is shown is of interest here too."""
        return alert(self._store) or Alert(self._counts(), "text")

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
