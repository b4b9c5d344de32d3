"""Whom a remedy is for: a container of tiffin's, or a cgroup that is not, which asks first."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec
from msgspec import UNSET

from engine.client import EngineClient
from engine.model import ContainerSummary, Group, IoLimit, Limits, LimitsChange, Sample
from tui.deck.actions import changes
from tui.deck.groups import consent
from tui.deck.suspects.remedies import Remedy
from tui.presentation.text import harmless_lines


class Done(NamedTuple):
    """What was done, how it is undone, and who else has a say in it."""

    id: str
    said: str
    undo: Callable[[], object]
    after: Limits | None = None  # of a container
    note: str = ""


class Target(Protocol):
    """One suspect, as far as it can be acted upon."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def confirm(self) -> str: ...

    @property
    def limits(self) -> Limits: ...

    @property
    def sample(self) -> Sample: ...

    def allows(self, remedy: Remedy) -> bool:
        """Whether its controllers have it."""

    def question(self, remedy: Remedy) -> str:
        """What is asked first; nothing where nobody has to be."""

    def proving(self, then: str) -> str:
        """What is asked before a proof."""

    def act(self, client: EngineClient, remedy: Remedy) -> Done:
        """Do it; waits for the engine."""


class Own(msgspec.Struct, frozen=True):
    """A container of this engine's."""

    container: ContainerSummary
    sample: Sample
    confirm: str = ""  # a proof needs none

    @property
    def id(self) -> str:
        """Its container's."""
        return self.container.id

    @property
    def name(self) -> str:
        """Its container's."""
        return self.container.name

    @property
    def limits(self) -> Limits:
        """As the deck knows them."""
        return self.container.limits

    def allows(self, remedy: Remedy) -> bool:
        """See Target; what its host lacks the engine says."""
        return True

    def question(self, remedy: Remedy) -> str:
        """See Target."""
        return ""

    def proving(self, then: str) -> str:
        """See Target."""
        return harmless_lines(f"Prove that it is {self.name}?\n{then}")

    def act(self, client: EngineClient, remedy: Remedy) -> Done:
        """See Target."""
        id, name = self.id, self.name
        if remedy.change is not None:
            return self.change(client, remedy.change)
        client.pause(id)
        return Done(id, f"{name} paused", lambda: client.unpause(id))

    def change(self, client: EngineClient, change: LimitsChange) -> Done:
        """Change its limits."""
        id, applied = self.id, client.update(self.id, change)
        said = f"{self.name}: {changes(applied)}"
        return Done(id, said, lambda: client.undo(id), applied.after)


class Theirs(msgspec.Struct, frozen=True):
    """A cgroup of the host, as it was when it was looked at."""

    group: Group
    sample: Sample
    has: frozenset[str]  # the limits that can be set there
    idle: bool = False
    throttled: str = ""  # a device that its IO is limited on

    @property
    def id(self) -> str:
        """Its cgroup's."""
        return self.group.id

    @property
    def name(self) -> str:
        """Its cgroup's."""
        return self.group.name or self.group.path

    @property
    def confirm(self) -> str:
        """What a proof takes as consent."""
        return self.name

    @property
    def limits(self) -> Limits:
        """Those that a remedy depends on."""
        io = {self.throttled: IoLimit()} if self.throttled else {}
        return Limits(cpus=self.group.cpus, cpu_idle=self.idle, io=io)

    def allows(self, remedy: Remedy) -> bool:
        """See Target."""
        change = remedy.change
        return change is None or all(
            name in self.has for name in change.__struct_fields__ if getattr(change, name) is not UNSET
        )

    def question(self, remedy: Remedy) -> str:
        """See Target; it names the cgroup and whose it is."""
        if remedy.change is None:
            return consent.freezing(self.group)
        return consent.changing(self.group, f"{remedy.name}: {remedy.does}. ")

    def proving(self, then: str) -> str:
        """See Target."""
        return consent.question("Prove that it is", self.group, then)

    def act(self, client: EngineClient, remedy: Remedy) -> Done:
        """See Target. Whoever calls it has asked."""
        id, path, change = self.id, self.group.path, remedy.change
        done = client.group_update(id, change, path) if change else client.group_freeze(id, path)
        return Done(id, consent.said(done), lambda: client.group_undo(id), note=done.note)


def look(client: EngineClient, id: str) -> Theirs:
    """A cgroup of the host, and what can be set there; waits for the engine."""
    group, readings = client.group(id), client.group_limits(id)
    return Theirs(
        group=group,
        sample=client.groups().samples.get(id, Sample()),
        has=frozenset(reading.name for reading in readings if reading.supported),
        idle=any(reading.name == "cpu_idle" and reading.value is True for reading in readings),
        throttled=next((reading.device for reading in readings if reading.device), ""),
    )
