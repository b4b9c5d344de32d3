"""The images: what is in each, whether it runs here, who uses it; where they come from and go to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input

from engine.client import EngineClient
from engine.errors import TiffinError
from engine.model import DiskUse, HistoryStep, ImageCheck, ImageSummary
from tui.deck.asking import Asking
from tui.deck.draw import columns
from tui.deck.engine_link import Link
from tui.deck.form.fields import Field
from tui.deck.images import about
from tui.deck.images.doing import Doing
from tui.deck.images.listing import COLUMNS, Entry, arranged, entries, matching
from tui.deck.images.widgets import About, FactList, Header, ImageList, LayerList, Title
from tui.deck.jobs.job import Job
from tui.deck.jobs.pane import JobPane
from tui.deck.messages import KeyPressed, SortBy
from tui.deck.store import Store
from tui.deck.theme import palette_of
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.images import HOST, Space
from tui.presentation.quantities import size

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

T = TypeVar("T")
LEAST, SHARE = 5, 45  # rows of the list at least, and percent of the height at most
AGAIN = 3  # ticks between two looks at what the engine has
KEYS = (
    ("app.help", "keys"),
    ("images.run", "run"),
    ("images.pull", "pull"),
    ("images.build", "build"),
    ("images.remove", "remove"),
    ("images.tag", "tag"),
    ("images.filter", "filter"),
    ("images.close", "back"),
    ("images.push", "push"),
    ("images.load", "load"),
    ("images.save", "save"),
    ("images.prune", "clean up"),
    ("app.quit", "quit"),
)


class ImagesScreen(Screen[None]):
    """What the engine has, beside what is on its way; acts on the selected image."""

    BINDINGS = [
        Binding("n", "run_image", "run from here", id="images.run"),
        Binding("p", "pull", "pull from a registry", id="images.pull"),
        Binding("b", "build", "build from a folder", id="images.build"),
        Binding("l", "load", "load from a file", id="images.load"),
        Binding("s", "save", "save to a file", id="images.save"),
        Binding("P", "push", "push to a registry", id="images.push"),
        Binding("t", "tag", "tag", id="images.tag"),
        Binding("c", "prune", "clean up", id="images.prune"),
        Binding("d,delete", "remove_image", "remove", id="images.remove"),
        Binding("enter", "look", "its layers", id="images.look"),
        Binding("slash", "filter", "filter", id="images.filter"),
        Binding("less_than_sign", "sort(-1)", "sort column left", id="images.sort_left"),
        Binding("greater_than_sign", "sort(1)", "sort column right", id="images.sort_right"),
        Binding("I", "invert", "invert order", id="images.invert"),
        Binding("r", "again", "look again", id="images.again"),
        Binding("tab", "turn(1)", "next part", id="images.next_part", priority=True),
        Binding("shift+tab", "turn(-1)", "part before", id="images.previous_part", priority=True),
        Binding("escape", "back", "back", id="images.close"),
    ]
    CSS = """
    ImagesScreen { layout: vertical; }
    ImagesScreen #filter { display: none; background: $surface; }
    ImagesScreen #below { height: 1fr; }
    ImagesScreen LayerList { width: 3fr; }
    ImagesScreen FactList { width: 2fr; }
    ImagesScreen.-narrow #below { layout: vertical; }
    ImagesScreen.-narrow LayerList { width: 1fr; height: 1fr; }
    ImagesScreen.-narrow FactList { width: 1fr; height: auto; max-height: 3; }
    """

    def __init__(self, link: Link, store: Store) -> None:
        super().__init__()
        self._link = link
        self._store = store
        self._images: Sequence[ImageSummary] | None = None
        self._shown: Sequence[Entry] = ()
        self._chosen: tuple[str, str] | None = None  # what the cursor is on
        self._refused = ""  # why the engine does not tell
        self._sort, self._descending = "name", False
        self._use: DiskUse | None = None
        self._spaces: dict[str, Space] = {}
        self._steps: dict[str, list[HistoryStep]] = {}
        self._ticks = 0
        self._awaited = ""  # id of an image that the engine's next answer should have
        self._made_now = ""  # id of an image to be chosen as soon as it is there
        self._ended = 0  # jobs, when the engine was asked last
        self._doing = Doing(self)

    @property
    def client(self) -> EngineClient:
        """What the engine is asked with."""
        return self._link.client

    @property
    def deck(self) -> DeckApp:
        """The app, as what it is."""
        return cast("DeckApp", self.app)

    def compose(self) -> ComposeResult:
        yield Title()
        yield Header()
        yield ImageList()
        yield Field(placeholder="name, distribution, verdict or container", id="filter")
        yield JobPane(self.deck.jobs)
        yield About()
        with Horizontal(id="below"):
            yield LayerList()
            yield FactList()
        yield KeyBar(KEYS)

    def on_mount(self) -> None:
        self._asking = Asking(self)
        self.image_list = self.query_one(ImageList)
        self.layer_list = self.query_one(LayerList)
        self.fact_list = self.query_one(FactList)
        self.job_pane = self.query_one(JobPane)
        self.deck.changed.subscribe(self, self._changed)
        self.deck.theme_changed_signal.subscribe(self, lambda _: self.sync())
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())
        self.image_list.focus()
        self.action_again()

    # ── what the engine has ─────────────────────────────────────────────────────────────────────────────────

    def action_again(self) -> None:
        """Ask for everything anew."""
        self._asking.ask("images", self.client.images, self._take, self._untold)

    def _take(self, found: list[ImageSummary]) -> None:
        before = self._images
        if self._awaited:
            self._made_now, self._awaited = self._awaited, ""
        self._images, self._refused = found, ""
        if found != before:
            self._steps.clear()  # who shares a layer may be others now
            self._asking.ask("use", self.client.disk_use, self._used, self._untold)
            self._check()
        self.sync()

    def _used(self, use: DiskUse) -> None:
        self._use = use
        self._spaces = {one.id: Space(one.own, one.shared) for one in use.images}
        self.sync()

    def _check(self) -> None:
        """Ask whether the images run here, one by one, since each has to be looked into; the chosen one first."""
        entry = self.current
        ids = [*([entry.image.id] if entry else []), *(image.id for image in self._images or ())]
        id = next((id for id in ids if id not in self.deck.checks), None)
        if id is None:
            return

        def take(found: list[ImageCheck]) -> None:
            self.deck.checks |= {check.id: check for check in found}
            self.sync()
            self._check()

        self._asking.ask("check", lambda: self.client.images_check(id), take, self._untold)

    def ask_engine(self, what: str, work: Callable[[], T], then: Callable[[T], object]) -> None:
        """Ask in a thread; an error is said in a corner."""

        def failed(error: TiffinError) -> None:
            self.notify(str(error), severity="error", timeout=8)

        self._asking.ask(what, work, then, failed)

    def _history(self, image: str) -> None:
        """Ask how an image was made; where another is chosen by the time of the answer, of that."""

        def take(steps: list[HistoryStep]) -> None:
            self._steps[image] = steps
            entry = self.current
            if entry is not None and entry.image.id not in self._steps:
                self._history(entry.image.id)
            self._about()

        def failed(error: TiffinError) -> None:
            self._steps[image] = []

        self._asking.ask("history", lambda: self.client.image_history(image), take, failed)

    def _untold(self, error: Exception) -> None:
        self._refused = str(error)
        self.sync()

    def _changed(self, store: Store) -> None:
        self._ticks += 1
        ended, self._ended = self._ended, self.deck.jobs.ended
        if ended != self._ended:
            self._awaited = self.deck.jobs.last_made
        if ended != self._ended or (self._ticks % AGAIN == 0 and self.app.screen is self):
            self.action_again()
        self.sync()

    # ── what is shown ───────────────────────────────────────────────────────────────────────────────────────

    @property
    def current(self) -> Entry | None:
        """The image that the cursor is on."""
        return self._shown[self.image_list.current] if self.image_list.current < len(self._shown) else None

    def sync(self) -> None:
        """Show what is known now; the cursor stays on its image."""
        containers = self._store.containers.values()
        found = entries(self._images or (), self.deck.checks, self._spaces, containers, self._store.now)
        self._shown = arranged(
            matching(found, self.query_one("#filter", Field).value), self._sort, self._descending
        )
        keys = [entry.key for entry in self._shown]
        for key in keys:
            if key[0] == self._made_now:  # what has just come is what its user wants next
                self._chosen, self._made_now = key, ""
        if self._chosen in keys:
            self.image_list.current = keys.index(self._chosen)
        fitted = columns.fit(COLUMNS, self.image_list.room, self._shown)
        palette = palette_of(self)
        high = max(LEAST, min(len(self._shown) + 1, self.size.height * SHARE // 100))
        with self.app.batch_update():
            self.image_list.styles.height = high
            self.image_list.show(self._shown, lambda entry, on: columns.draw(entry, fitted, palette, on))
            self.query_one(Header).show(fitted, self._sort, self._descending)
            self.query_one(Title).show(self._headline())
            self.job_pane.sync()
            self._about()

    def _headline(self) -> str:
        if self._images is None:
            return self._refused or "asking the engine …"
        stored = sum(1 for image in self._images if image.id != HOST)
        told = f"{stored} stored" if stored else "none stored yet · p pulls one, b builds one, l loads one"
        if self._use is not None and stored:
            told += f" · {size(self._use.layers)} unpacked, {size(self._use.blobs)} packed"
            if self._use.reclaimable:
                told += f" · {size(self._use.reclaimable)} in no use"
        if self.query_one("#filter", Field).value:
            told += f" · {len(self._shown)} match"
        return told + (f" · {self._refused}" if self._refused else "")

    def _about(self) -> None:
        entry = self.current
        self._chosen = entry.key if entry else None
        self.query_one(About).show(entry)
        palette = palette_of(self)
        if entry is None:
            self.layer_list.show((), lambda item, on: [])
            self.fact_list.show((), lambda item, on: [])
            return
        wide = self.layer_list.room
        if entry.image.id not in self._steps and entry.image.id != HOST:
            self._history(entry.image.id)
        found = about.numbered(entry, self._steps.get(entry.image.id))
        self.layer_list.show(
            found,
            lambda item, on: about.layer(item[0], item[1], wide, palette, on and self.layer_list.has_focus),
        )
        self.fact_list.show(
            about.facts(entry, self.fact_list.room), lambda one, on: about.fact(one, palette, on)
        )

    def on_lines_moved(self) -> None:
        self._about()

    def on_resize(self) -> None:
        if self.is_mounted:
            self.call_after_refresh(self.sync)

    # ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

    def action_look(self) -> None:
        if self.job_pane.has_focus:
            self.open_job(self.job_pane.chosen)
            return
        self.layer_list.focus()
        self._about()

    def action_turn(self, by: int) -> None:
        parts = [
            part for part in (self.image_list, self.job_pane, self.layer_list, self.fact_list) if part.display
        ]
        place = next((n for n, part in enumerate(parts) if part.has_focus), 0)
        parts[(place + by) % len(parts)].focus()
        self._about()

    def action_back(self) -> None:
        """Undo what narrowed the view; then leave."""
        field = self.query_one("#filter", Field)
        if field.display:
            field.value = ""
            field.display = False
            self.image_list.focus()
        elif not self.image_list.has_focus:
            self.image_list.focus()
            self._about()
        else:
            self.dismiss(None)

    def action_filter(self) -> None:
        field = self.query_one("#filter", Field)
        field.display = True
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.sync()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        event.input.display = bool(event.value)
        self.image_list.focus()

    def action_sort(self, step: int) -> None:
        shown = [column.key for column, _ in self.query_one(Header).fitted.columns]
        place = shown.index(self._sort) if self._sort in shown else 0
        self._sort_by(shown[(place + step) % len(shown)])

    def on_sort_by(self, message: SortBy) -> None:
        if message.column == self._sort:
            self.action_invert()
        else:
            self._sort_by(message.column)

    def _sort_by(self, key: str) -> None:
        self._sort = key
        self._descending = next(column.right for column in COLUMNS if column.key == key)
        self.sync()

    def action_invert(self) -> None:
        self._descending = not self._descending
        self.sync()

    def action_pull(self) -> None:
        if not self.deck.refuses():
            self._doing.pull()

    def action_load(self) -> None:
        if not self.deck.refuses():
            self._doing.load()

    def action_tag(self) -> None:
        entry = self.current
        if entry is not None and not self.deck.refuses():
            self._doing.tag(entry)

    def action_prune(self) -> None:
        if not self.deck.refuses():
            self._doing.prune()

    def action_build(self) -> None:
        if not self.deck.refuses():
            self._doing.build()

    def action_save(self) -> None:
        if (entry := self.current) is not None:
            self._doing.save(entry)

    def action_push(self) -> None:
        entry = self.current
        if entry is not None and not self.deck.refuses():
            self._doing.push(entry)

    def action_remove_image(self) -> None:
        entry = self.current
        if entry is not None and not self.deck.refuses():
            self._doing.remove(entry)

    def follow(self, job: Job) -> None:
        """Show a job that was just begun; of a build also what it says."""
        self.job_pane.sync()
        if job.verb == "build":
            self.open_job(job.id)

    def open_job(self, id: int) -> None:
        """Show all of one job."""
        from tui.deck.screens.job import JobScreen

        self.app.push_screen(JobScreen(self.deck.jobs, id))

    def action_run_image(self) -> None:
        entry = self.current
        if entry is None or self.deck.refuses():
            return
        from tui.deck.screens.new import NewScreen

        self.app.push_screen(NewScreen(self._link, self._store, entry.ref), self._made)

    def _made(self, id: str | None) -> None:
        """Go and see what was made."""
        if id:
            self.deck.selection.wanted = id
            self.dismiss(None)

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.app.run_action(message.action, default_namespace=self.focused or self)
