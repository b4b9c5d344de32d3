"""Who there is to blame: containers, and every other cgroup of the host."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model import GROUP_PREFIX, GROUP_ROOT, REST, ContainerSummary, Group, Limits, Sample

NONE = Limits()


class Parties:
    """Names, limits and places of all that are watched, each by one id.

    This engine's own containers go by their container ids, not by those of their cgroups.
    """

    def __init__(
        self, containers: Mapping[str, ContainerSummary], groups: Mapping[str, Group] = {}, instance: str = ""
    ) -> None:
        self._containers = containers
        self._groups = groups
        self._instance = instance

    def name(self, id: str) -> str:
        """As a person calls it."""
        if id in self._containers:
            return self._containers[id].name
        if id == REST:
            return "work outside all cgroups"
        group = self._groups.get(id)
        return (group and group.name) or id.rpartition("/")[2] or id

    def limits(self, id: str) -> Limits:
        """What is known of its limits."""
        if id in self._containers:
            return self._containers[id].limits
        group = self._groups.get(id)
        return Limits(cpus=group.cpus, cpu_idle=group.idle) if group else NONE

    def parent_of(self, id: str) -> str:
        """The id of the cgroup it lies in; empty for the root, which is the machine."""
        if id in self._containers:
            id = f"{GROUP_PREFIX}/{self._instance}/{id}"
        group = self._groups.get(id)
        parent = group.parent if group else ""
        return "" if parent == GROUP_ROOT else parent

    def samples(self, own: Mapping[str, Sample], others: Mapping[str, Sample]) -> dict[str, Sample]:
        """Everybody's samples, each once: without the machine's own and the containers' as cgroups."""
        found = dict(own)
        for id, sample in others.items():
            group = self._groups.get(id)
            if group is not None and id != GROUP_ROOT and not (group.own and group.ref):
                found[id] = sample
        return found
