"""One cgroup of the host: what it is, what cannot be told of it and why, and its processes."""

from __future__ import annotations

from typing import cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from engine.errors import TiffinError
from engine.model import Group, GroupChange, Process
from tui.deck.asking import Asking
from tui.deck.draw.line import Line, Row
from tui.deck.engine_link import Link
from tui.deck.messages import KeyPressed
from tui.deck.theme import Painted
from tui.deck.widgets.keybar import KeyBar
from tui.deck.widgets.lines import Lines
from tui.presentation.groups import whose
from tui.presentation.limits import differences
from tui.presentation.quantities import cores_limit, size
from tui.presentation.text import harmless
from tui.presentation.times import clock

LABEL = 12  # cells


class GroupScreen(ModalScreen[None]):
    """Read once, when it opens."""

    BINDINGS = [Binding("escape,enter,q", "dismiss", "close", id="tree.close")]
    CSS = """
    GroupScreen #box {
        width: 100%; max-width: 140; height: 100%; max-height: 40;
        background: $surface; border: round $border; border-title-color: $ink; padding: 0 1;
    }
    GroupScreen #keys { dock: none; }
    """

    def __init__(self, link: Link, group: Group) -> None:
        super().__init__()
        self._link = link
        self._group = group
        self._processes: list[Process] = []
        self._changes: list[str] = []
        self._told = "asking the engine …"

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Lines("surface", cursor=False)
            yield KeyBar((("tree.close", "close"), ("list.down", "down"), ("list.up", "up")))

    def on_mount(self) -> None:
        self.query_one("#box").border_title = harmless(whose(self._group))
        self._asking = Asking(self)
        client, id = self._link.client, self._group.id
        if self._group.kind == "root":
            self._told = "the root cgroup is the whole machine"
        else:
            self._asking.ask("top", lambda: client.group_top(id), self._top, self._refused)
        self._asking.ask("changes", client.group_changes, self._changed, lambda error: None)
        self._fill()
        self.query_one(Lines).focus()

    def _top(self, processes: list[Process]) -> None:
        self._told, self._processes = "", processes
        self._fill()

    def _changed(self, changes: list[GroupChange]) -> None:
        for change in changes:
            if change.id == self._group.id:
                told = differences(change.before, change.after)
                told += ["frozen"] if change.frozen and not change.was_frozen else []
                self._changes = [f"since {clock(change.at)}: {', '.join(told) or 'as it was'}"]
        self._fill()

    def _refused(self, error: TiffinError) -> None:
        self._told = str(error)
        self._fill()

    def _fill(self) -> None:
        group, palette = self._group, cast("Painted", self.app).palette
        label, text = palette.style("muted", "surface"), palette.style("text", "surface")
        quiet = palette.style("border", "surface")

        def fact(name: str, value: str) -> Line:
            return Row().add(name, label).fill(LABEL, label).add(harmless(value), text).segments

        facts = [
            ("path", group.path),
            ("what", " ".join(part for part in (group.engine, group.kind) if part)),
            ("id", group.ref),
            ("image", group.image),
            ("cpus", cores_limit(group.cpus) if group.cpus is not None else ""),
            ("state", ", ".join(w for w, is_so in (("frozen", group.frozen), ("idle", group.idle)) if is_so)),
            *(("changed", change) for change in self._changes),
        ]
        lines = [fact(name, value) for name, value in facts if value]
        lines += [fact("no " + name, why) for name, why in group.absent.items()]
        lines.append(Row().add("", quiet).segments)
        lines.append(
            Row()
            .add(
                self._told or f"{len(self._processes)} process" + ("" if len(self._processes) == 1 else "es"),
                label,
            )
            .segments
        )
        for process in self._processes:
            row = Row().right(str(process.pid), 8, label).add("  ", label).add(process.state, text)
            row.right(f"{process.cpu_seconds:.1f}s", 20, text).right(size(process.rss), 27, text).add(
                "  ", text
            )
            lines.append(row.add(harmless(process.command), text).segments)
        self.query_one(Lines).show(lines, lambda line, _: line)

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)
