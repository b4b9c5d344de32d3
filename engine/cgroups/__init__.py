"""cgroup v1, v2 and hybrid hierarchies behind one face: place, limit, freeze, kill, remove."""

from engine.cgroups.cgroup import Cgroup
from engine.cgroups.group import Group
from engine.cgroups.hierarchy import Hierarchy, detect
from engine.cgroups.limits import describe, restoring, setting

__all__ = ["Cgroup", "Group", "Hierarchy", "describe", "detect", "restoring", "setting"]
