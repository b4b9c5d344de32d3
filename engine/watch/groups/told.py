"""What one reader of the live tree was told, so that it is only sent what differs."""

from __future__ import annotations

from engine.model import Group, GroupNews, GroupSnapshot, Sample


class Told:
    """The last snapshot that one reader has."""

    def __init__(self) -> None:
        self.seq = -1
        self._groups = dict[str, Group]()
        self._samples = dict[str, Sample]()

    def news(self, now: GroupSnapshot) -> GroupNews:
        """What leads from there to `now`, which counts as told; what is the same is the same object."""
        groups = {group.id: group for group in now.groups}
        samples: dict[str, Sample | None] = {
            id: sample for id, sample in now.samples.items() if self._samples.get(id) is not sample
        }
        samples.update((id, None) for id in self._samples if id not in now.samples and id in groups)
        news = GroupNews(
            seq=now.seq,
            at=now.at,
            interval=now.interval,
            groups=[group for id, group in groups.items() if self._groups.get(id) is not group],
            samples=samples,
            gone=[id for id in self._groups if id not in groups],
            omitted=now.omitted,
        )
        self.seq, self._groups, self._samples = now.seq, groups, now.samples
        return news
