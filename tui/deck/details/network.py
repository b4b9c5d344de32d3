"""Where the container is reached, and its traffic."""

from __future__ import annotations

from tui.deck.details import facts
from tui.deck.details.facts import Fact
from tui.deck.details.overview import ChartsTab
from tui.deck.draw.chart import Chart, nice
from tui.deck.limits.charts import flow
from tui.presentation.quantities import count


class Network(ChartsTab):
    """Addresses and ports, bytes and packets."""

    def charts(self) -> list[Chart]:
        """See ChartsTab."""
        sample = self.subject.sample
        return [
            flow("received", "net_rx", self.past, sample),
            self._packets("packets", "net_rx_packets", sample.net_rx_packets),
            flow("sent", "net_tx", self.past, sample),
            self._packets("packets", "net_tx_packets", sample.net_tx_packets),
        ]

    def _packets(self, label: str, field: str, now: float | None) -> Chart:
        points = self.past.series(field)
        scale = nice(max((value or 0.0 for _, value in points), default=0.0), 10)
        return Chart(label, "–" if now is None else f"{count(now)}/s", points, scale, count(scale))

    def facts(self) -> list[Fact]:
        """See ChartsTab."""
        container = self.subject.container
        return facts.network(container, self.inspected) if container is not None else []
