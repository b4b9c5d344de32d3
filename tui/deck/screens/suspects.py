"""The suspects of a stall: evidence on one axis of time, what can be done, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import TiffinError
from engine.model import GROUP_PREFIX, RESOURCES, Blame, Evidence, Proof, Resource, Suspect
from engine.model import Line as Used
from tui.deck.asking import Asking
from tui.deck.draw.line import Line
from tui.deck.engine_link import Link
from tui.deck.messages import KeyPressed
from tui.deck.screens.confirm import Confirm
from tui.deck.store import MINUTE, Store
from tui.deck.suspects import draw
from tui.deck.suspects.remedies import Remedy, remedies
from tui.deck.suspects.target import Done, Own, Target, Theirs, look
from tui.deck.theme import palette_of
from tui.deck.widgets.charts import Charts
from tui.deck.widgets.keybar import KeyBar
from tui.presentation.blame import WAITS_FOR, percent, sentence
from tui.presentation.text import harmless

if TYPE_CHECKING:
    from tui.deck.app import DeckApp

CHARTED = 5  # suspects
CALM = 5.0  # seconds between two rankings
ROUNDS = 4
ROWS = 8  # of what can be done
KEYS = (
    ("suspects.close", "back"),
    ("suspects.down", "next"),
    ("suspects.do1", "act"),
    ("suspects.prove", "prove it"),
    ("suspects.undo", "undo"),
    ("suspects.raise", "raise its own limit"),
    ("suspects.resource", "CPU / memory / IO"),
    ("suspects.help", "keys"),
)


class SuspectsScreen(Screen[None]):
    """One victim; stays the same screen when the stall is over, so that what helped can be seen."""

    BINDINGS = [
        Binding("escape,q", "dismiss", "back", id="suspects.close"),
        Binding("down,j", "move(1)", "next suspect", id="suspects.down"),
        Binding("up,k", "move(-1)", "suspect before", id="suspects.up"),
        *(Binding(str(n), f"do({n})", f"do number {n}", id=f"suspects.do{n}") for n in range(1, 6)),
        Binding("P", "prove", "prove it: freeze the suspect for moments", id="suspects.prove"),
        Binding("u", "undo", "undo what was done here", id="suspects.undo"),
        Binding("0", "raise", "raise the victim's own limit", id="suspects.raise"),
        Binding("tab", "resource", "CPU, memory or IO", id="suspects.resource", priority=True),
        Binding("question_mark", "app.help", "all keys", id="suspects.help"),
    ]
    CSS = """
    SuspectsScreen Static { height: auto; padding: 0 1; }
    SuspectsScreen #head { height: 2; color: $stalled; text-style: bold; }
    SuspectsScreen #what { height: auto; padding: 0; }
    SuspectsScreen #told { height: 2; color: $ink; }
    SuspectsScreen #told.-bad { color: $failed; }
    """

    def __init__(self, link: Link, store: Store, victim: str, resource: Resource, suspect: str = "") -> None:
        super().__init__()
        self._link = link
        self._store = store
        self._victim = victim
        self._resource: Resource = resource
        self._current = suspect
        self._evidence: Evidence | None = None
        self._blame: Blame | None = None  # the last there was
        self._theirs: Theirs | None = None  # the suspect, where it is not tiffin's
        self._effect: draw.Effect | None = None
        self._undo: list[tuple[str, Callable[[], object]]] = []
        self._said, self._bad = "", False  # until something else is
        self._order: list[str] = []  # of those shown; it stays for a while, and once something was done
        self._ranked = float("-inf")

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        yield Charts(MINUTE)
        yield Static(id="what", markup=False)
        yield Static(id="told", markup=False)
        yield KeyBar(KEYS)

    def on_mount(self) -> None:
        self._asking = Asking(self)
        deck = cast("DeckApp", self.app)
        deck.changed.subscribe(self, lambda _: self._ask())
        deck.theme_changed_signal.subscribe(self, lambda _: self._sync())
        self.bindings_updated_signal.subscribe(self, lambda _: self.query_one(KeyBar).sync())
        self._ask()

    # ── what there is ───────────────────────────────────────────────────────────────────────────────────────

    def _ask(self) -> None:
        resource, also = self._resource, self._order or [id for id in [self._current] if id]
        client = self._link.client
        self._asking.ask(
            "evidence", lambda: client.evidence(self._victim, resource, also), self._take, self._unknown
        )

    def _take(self, evidence: Evidence) -> None:
        if not isinstance(evidence, Evidence) or evidence.resource != self._resource:
            return
        self._evidence = evidence
        self._blame = evidence.blame or self._blame
        ids = [line.suspect.id for line in self._shown()]
        if self._current not in ids:
            self._current = ids[0] if ids else ""
        self._sync()

    def _shown(self) -> list[Used]:
        if self._evidence is None:
            return []
        lines = self._evidence.lines
        if self._effect is None and self._store.now - self._ranked >= CALM:
            self._ranked, self._order = self._store.now, [line.suspect.id for line in lines[:CHARTED]]
        by_id = {line.suspect.id: line for line in lines}
        return [by_id[id] for id in self._order if id in by_id]

    def _suspect(self) -> Suspect | None:
        return next((line.suspect for line in self._shown() if line.suspect.id == self._current), None)

    def _sync(self) -> None:
        evidence = self._evidence
        if evidence is None:
            return
        palette, wide = palette_of(self), self.size.width
        self.query_one("#head", Static).update(harmless(self._head(evidence)))
        shown = self._shown()
        part = Evidence(
            id=evidence.id,
            name=evidence.name,
            resource=evidence.resource,
            at=evidence.at,
            stall=evidence.stall,
            lines=shown,
        )
        self.query_one(Charts).show(draw.charts(part, self._current, self._store.host), self._store.now)
        suspect = self._suspect()
        foreign = self._current.startswith(GROUP_PREFIX)
        if foreign and self._target() is None:
            self._look()
        lines = draw.what_can_be_done(self._remedies(), suspect, foreign, wide, palette)
        self.query_one("#what", Static).update(_text(lines[:ROWS]))
        if self._said:
            self._tell(self._said, self._bad)
        elif self._effect is not None:
            self._tell(draw.effect(self._effect, evidence))
        self.query_one(KeyBar).sync()

    def _head(self, evidence: Evidence) -> str:
        if evidence.blame is not None:
            return f"▽ {sentence(evidence.name, evidence.blame)}"
        stall = draw.mean_stall(evidence)
        return f"  {evidence.name} waits {percent(stall)} of the time {WAITS_FOR[self._resource]}: no stall that lasts"

    def _remedies(self) -> list[Remedy]:
        target, cores = self._target(), self._store.host.cores
        if target is None:
            return []
        device = cast("DeckApp", self.app).actions.device(target.limits)
        found = remedies(self._resource, self._current, target.limits, target.sample, cores, device)
        return [remedy for remedy in found if target.allows(remedy)]

    def _target(self) -> Target | None:
        """The current suspect, as it is acted upon; None where it cannot be, or is not known yet."""
        if container := self._store.containers.get(self._current):
            return Own(container, self._store.sample(container.id))
        theirs = self._theirs
        return theirs if theirs is not None and theirs.group.id == self._current else None

    def _look(self) -> None:
        client, id = self._link.client, self._current

        def found(theirs: Theirs) -> None:
            self._theirs = theirs
            self._sync()

        self._asking.ask("look", lambda: look(client, id), found, self._unknown)

    def _tell(self, text: str, bad: bool = False) -> None:
        told = self.query_one("#told", Static)
        told.set_class(bad, "-bad")
        told.update(harmless(text))

    def _say(self, text: str, bad: bool = False) -> None:
        self._said, self._bad = text, bad
        self._tell(text, bad)

    def _refused(self, error: TiffinError) -> None:
        self._say(str(error), True)

    def _unknown(self, error: TiffinError) -> None:
        self._tell(str(error), True)  # until it is asked again

    # ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

    def action_move(self, by: int) -> None:
        ids = [line.suspect.id for line in self._shown()]
        if ids:
            place = ids.index(self._current) if self._current in ids else 0
            self._current = ids[max(0, min(len(ids) - 1, place + by))]
            self._sync()

    def action_resource(self) -> None:
        place = (RESOURCES.index(self._resource) + 1) % len(RESOURCES)
        self._resource, self._current, self._blame = RESOURCES[place], "", None
        self._effect, self._said = None, ""
        self._order, self._ranked = [], float("-inf")
        self._tell("")
        self._ask()

    def action_do(self, number: int) -> None:
        found, target = self._remedies(), self._target()
        if target is None or number > len(found) or self._refuses():
            return
        remedy, client = found[number - 1], self._link.client
        question = target.question(remedy)

        def answered(yes: bool | None) -> None:
            if yes:
                self._act(lambda: target.act(client, remedy))

        if question:
            self.app.push_screen(Confirm(question, "change" if remedy.change else "freeze"), answered)
        else:
            answered(True)

    def action_raise(self) -> None:
        """Give the victim what its own limit keeps from it."""
        held = self._blame.held if self._blame else None
        change = draw.lifting(held) if held else None
        if change is None:
            self._say("no limit of its own holds it")
            return
        victim, client = self._store.containers.get(self._victim), self._link.client
        if victim is None or self._refuses():
            return
        own = Own(victim, self._store.sample(victim.id))
        self._act(lambda: own.change(client, change))

    def _act(self, do: Callable[[], Done]) -> None:
        before = draw.mean_stall(self._evidence) if self._evidence else 0.0

        def done(answer: Done) -> None:
            self._undo.append((answer.said, answer.undo))
            self._said = ""
            self._effect = draw.Effect(self._store.now, answer.said, before)
            if answer.after is not None:
                self._store.turned(answer.id, answer.after)
            if answer.note:
                self.notify(harmless(answer.note))
            self._changed()

        if self._asking.ask("act", do, done, self._refused):
            self._say("asking the kernel …")

    def _changed(self) -> None:
        if self._theirs is not None:
            self._look()
        self._ask()
        self._sync()

    def action_undo(self) -> None:
        if not self._undo:
            self._say("nothing was done here that could be undone")
            return
        if self._refuses():
            return
        what, undo = self._undo[-1]
        before = draw.mean_stall(self._evidence) if self._evidence else 0.0

        def done(_: object) -> None:
            self._undo.pop()
            self._said = ""
            self._effect = draw.Effect(self._store.now, f"undone: {what}", before)
            self._changed()

        if self._asking.ask("act", undo, done, self._refused):
            self._say("undoing …")

    def action_prove(self) -> None:
        target, evidence = self._target(), self._evidence
        if target is None or evidence is None:
            self._say("there is nobody here to freeze")
            return
        if self._refuses():
            return
        then = f"It will stand still {ROUNDS} times for a third of a second, and {evidence.name} is watched meanwhile."

        def answered(yes: bool | None) -> None:
            if yes:
                self._prove(target)

        self.app.push_screen(Confirm(target.proving(then), "freeze"), answered)

    def _prove(self, target: Target) -> None:
        client, victim, resource = self._link.client, self._victim, self._resource

        def told(answer: Proof) -> None:
            self._say(draw.proof(answer))

        def work() -> Proof:
            return client.prove(victim, target.id, resource, ROUNDS, target.confirm)

        if self._asking.ask("act", work, told, self._refused):
            self._say(f"freezing {target.name} for moments …")

    def _refuses(self) -> bool:
        return cast("DeckApp", self.app).refuses()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that mean nothing now are not there."""
        if action == "undo":
            return bool(self._undo)
        if action == "raise":
            return self._blame is not None and self._blame.held is not None
        if action == "do":
            return len(self._remedies()) >= cast("int", parameters[0])
        return True

    def on_resize(self) -> None:
        self._sync()

    async def on_key_pressed(self, message: KeyPressed) -> None:
        await self.run_action(message.action)


def _text(lines: list[Line]) -> Text:
    text = Text(no_wrap=True, overflow="crop", end="")
    for place, line in enumerate(lines):
        if place:
            text.append("\n")
        for segment in line:
            text.append(segment.text, segment.style)
    return text
