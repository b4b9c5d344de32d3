"""What cannot be told of a cgroup, and why not."""

from __future__ import annotations

from engine.cgroups import Hierarchy
from engine.cgroups.hierarchy import CONTROLLERS

MEASURES = {"cpu": "throttled", "memory": "memory", "io": "io", "pids": "pids"}
"""What each controller measures; CPU time and pressure the v2 tree tells without one."""


def absent(host: Hierarchy, here: Hierarchy) -> dict[str, str]:
    """By measure, of a cgroup that is only in the hierarchies of `here`, and has the v2 controllers in it."""
    why = dict[str, str]()
    if not (here.unified or "cpuacct" in here.v1):
        why["cpu"] = "it is in no hierarchy that counts CPU time"
    if not here.unified:
        why["pressure"] = "it is not in the v2 tree" if host.unified else "this host has no v2 tree"
    for name in CONTROLLERS:
        if name in MEASURES and here.version(name) is None:
            why[MEASURES[name]] = missing(host, name)
    return why


def missing(host: Hierarchy, controller: str) -> str:
    """Why a cgroup has not a controller."""
    match host.version(controller):
        case 2:
            return f"the {controller} controller is not enabled for it"
        case 1:
            return f"it is not in the {controller} hierarchy: what it does counts for its parent there"
    return f"this host has no {controller} controller"
