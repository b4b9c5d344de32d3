"""Every cgroup of the host, and acting on those that are not tiffin's."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.client.calls import Calls
from engine.model import (
    JSON,
    Group,
    GroupApplied,
    GroupChange,
    GroupNews,
    GroupSnapshot,
    LimitReading,
    LimitsChange,
    Process,
    PutBack,
    Sample,
)


class GroupCalls(Calls):
    """The host's tree; see EngineClient. A `ref` is an id ("cgroup:/system.slice/ssh.service"), a path, or a name
    that only one has; `consent` is the path again, for whatever changes something that is not tiffin's.
    """

    def groups(self) -> GroupSnapshot:
        """Every cgroup with its sample of the last tick."""
        return self._get("/tiffin/groups", GroupSnapshot)

    def groups_live(self) -> Iterator[GroupSnapshot]:
        """The tree now, then once a tick; a slow reader misses some. Only what differs is sent."""
        return _whole(self._lines("/tiffin/groups/live", GroupNews))

    def group(self, ref: str) -> Group:
        """One cgroup."""
        return self._get("/tiffin/groups/one", Group, {"id": ref})

    def group_top(self, ref: str) -> list[Process]:
        """The processes in a cgroup and below it."""
        return self._get("/tiffin/groups/top", list[Process], {"id": ref})

    def group_limits(self, ref: str) -> list[LimitReading]:
        """Every limit as the kernel holds it; one that cannot be set there says why."""
        return self._get("/tiffin/groups/limits", list[LimitReading], {"id": ref})

    def group_update(self, ref: str, change: LimitsChange, consent: str) -> GroupApplied:
        """Change its limits; read back, recorded, and put back on request."""
        asked = {"id": ref, "consent": consent, "limits": change}
        return self._group_act("limits", asked, "PATCH")

    def group_freeze(self, ref: str, consent: str) -> GroupApplied:
        """Stop every process in it and below it."""
        return self._group_act("freeze", {"id": ref, "consent": consent})

    def group_thaw(self, ref: str, consent: str) -> GroupApplied:
        """Let them go on."""
        return self._group_act("thaw", {"id": ref, "consent": consent})

    def group_undo(self, ref: str) -> GroupApplied:
        """Take back the last thing that tiffin did to it."""
        return self._group_act("undo", {"id": ref})

    def group_changes(self) -> list[GroupChange]:
        """What tiffin changed of others' cgroups and has not put back."""
        return self._get("/tiffin/groups/changes", list[GroupChange])

    def group_put_back(self, ref: str = "") -> list[PutBack]:
        """Put one of them, or all, back as it was."""
        return self._send(
            "POST", "/tiffin/groups/put-back", list[PutBack], body=msgspec.json.encode({"id": ref})
        )

    def _group_act(self, verb: str, asked: JSON, method: str = "POST") -> GroupApplied:
        return self._send(method, f"/tiffin/groups/{verb}", GroupApplied, body=msgspec.json.encode(asked))


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
