"""What is measured, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.client.calls import Calls, Filters, filtered
from engine.client.http import Query
from engine.model import Event, History, Snapshot


class WatchCalls(Calls):
    """Samples, history and events; see EngineClient."""

    def snapshot(self) -> Snapshot:
        """Everything a live view draws, now."""
        return self._get("/tiffin/snapshot", Snapshot)

    def live(self) -> Iterator[Snapshot]:
        """A snapshot now, then one a tick and at each change of state; a slow reader misses some."""
        return self._lines("/tiffin/live", Snapshot)

    def history(self, ref: str, seconds: float = 600) -> History:
        """Past samples of one container; of the host where `ref` is "host", of a cgroup where it is its id."""
        return self._get("/tiffin/history", list[History], {"id": ref, "seconds": seconds})[0]

    def history_all(self, seconds: float = 60, fields: Sequence[str] = ()) -> list[History]:
        """Past samples of all containers and the host; some fields of Sample, or all."""
        return self._get("/tiffin/history", list[History], {"seconds": seconds, "fields": ",".join(fields)})

    def metrics(self, openmetrics: bool = False) -> str:
        """What is measured as Prometheus reads it: in its text format, or in OpenMetrics'."""
        with self._request("GET", "/tiffin/metrics", {"openmetrics": openmetrics}) as response:
            return response.read().decode()

    def events(self, since: float = 0, until: float = 0, filters: Filters | None = None) -> Iterator[Event]:
        """What happened since a time (0: from now on) until another (0: goes on); filters are Docker's."""
        query: Query = {"since": since or None, "until": until or None, "filters": filtered(filters)}
        return self._lines("/tiffin/events", Event, query)
