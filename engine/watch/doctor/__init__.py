"""The doctor: what this host has, what is missing, what that costs, and how to mend it.

Findings are tried out rather than concluded from versions wherever a trial leaves nothing behind. It needs
neither root nor a running engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from engine.cgroups import detect
from engine.errors import Unsupported
from engine.instance import Instance
from engine.model import Check, DoctorReport
from engine.watch.doctor import control, groups, kernel, privileges, storage


def doctor(instance: Instance, extra: Iterable[Check] = ()) -> DoctorReport:
    """All findings, with those of other rooms in `extra` after this room's. Blocks for some tens of ms."""
    checks = [*kernel.checks(), *privileges.checks()]
    try:
        hierarchy = detect()
    except Unsupported as error:
        mode = ""
        checks.append(control.no_hierarchy(error))
    else:
        mode = hierarchy.mode
        checks += control.checks(hierarchy)
        checks += groups.checks(hierarchy)
    checks += storage.checks(instance)
    return DoctorReport(
        kernel=os.uname().release, cgroup_mode=mode, root=os.geteuid() == 0, checks=[*checks, *extra]
    )
