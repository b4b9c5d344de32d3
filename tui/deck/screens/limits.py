"""The limits editor: every limit of one container, what the kernel holds, and a field to change each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.errors import BadRequest, TiffinError
from engine.model import History, LimitReading, Limits, LimitsApplied, LimitsChange
from tui.deck.asking import Asking
from tui.deck.engine_link import Link
from tui.deck.form.fields import Field, LimitField, Toggle
from tui.deck.limits import charts, rows
from tui.deck.limits.line import FILE, LEAST_WHAT, LEFT, NEW, LimitLine, names
from tui.deck.messages import KeyPressed
from tui.deck.past import Past
from tui.deck.store import MINUTE, Store
from tui.deck.widgets.charts import Charts
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.limits import differences
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

FLASH = 1.5  # seconds
OTHERS = 11  # rows of the dialog that are not limits
WIDEST = 120
KEYS = (
    ("limits.apply", "apply"),
    ("limits.no_limit", "no limit"),
    ("limits.undo", "undo last"),
    ("form.turn", "turn"),
    ("limits.up", "before"),
    ("limits.down", "next"),
    ("limits.close", "close"),
    ("limits.help", "keys"),
)


class LimitsScreen(ModalScreen[None]):
    """Changes limits of one container; stays open, shows what the kernel took."""

    BINDINGS = [
        Binding("enter", "apply", "apply what was typed", id="limits.apply", priority=True),
        Binding("m", "no_limit", "no limit", id="limits.no_limit", priority=True),
        Binding("u", "undo", "undo the last change", id="limits.undo", priority=True),
        Binding("up", "app.focus_previous", "limit above", id="limits.up", priority=True),
        Binding("down", "app.focus_next", "limit below", id="limits.down", priority=True),
        Binding("escape", "dismiss", "close", id="limits.close"),
        Binding("question_mark", "app.help", "all keys", id="limits.help", priority=True),
    ]
    CSS = f"""
    LimitsScreen #box {{
        width: 100%; max-width: {WIDEST}; height: auto; max-height: 100%;
        background: $surface; border: round $border; border-title-color: $ink; padding: 0 1;
    }}
    LimitsScreen Static {{ color: $muted; height: 1; }}
    LimitsScreen #rows {{ height: auto; scrollbar-size-vertical: 1; background: $surface; }}
    LimitsScreen #device {{ height: 1; }}
    LimitsScreen #told {{ height: 2; color: $ink; }}
    LimitsScreen #told.-bad {{ color: $failed; }}
    LimitsScreen #told.-good {{ color: $running; }}
    LimitsScreen Charts {{ height: 3; }}
    LimitsScreen #keys {{ dock: none; }}
    """

    def __init__(self, link: Link, store: Store, container_id: str) -> None:
        super().__init__()
        self._link = link
        self._store = store
        self._container = container_id
        self._devices: list[str] = []  # asked for here, throttled or not
        self._readings: Sequence[LimitReading] = ()
        self._limits = Limits()  # as of the readings
        self._gone = False
        self._past = Past(MINUTE)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(id="names", markup=False)
            with VerticalScroll(id="rows", can_focus=False):
                yield Field(placeholder="limit a disk: /dev/vda or 8:0, then Enter", id="device")
            yield Static(id="hint", markup=False)
            yield Static(id="told", markup=False)
            yield Static("the last minute with these limits", markup=False)
            yield Charts(MINUTE, "surface", axis=False)
            yield KeyBar(KEYS)

    async def on_mount(self) -> None:
        self._asking = Asking(self)
        self.rows = self.query_one("#rows", VerticalScroll)
        self.chart = self.query_one(Charts)
        self.query_one("#box").border_title = self.heading()
        self._say("asking the kernel …")
        self._asking.ask(
            "limits", lambda: self._link.client.limits(self._container), self._read, self._refused
        )
        self._asking.ask(
            "history",
            lambda: self._link.client.history(self._container, MINUTE),
            self._seed,
            lambda error: None,
        )
        deck = cast("DeckApp", self.app)
        deck.changed.subscribe(self, self._changed)
        deck.theme_changed_signal.subscribe(self, lambda _: self._repaint())
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())

    def heading(self) -> str:
        """Whose limits these are."""
        container = self._store.containers.get(self._container)
        return f"limits of {harmless(container.name) if container else self._container[:12]}"

    # ── what there is ───────────────────────────────────────────────────────────────────────────────────────

    async def _read(self, readings: list[LimitReading]) -> None:
        self._say("")
        await self._take(readings)
        if isinstance(self.focused, (Field, Toggle)) and self.focused.id != "device":
            return
        for line in self.query(LimitLine):
            if not line.field.disabled:
                line.field.focus()
                break

    async def _take(self, readings: Sequence[LimitReading]) -> None:
        """Show these; rows that are there already stay, with what was typed in them."""
        self._readings = readings
        if (container := self._store.containers.get(self._container)) is not None:
            self._limits = container.limits
        for reading in readings:
            if reading.device and reading.device not in self._devices:
                self._devices.append(reading.device)
        there = {line.row.key: line for line in self.query(LimitLine)}
        fresh: list[Widget] = []
        device = ""
        for row in rows.rows(readings, self._devices):
            if row.key in there:
                there[row.key].take(row)
                continue
            if row.device != device:
                device = row.device
                fresh.append(Static(f"  {harmless(device)}", markup=False))
            fresh.append(LimitLine(row))
        if fresh:
            await self.rows.mount_all(fresh, before="#device")
        can_throttle = any(reading.name == "io" and reading.supported for reading in readings)
        self.query_one("#device").display = can_throttle
        self._hint()
        self._arrange()

    def _arrange(self) -> None:
        """Let the rows have what height there is."""
        wanted = sum(1 for child in self.rows.children if child.display)
        self.rows.styles.height = max(3, min(wanted, self.size.height - OTHERS))
        wide = self.query_one("#names").size.width
        self.query_one("#names", Static).update(names(wide, wide - LEFT - NEW >= LEAST_WHAT + FILE))

    def on_resize(self) -> None:
        self.call_after_refresh(self._arrange)

    def _seed(self, history: History) -> None:
        self._past.seed(history)
        self._chart()

    def _changed(self, store: Store) -> None:
        container = store.containers.get(self._container)
        if container is None:
            if not self._gone and store.snapshot is not None:
                self._gone = True
                self._say("the container is gone: it was removed; Esc closes", "-bad")
            return
        if store.snapshot is not None and self._container in store.snapshot.samples:
            self._past.add(store.now, store.sample(self._container), store.snapshot.interval)
        self._chart()
        if container.limits != self._limits and self._readings:  # turned elsewhere
            self._asking.ask(
                "limits", lambda: self._link.client.limits(self._container), self._take, self._refused
            )

    def _chart(self) -> None:
        line = self._line()
        container = self._store.containers.get(self._container)
        if container is not None:
            one = charts.relevant(
                line.row.name if line else "cpus",
                self._past,
                container.limits,
                self._store.host,
                self._store.sample(self._container),
            )
            self.chart.show([one], self._store.now)

    def _repaint(self) -> None:
        for line in self.query(LimitLine):
            line.sync()
        self.chart.redraw()

    # ── what is said ────────────────────────────────────────────────────────────────────────────────────────

    def _say(self, text: str, tone: str = "") -> None:
        told = self.query_one("#told", Static)
        told.set_classes(tone)
        told.update(harmless(text))

    def _line(self) -> LimitLine | None:
        focused = self.focused
        return focused.parent if focused and isinstance(focused.parent, LimitLine) else None

    def on_descendant_focus(self) -> None:
        self._hint()
        self._chart()

    def _hint(self) -> None:
        line = self._line()
        hint = "a disk to limit, with its partitions: its throughput in bytes and operations a second"
        if line is not None:
            row, reading = line.row, line.row.reading
            raw = " ".join(reading.raw.split()) or "not set"
            hint = reading.why_not or f"{row.kind.what}, such as {row.kind.example} · {reading.file} = {raw}"
        self.query_one("#hint", Static).update(harmless(hint))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one(KeyBar).sync()
        line = self._line()
        bad = ""
        try:
            if line is not None and event.value.strip():
                rows.read(line.row, event.value)
        except BadRequest as error:
            bad = str(error)
        event.input.set_class(bool(bad), "-bad")
        if event.value or self.query_one("#told").has_class(
            "-bad"
        ):  # what was applied is emptied: said stays
            self._say(bad, "-bad" if bad else "")

    def on_toggle_turned(self) -> None:
        self._say("")

    # ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters are keys where they cannot be typed."""
        if action in ("no_limit", "undo", "app.help"):
            typing = isinstance(self.focused, Input) and self.focused.value
            line = self._line()
            if action == "no_limit":
                return not typing and line is not None and isinstance(line.field, LimitField)
            return not typing and (line is not None or self.focused is None)
        return True

    def action_no_limit(self) -> None:
        line = self._line()
        if line is not None and isinstance(line.field, LimitField):
            line.field.clear_limit()

    async def action_apply(self) -> None:
        if self.focused is not None and self.focused.id == "device":
            await self._add_device()
            return
        lines = list(self.query(LimitLine))
        try:
            change = rows.change([line.row for line in lines], {line.row.key: line.typed() for line in lines})
        except BadRequest as error:
            self._refused(error)
            return
        if change == LimitsChange():
            self._say("nothing to change: type a new value first")
        elif not self._refuses():
            self.apply(change)

    def apply(self, change: LimitsChange) -> None:
        """Hand a change to the kernel."""
        client = self._link.client

        async def took(applied: LimitsApplied) -> None:
            await self._took(applied, change)

        if self._asking.ask("limits", lambda: client.update(self._container, change), took, self._refused):
            self._say("applying …")

    async def action_undo(self) -> None:
        if self._refuses():
            return
        client = self._link.client

        async def took(applied: LimitsApplied) -> None:
            await self._took(applied, None)

        if self._asking.ask("limits", lambda: client.undo(self._container), took, self._refused):
            self._say("undoing …")

    def _refuses(self) -> bool:
        refused = cast("DeckApp", self.app).refuses()
        if refused:
            self._say("read-only: nothing is changed from here; R on the main screen allows it again", "-bad")
        return refused

    async def _took(self, applied: LimitsApplied, asked: LimitsChange | None) -> None:
        """Show what the kernel took; `asked` is None for an undo, which leaves what was typed."""
        if asked is not None:
            for line in self.query(LimitLine):
                line.clear()
        before = {line.row.key: line.row.now for line in self.query(LimitLine)}
        self._store.turned(self._container, applied.after)
        await self._take(applied.readings)
        self._flash(line for line in self.query(LimitLine) if line.row.now != before.get(line.row.key))
        did = ", ".join(differences(applied.before, applied.after)) or "nothing changed"
        more = f" · {applied.undo_left} to undo" if applied.undo_left else ""
        other = rows.otherwise(asked, applied.readings) if asked is not None else []
        note = f" · the kernel rounds: {', '.join(other)}" if other else ""
        self._say(f"{'the kernel took' if asked is not None else 'undone'}: {did}{note}{more}", "-good")
        self._chart()

    def _flash(self, lines: Iterable[LimitLine]) -> None:
        for line in lines:
            self._glow(line, True)
            self.set_timer(FLASH, lambda line=line: self._glow(line, False))

    def _glow(self, line: LimitLine, on: bool) -> None:
        line.flashing = on
        line.sync()

    def _refused(self, error: TiffinError) -> None:
        self._say(str(error), "-bad")

    async def _add_device(self) -> None:
        field = self.query_one("#device", Field)
        try:
            device = rows.read_device(field.value)
        except BadRequest as error:
            self._refused(error)
            return
        if device not in self._devices:
            self._devices.append(device)
        field.value = ""
        await self._take(self._readings)
        for line in self.query(LimitLine):
            if line.row.device == device:
                line.field.focus()
                break

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)
