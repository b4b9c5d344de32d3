"""What is not done to a cgroup whoever consents: it would stop the machine, tiffin, or the one who asks."""

from __future__ import annotations

import os
from collections.abc import Iterable

from engine.errors import BadRequest, Conflict, NotPermitted
from engine.foreign.caller import Caller, cgroup_of
from engine.foreign.other import Other
from engine.model import Group

VITAL = {
    "systemd-journald.service": "everything that logs would wait for it",
    "dbus.service": "logins and services would wait for it",
    "dbus-broker.service": "logins and services would wait for it",
    "systemd-logind.service": "logins would wait for it",
    "elogind": "logins would wait for it",
    "systemd-udevd.service": "devices would wait for it",
    "init.scope": "it is the machine's init",
}
"""Cgroups that others cannot do without even for a second, by the last part of the path."""

TOUCH = "choose one of the cgroups below it"


def consented(group: Group, consent: str) -> None:
    """Raise BadRequest unless the consent names exactly this cgroup."""
    if consent not in (group.path, group.id):
        whose = f", {group.engine}'s {group.name}," if group.engine else ""
        raise BadRequest(
            f"{group.path}{whose} is not tiffin's: changing it takes a consent that names it",
            f"give its path again as the consent: {group.path}",
        )


def any_act(group: Group) -> None:
    """What holds for limits and freezing alike."""
    if group.kind == "root":
        raise NotPermitted("the root cgroup is the whole machine", TOUCH)
    if group.own and group.kind == "container":
        raise Conflict(
            f"{group.name} is a container of this tiffin",
            f"use its own verbs: tiffin update {group.name}, tiffin pause {group.name}",
        )
    if group.own:
        raise NotPermitted(f"{group.path} is tiffin's own", "change its containers, with tiffin update")
    if group.path == "/init.scope":
        raise NotPermitted("/init.scope is the machine's init", "choose another cgroup")


def freezing(group: Group, cgroup: Other, caller: Caller, groups: Iterable[Group]) -> None:
    """What must not stand still."""
    for other in groups:
        last = other.path.rpartition("/")[2]
        if last in VITAL and within(other.path, group.path) and not other.inside:
            raise NotPermitted(f"freezing {group.path} would stop {last}: {VITAL[last]}", TOUCH)
    freezer = cgroup.hierarchy.freezer(cgroup.path)
    controller = "freezer" if freezer and freezer.version == 1 else ""
    mine = [(os.getpid(), "tiffin's engine"), (1, "the machine's init")]
    mine += [(pid, f"your own {name}, process {pid},") for pid, name in caller.lineage()]
    for pid, who in mine:
        if within(cgroup_of(pid, controller), cgroup.path):
            raise NotPermitted(
                f"freezing {group.path}: {who} is in it", "choose a cgroup that is not around you"
            )


def within(path: str, outer: str) -> bool:
    """Whether one path is another or below it; the root is neither."""
    return bool(outer) and (path == outer or path.startswith(f"{outer}/"))
