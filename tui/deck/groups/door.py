"""The engine as a screen about one container sees it, answering about a cgroup instead."""

from __future__ import annotations

from engine.client import EngineClient
from engine.model import LimitReading, LimitsApplied, LimitsChange, RestartPolicy
from tui.deck.engine_link import EngineLink, Link


class GroupClient(EngineClient):
    """Limits by Group.id. Whoever calls `update` has asked for consent."""

    def limits(self, ref: str) -> list[LimitReading]:
        """See EngineClient."""
        return self.group_limits(ref)

    def update(self, ref: str, change: LimitsChange, restart: RestartPolicy | None = None) -> LimitsApplied:
        """See EngineClient."""
        done = self.group_update(ref, change, consent=self.group(ref).path)
        return LimitsApplied(
            before=done.before, after=done.after, readings=done.readings, undo_left=done.undo_left
        )

    def undo(self, ref: str) -> LimitsApplied:
        """See EngineClient."""
        done = self.group_undo(ref)
        return LimitsApplied(
            before=done.before, after=done.after, readings=done.readings, undo_left=done.undo_left
        )


def door(link: Link) -> Link:
    """A line to the same engine, about cgroups."""
    other = EngineLink(link.client.instance)
    other.client = GroupClient(link.client.instance)
    return other
