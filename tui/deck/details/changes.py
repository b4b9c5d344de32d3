"""What the container changed of its image: its own registry, told, compared, thrown away or kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static

from engine.model import Change
from tui.deck.changes import draw
from tui.deck.changes.comparison import Comparison
from tui.deck.changes.doing import Doing
from tui.deck.changes.texts import Compared, compared
from tui.deck.changes.tree import Node, Tally, Tree, flat
from tui.deck.details.heading import Heading
from tui.deck.details.tab import SearchTab, Subject
from tui.deck.draw.line import Line, Row
from tui.deck.theme import Ink, palette_of
from tui.deck.widgets.drawn import DrawnLine
from tui.deck.widgets.lines import Lines
from tui.presentation.images import HOST, tidy
from tui.presentation.text import clip, harmless
from tui.presentation.times import clock

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

PREVIEW = 24  # rows of the tab from which a comparison is below the list


class ChangeList(Lines):
    """Folds and unfolds with left and right."""

    BINDINGS = [
        Binding("left", "fold(True)", "fold", id="changes.fold", show=False),
        Binding("right", "fold(False)", "unfold", id="changes.unfold", show=False),
    ]

    def action_fold(self, fold: bool) -> None:
        cast("Changes", self.parent).fold(fold)


class Amount(DrawnLine):
    """How much was changed, as a bar and in figures."""

    def __init__(self) -> None:
        super().__init__("amount")
        self._tally: Tally | None = None
        self._as_of = "comparing its root with its image …"

    def show(self, tally: Tally, as_of: str) -> None:
        """Take what is to be shown."""
        self._tally, self._as_of = tally, as_of
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        if self._tally is None:
            style = palette.style("muted", "surface")
            return Row().add(f" {self._as_of}", style).fill(wide, style).segments
        return draw.headline(self._tally, wide, palette, self._as_of)


class Outcome(DrawnLine):
    """What came of the last key; no row before there was one."""

    def __init__(self) -> None:
        super().__init__("outcome")
        self._text = ""
        self._tone: Ink = "running"
        self.display = False

    def show(self, text: str, tone: Ink) -> None:
        """Take what is to be shown."""
        self._text, self._tone = text, tone
        self.display = bool(text)
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        palette, wide = palette_of(self), self.outer_size.width
        style = palette.style(self._tone, "surface", bold=True)
        sign = {"running": "✓", "failed": "✕"}.get(self._tone, "…")
        return Row().add(clip(f" {sign} {harmless(self._text)}", wide), style).fill(wide, style).segments


class Changes(SearchTab):
    """A row for each path; comparing the trees is work, so it is done when asked for."""

    DEFAULT_CSS = """
    Changes ChangeList { height: 1fr; min-height: 4; }
    Changes Comparison { height: 1fr; display: none; }
    Changes #path { display: none; }
    Changes.-preview Comparison, Changes.-preview #path { display: block; }
    """
    BINDINGS = [
        Binding("enter", "open", "compare", id="changes.open"),
        Binding("D", "reset", "reset", id="changes.reset"),
        Binding("c", "commit", "commit", id="changes.commit"),
        Binding("S", "snapshot", "snapshot", id="changes.snapshot"),
        Binding("B", "snapshots", "roll back", id="changes.snapshots"),
        Binding("r", "again", "look again", id="details.again"),
        Binding("space", "turn_fold", "fold", id="changes.toggle", show=False),
        Binding("z", "fold_all", "fold all", id="changes.fold_all", show=False),
        Binding("f", "flat", "flat list or tree", id="changes.flat", show=False),
        Binding("y", "copy", "copy the path", id="details.copy_path", show=False),
    ]

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._found: Sequence[Change] = ()
        self._tree: Tree = Tree(())
        self._folded: set[str] | None = None  # None: not looked at yet
        self._flat = False
        self._rows: Sequence[Node] = ()
        self._wanted = ""  # the path whose comparison is to be shown
        self._doing = Doing(self)

    def compose(self) -> ComposeResult:
        yield Amount()
        yield Outcome()
        yield Heading("")
        yield ChangeList()
        yield self.search_field("part of a path, or added, changed, deleted")
        yield Static(id="told", markup=False)
        yield PathLine()
        yield Comparison()

    def opened(self) -> None:
        self.action_again()

    def refresh_now(self) -> None:
        """Nothing: see the class."""

    def on_resize(self) -> None:
        self.set_class(self.size.height >= PREVIEW, "-preview")
        self.call_after_refresh(self._show)

    # ── what was changed ────────────────────────────────────────────────────────────────────────────────────

    def action_again(self) -> None:
        self.asking.ask(
            "diff", lambda: self.subject.link.client.diff(self.subject.id), self._take, self.failed
        )

    def _take(self, found: list[Change]) -> None:
        self._found = found
        self._tree = Tree(found)
        if self._folded is None:
            self._folded = self._tree.folded_at_first()
        self.query_one(Amount).show(self._tree.tally, f"at {clock(time.time())}")
        self.tell("")
        self._show()

    def outcome(self, text: str, tone: Ink) -> None:
        """Say what came of a key; it stays until the next."""
        self.query_one(Outcome).show(text, tone)

    @property
    def tally(self) -> Tally:
        """How much was changed, as of the last look."""
        return self._tree.tally

    def searched(self, text: str) -> None:
        """See SearchTab."""
        self._show()

    def _show(self) -> None:
        words = self.sought.lower().split()
        if words:
            matching = [
                change
                for change in self._found
                if all(word in f"{draw.WORDS[change.kind]} {change.path}".lower() for word in words)
            ]
            self._rows = flat(matching) if self._flat else Tree(matching).rows(set())
            told = f"{sum(1 for change in matching if not change.is_dir)} match"
        else:
            self._rows = flat(self._found) if self._flat else self._tree.rows(self._folded or set())
            told = self._story()
        self.query_one(Heading).tell(f" {told}")
        palette, changes = palette_of(self), self.query_one(ChangeList)
        changes.show(self._rows, lambda node, on: draw.node(node, changes.room, palette, on))
        self._preview()

    def _story(self) -> str:
        """Where most of it is, and who sees it: nobody else."""
        container, tally = self.subject.container, self._tree.tally
        if not tally.paths:
            return "c makes an image of it, S keeps what it has now, D throws away what it will have changed"
        mostly = ", ".join(f"{path} ({count})" for path, count in self._tree.mostly())
        others = [
            other.name
            for other in self.subject.store.containers.values()
            if container and other.image_id == container.image_id and other.id != container.id
        ]
        unseen = [tidy(container.image)] if container and container.image_id != HOST else []
        unseen += ["the host", *others[:2]] + ([f"{len(others) - 2} more"] if len(others) > 2 else [])
        seen = f"{', '.join(unseen[:-1])} and {unseen[-1]}" if unseen[1:] else unseen[0]
        told = f"{seen} {'sees' if len(unseen) == 1 else 'see'} none of it"
        return f"mostly in {mostly} · {told}" if mostly else told

    @property
    def node(self) -> Node | None:
        """The row that the cursor is on."""
        current = self.query_one(ChangeList).current
        return self._rows[current] if current < len(self._rows) else None

    # ── the selected path compared ──────────────────────────────────────────────────────────────────────────

    def on_lines_moved(self) -> None:
        self._preview()

    def _preview(self) -> None:
        node, comparison = self.node, self.query_one(Comparison)
        if not comparison.display:
            return
        path = node.path if node and not node.folder else ""
        if path == self._wanted and path:
            return
        self._wanted = path
        self.query_one(PathLine).show(node.path if node else "", "")
        comparison.tell("")
        if path:
            self._compare()

    def _compare(self) -> None:
        """Ask for what is wanted; where something else is by the time the answer comes, for that."""
        path, client = self._wanted, self.subject.link.client

        def take(answer: Compared) -> None:
            if path == self._wanted:
                comparison = self.query_one(Comparison)
                comparison.compare(answer)
                self.query_one(PathLine).show(path, comparison.title())
            elif self._wanted:
                self._compare()

        self.asking.ask("change", lambda: compared(client.change(self.subject.id, path)), take, self.failed)

    # ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

    def action_open(self) -> None:
        node = self.node
        if node is None:
            return
        if node.folder:
            self.action_turn_fold()
            return
        from tui.deck.screens.compare import CompareScreen

        paths = [row.path for row in self._rows if not row.folder]
        container = self.subject.container
        self.app.push_screen(
            CompareScreen(self.subject, container.name if container else "", paths, paths.index(node.path)),
            self._select,
        )

    def _select(self, path: str | None) -> None:
        """Put the cursor where the comparison was left."""
        places = [place for place, row in enumerate(self._rows) if row.path == path]
        if places:
            self.query_one(ChangeList).select(places[0])

    def action_turn_fold(self) -> None:
        if (node := self.node) is not None and node.folder:
            self.fold(not node.folded)

    def fold(self, fold: bool) -> None:
        """Fold or unfold the folder that the cursor is on; folding within one goes to it first."""
        node = self.node
        if node is None or self._folded is None:
            return
        if fold and (not node.folder or node.folded):
            parents = [
                place
                for place, row in enumerate(self._rows)
                if row.folder and node.path.startswith(f"{row.path}/")
            ]
            if parents:
                self.query_one(ChangeList).select(parents[-1])
            return
        (self._folded.add if fold else self._folded.discard)(node.path)
        self._show()

    def action_fold_all(self) -> None:
        self._folded = set() if self._folded else self._tree.folders()
        self._show()

    def action_flat(self) -> None:
        self._flat = not self._flat
        self._show()

    def action_copy(self) -> None:
        if (node := self.node) is not None:
            self.app.copy_to_clipboard(node.path)
            self.notify("the path is in the clipboard")

    def action_reset(self) -> None:
        if not self._refuses():
            self._doing.reset()

    def action_commit(self) -> None:
        if not self._refuses():
            self._doing.commit()

    def action_snapshot(self) -> None:
        if not self._refuses():
            self._doing.snapshot()

    def action_snapshots(self) -> None:
        self._doing.snapshots()

    def _refuses(self) -> bool:
        return cast("DeckApp", self.app).refuses()


class PathLine(DrawnLine):
    """The line above a comparison: the path, and how much differs."""

    def __init__(self) -> None:
        super().__init__("path")
        self._path = ""
        self._told = ""

    def show(self, path: str, told: str) -> None:
        """Take what is to be shown."""
        self._path, self._told = path, told
        self.sync()

    def line(self) -> Line:
        """See DrawnLine."""
        return draw.rule(self._path, self._told, self.outer_size.width, palette_of(self))
