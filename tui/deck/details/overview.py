"""Ten minutes of everything that is measured, and the facts beside it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from engine.model import JSON, ContainerState, History
from tui.deck.details import facts
from tui.deck.details.facts import Fact
from tui.deck.details.tab import Subject, Tab
from tui.deck.draw.chart import Chart
from tui.deck.limits.charts import cpu, flow, memory
from tui.deck.past import Past
from tui.deck.theme import Ink, palette_of
from tui.deck.widgets.charts import Charts
from tui.deck.widgets.lines import Lines
from tui.presentation.quantities import share

TEN_MINUTES = 600.0
BESIDE = 110  # cells from which there is room for charts and facts side by side
NOTICED = 0.2
"""From this share on, waiting is worth a colour."""


class ChartsTab(Tab):
    """Charts with facts: beside each other where it is wide, else below each other."""

    DEFAULT_CSS = """
    ChartsTab #both { layout: vertical; height: 1fr; }
    ChartsTab Charts { height: 2fr; margin: 0 1; }
    ChartsTab Lines { height: 1fr; }
    ChartsTab.-beside #both { layout: horizontal; }
    ChartsTab.-beside Charts { height: 1fr; width: 2fr; }
    ChartsTab.-beside Lines { height: 1fr; width: 1fr; max-width: 64; }
    """

    def __init__(self, subject: Subject, past: Past) -> None:
        super().__init__(subject)
        self.past = past
        self.inspected: JSON | None = None
        self._inspected_at: ContainerState | None = None

    def compose(self) -> ComposeResult:
        with Container(id="both"):
            yield Charts(TEN_MINUTES)
            yield Lines(cursor=False)
        yield Static(id="told", markup=False)

    def charts(self) -> list[Chart]:
        """What is to be drawn."""
        raise NotImplementedError

    def facts(self) -> list[Fact]:
        """What is to be told."""
        raise NotImplementedError

    def opened(self) -> None:
        self.refresh_now()
        self.call_after_refresh(self.refresh_now)  # now it knows how wide it is

    def refresh_now(self) -> None:
        container = self.subject.container
        if container is None:
            return
        if container.state != self._inspected_at:
            asked = container.state

            def inspect() -> JSON:
                return self.subject.link.client.inspect(self.subject.id)

            if self.asking.ask("inspect", inspect, self._take, self.failed):
                self._inspected_at = asked
        lines = self.query_one(Lines)
        lines.show(facts.lines(self.facts(), lines.size.width, palette_of(self)), lambda line, _: line)
        self.query_one(Charts).show(self.charts(), self.subject.store.now)

    def _take(self, inspected: JSON) -> None:
        self.inspected = inspected
        self.tell("")
        self.refresh_now()

    def on_resize(self) -> None:
        self.set_class(self.size.width >= BESIDE, "-beside")
        self.call_after_refresh(self.refresh_now)


class Overview(ChartsTab):
    """How it does and what it is."""

    def charts(self) -> list[Chart]:
        """See ChartsTab."""
        subject, past = self.subject, self.past
        container, sample = subject.container, subject.sample
        if container is None:
            return []
        return [
            cpu(past, container.limits, subject.store.host, sample),
            _part("stall", "cpu_some", past, sample.cpu_some, "stalled"),
            _part("throttled", "throttled", past, sample.throttled, "warn"),
            memory(past, container.limits, sample),
            flow("disk read", "io_read", past, sample, tall=False),
            flow("disk write", "io_write", past, sample, tall=False),
            flow("net in", "net_rx", past, sample, tall=False),
            flow("net out", "net_tx", past, sample, tall=False),
        ]

    def facts(self) -> list[Fact]:
        """See ChartsTab."""
        container = self.subject.container
        if container is None:
            return []
        found = [*facts.state(container, self.subject.store.now), Fact("limits"), *facts.limits(container)]
        found += [Fact("network"), *facts.network(container, self.inspected)]
        return [*found, Fact("settings"), *facts.config(self.inspected)] if self.inspected else found


def _part(label: str, field: str, past: Past, now: float | None, ink: Ink) -> Chart:
    noticed = now is not None and now >= NOTICED
    return Chart(label, share(now), past.series(field), 1.0, "100%", ink, tone=ink if noticed else "text")


def seed(subject: Subject, past: Past, tab: Tab) -> None:
    """Ask the engine for what happened before the screen was there."""

    def take(history: History) -> None:
        past.seed(history)
        tab.refresh_now()

    def nothing(error: object) -> None:
        """A container that has not run has no history."""

    tab.asking.ask("history", lambda: subject.link.client.history(subject.id, TEN_MINUTES), take, nothing)
