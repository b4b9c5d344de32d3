"""Every cgroup of the host."""

from __future__ import annotations

from collections.abc import Iterator

from engine.client.calls import Calls
from engine.model import Group, GroupNews, GroupSnapshot, Sample


class GroupCalls(Calls):
    """The host's tree; see EngineClient. A group goes by its id, "cgroup:/system.slice/ssh.service"."""

    def groups(self) -> GroupSnapshot:
        """Every cgroup with its sample of the last tick."""
        return self._get("/tiffin/groups", GroupSnapshot)

    def groups_live(self) -> Iterator[GroupSnapshot]:
        """The tree now, then once a tick; a slow reader misses some. Only what differs is sent."""
        return _whole(self._lines("/tiffin/groups/live", GroupNews))


def _whole(news: Iterator[GroupNews]) -> Iterator[GroupSnapshot]:
    groups, samples = dict[str, Group](), dict[str, Sample]()
    for new in news:
        for id in new.gone:
            groups.pop(id, None)
            samples.pop(id, None)
        groups.update((group.id, group) for group in new.groups)
        for id, sample in new.samples.items():
            if sample is None:
                samples.pop(id, None)
            else:
                samples[id] = sample
        yield GroupSnapshot(
            seq=new.seq,
            at=new.at,
            interval=new.interval,
            groups=list(groups.values()),
            samples=dict(samples),
            omitted=new.omitted,
        )
