"""Changing limits, live or for the next start; every change can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from engine.cgroups import Cgroup, restoring
from engine.containers.container import Container
from engine.containers.record import UNDO_DEPTH
from engine.errors import Conflict
from engine.model import LimitReading, Limits, LimitsApplied, LimitsChange


def update(container: Container, change: LimitsChange) -> LimitsApplied:
    """Apply a change and remember what was before it. Nothing is changed where any part of it is refused."""
    with _cgroup(container) as cgroup:
        applied = cgroup.apply(change)
    undo = container.record.undo
    if applied.before != applied.after:
        undo = [*undo, applied.before][-UNDO_DEPTH:]
    return _keep(container, applied, undo)


def undo(container: Container) -> LimitsApplied:
    """Put back the limits from before the latest change. Raises Conflict where there is none."""
    if not container.record.undo:
        raise Conflict(f"no change of {container.name}'s limits is left to undo")
    *earlier, wanted = container.record.undo
    with _cgroup(container) as cgroup:
        applied = cgroup.apply(restoring(wanted, cgroup.limits()))
    return _keep(container, applied, earlier)


def readings(container: Container) -> list[LimitReading]:
    """Every limit as the kernel holds it, or would hold it if the container were started now."""
    with _cgroup(container) as cgroup:
        return cgroup.readings()


@contextmanager
def _cgroup(container: Container) -> Iterator[Cgroup]:
    """The container's cgroup; or one for the moment where it does not run, so that the kernel is asked."""
    cgroup = container.cgroup
    if container.alive:
        yield cgroup
        return
    cgroup.create()
    try:
        cgroup.begin(container.record.config.limits)
        yield cgroup
    finally:
        cgroup.remove()


def _keep(container: Container, applied: LimitsApplied, undo: list[Limits]) -> LimitsApplied:
    config = msgspec.structs.replace(container.record.config, limits=applied.after)
    container.change(config=config, undo=undo)
    return msgspec.structs.replace(applied, undo_left=len(undo))
