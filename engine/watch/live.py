"""The watch: ticks once a second, keeps history, and hands every live view the same snapshot."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from itertools import islice

from engine.cgroups import Group
from engine.model import (
    ContainerSummary,
    Evidence,
    GroupNews,
    GroupSnapshot,
    HostSample,
    Resource,
    Sample,
    Snapshot,
)
from engine.watch.blame import Judge, Parties, Ruling
from engine.watch.groups import Groups, Told
from engine.watch.groups.naming import Unnamed, look
from engine.watch.history import History
from engine.watch.reader import Counts
from engine.watch.sampler import Counters, Sampler, Target

log = logging.getLogger(__name__)

LONG = 0.05  # seconds; after a tick that took longer the next one runs in a thread: no request waits for it
GROUPS_KEPT = 1000  # groups with a history: a busy one's takes up to 50 kB
FIRST_AGAIN, LAST_AGAIN = 1.0, 60.0  # seconds until those that no engine could name are asked for again
APART = 0.03  # seconds between snapshots for changes of state: a hundred starts at once are a few snapshots


class Watch:
    """Samples, history and snapshots of one instance; all its methods belong to the event loop's thread."""

    def __init__(self, group: Group, counters: Counters | None = None, interval: float = 1.0) -> None:
        self.history = History(interval)
        self._group = group
        self._sampler = Sampler(group, counters)
        self.group_history = History(interval)  # by Group.id, the first GROUPS_KEPT of the tree
        self.groups = Groups(group, self._sampler.budget, self._sampler.disks)  # of the whole host
        self._judge = Judge()
        self._parties = Parties({})
        self.ruled: Callable[[Ruling], None] = lambda ruling: None  # called when a verdict begins or ends
        self._interval = interval
        self._views: Callable[[], list[ContainerSummary]] = list
        self._undo: Callable[[], dict[str, int]] = dict
        self._host = HostSample(cores=0)
        self._new = set[str]()  # watched since the last tick
        self._samples = dict[str, Sample]()
        self._latest = self._make(0)
        self._published = 0.0  # loop time
        self._poked: asyncio.TimerHandle | None = None
        self._waiting = set[asyncio.Event]()
        self._task: asyncio.Task[None] | None = None
        self._naming: asyncio.Task[None] | None = None
        self._asked_for = set[str]()  # ids of others' containers
        self._name_after, self._name_again = FIRST_AGAIN, 0.0

    def start(self, views: Callable[[], list[ContainerSummary]], undo: Callable[[], dict[str, int]]) -> None:
        """Begin to tick; `views` and `undo` are asked for the state at every snapshot."""
        self._views, self._undo = views, undo
        self._host, _ = self._tick({})
        self._task = asyncio.create_task(self._run(), name="watch")

    async def close(self) -> None:
        """Stop; all subscriptions end."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._naming:
            self._naming.cancel()
        if self._poked:
            self._poked.cancel()
        for event in self._waiting:
            event.set()
        self._sampler.close()
        self.groups.close()

    def add(self, target: Target) -> None:
        """Watch a container's cgroup, from this moment on."""
        self._sampler.add(target)
        self._new.add(target.id)

    def remove(self, id: str) -> None:
        """Watch it no more; its history stays for as long as it is young enough."""
        self._sampler.remove(id)
        self._samples = {other: sample for other, sample in self._samples.items() if other != id}

    def poke(self) -> None:
        """The state of some container changed: publish it soon, with the samples of the last tick."""
        if self._poked is None and self._task is not None:
            loop = asyncio.get_running_loop()
            self._poked = loop.call_at(max(loop.time(), self._published + APART), self._publish)

    def totals(self) -> dict[str, Counts]:
        """What only grows, by container, as of the last tick."""
        return self._sampler.totals()

    def snapshot(self) -> Snapshot:
        """The state now, with the samples of the last tick."""
        return self._make(self._latest.seq)

    async def subscribe(self) -> AsyncGenerator[Snapshot]:
        """The snapshot of now, then each one published; who is slow gets the latest, not those between."""
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            yield self.snapshot()
            while self._task is not None:
                await news.wait()
                news.clear()
                if self._task is not None:
                    yield self._latest
        finally:
            self._waiting.discard(news)

    def group_snapshot(self) -> GroupSnapshot:
        """Every cgroup of the host, as of the last tick."""
        return self.groups.snapshot(self._interval)

    async def subscribe_groups(self) -> AsyncGenerator[GroupNews]:
        """Every cgroup of the host, then tick by tick what is different from what was told before."""
        news, told = asyncio.Event(), Told()
        self._waiting.add(news)
        try:
            yield told.news(self.group_snapshot())
            while self._task is not None:
                await news.wait()
                news.clear()
                if self._task is not None and told.seq != self.groups.seq:
                    yield told.news(self.group_snapshot())
        finally:
            self._waiting.discard(news)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due, took = loop.time(), 0.0
        while True:
            due = max(due + self._interval, loop.time())
            await asyncio.sleep(due - loop.time())
            began = loop.time()
            new, self._new = self._new, set()
            summaries = {summary.id: summary for summary in self._views()}
            try:
                if took > LONG:
                    host, samples = await asyncio.to_thread(self._tick, summaries)
                else:
                    host, samples = self._tick(summaries)
                # Rates over a small part of a tick are chance: a quota's period alone is 0.1 s.
                self._host = host
                self._samples = {id: sample for id, sample in samples.items() if id not in new}
                at = time.time()
                self.history.record(at, host, self._samples)
                self.group_history.record(at, host, dict(islice(self.groups.samples.items(), GROUPS_KEPT)))
                self._blame(summaries)
                self._publish()
                self._ask_names()
            except Exception:  # whatever one tick met, the next must come
                log.exception("sampling")
            took = loop.time() - began

    def _tick(self, summaries: Mapping[str, ContainerSummary]) -> tuple[HostSample, dict[str, Sample]]:
        host, samples = self._sampler.tick()
        self.groups.tick(host, samples, summaries)
        return host, samples

    def _blame(self, summaries: Mapping[str, ContainerSummary]) -> None:
        self._parties = parties = Parties(summaries, self.groups.groups, self._group.name)
        everybody = parties.samples(self._samples, self.groups.samples)
        for ruling in self._judge.tick(time.time(), self._interval, self._host, everybody, parties):
            self.ruled(ruling)

    def evidence(self, id: str, resource: Resource, also: Iterable[str] = ()) -> Evidence:
        """The last minute of one that stalls, a container or a cgroup, and of its suspects."""
        return self._judge.evidence(id, resource, self._parties, also)

    def _ask_names(self) -> None:
        """Have other engines asked for their containers' names, in a thread: they may not answer.

        The next look comes at once where new containers appeared, else ever later: some will never be named.
        """
        if self._naming and not self._naming.done():
            return
        now = asyncio.get_running_loop().time()
        unnamed = {one.ref: one for one in self.groups.unnamed()}
        if unnamed and (now >= self._name_again or not unnamed.keys() <= self._asked_for):
            self._name_after = FIRST_AGAIN if unnamed.keys() - self._asked_for else self._name_after * 2
            self._name_again = now + min(self._name_after, LAST_AGAIN)
            self._asked_for = set(unnamed)
            self._naming = asyncio.create_task(self._name(list(unnamed.values())), name="names")

    async def _name(self, unnamed: list[Unnamed]) -> None:
        self.groups.name(await asyncio.to_thread(look, unnamed))

    def _publish(self) -> None:
        if self._poked:
            self._poked.cancel()
            self._poked = None
        self._published = asyncio.get_running_loop().time()
        self._latest = self._make(self._latest.seq + 1)
        for event in self._waiting:
            event.set()

    def _make(self, seq: int) -> Snapshot:
        return Snapshot(
            seq=seq,
            at=time.time(),
            interval=self._interval,
            host=self._host,
            containers=self._views(),
            samples=self._samples,
            undo=self._undo(),
            verdicts=self._judge.verdicts,
        )
