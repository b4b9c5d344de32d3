"""The first run: two small containers to look at, on an instance that has never had any.

The deck starts them by itself when all of this holds: the engine answers and has no container, its events
tell of none that ever was, `welcomed` is not set in the settings, and the deck is not read-only. They are
made of the machine's own programs (the image `host`), carry the label below, and are bounded: half a core,
64 MiB and 20 processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from engine.client import EngineClient
from engine.model import ContainerConfig, ContainerSummary, Limits
from tui.deck.alerts import Alert

LABEL = "tiffin.welcome"
QUIET = 'while :; do date "+%T  all quiet"; sleep 5; done'
BUSY = 'n=0; while :; do n=$((n + 1)); [ $((n % 400000)) -eq 0 ] && echo "counted to $n"; done'


def is_first_run(client: EngineClient) -> bool:
    """Whether this instance has never had a container. Raises TiffinError."""
    if client.containers():
        return False
    past = client.events(since=1, until=time.time(), filters={"type": ["container"]})
    return not any(event.action == "create" for event in past)


def start(client: EngineClient) -> None:
    """Start the two. Raises TiffinError."""
    for name, script, cpus in (("quiet", QUIET, 0.25), ("busy", BUSY, 0.5)):
        limits = Limits(cpus=cpus, memory=64 << 20, pids=20)
        config = ContainerConfig(
            image="host", command=["sh", "-c", script], labels={LABEL: name}, limits=limits
        )
        client.run(config, name)


def ours(containers: Iterable[ContainerSummary]) -> list[str]:
    """The ids of those that were started here."""
    return [container.id for container in containers if LABEL in container.labels]


def alert(containers: Iterable[ContainerSummary]) -> Alert | None:
    """What says so, and how to be rid of them."""
    count = len(ours(containers))
    if not count:
        return None
    what = "two small containers were" if count > 1 else "a small container was"
    return Alert(f"first run: {what} started for you to look at · X removes them · Esc hides this", "text")
