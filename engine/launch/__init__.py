"""Starting containers and the programs in them: launcher, monitor, init, and the engine's handles on them.

What the engine uses is imported at first use, because the launcher, which loads this package too, must not
load asyncio and msgspec.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.launch.plan import ExecPlan, LaunchPlan, MonitorRecord, Overlay, Restart
    from engine.launch.supervisor import Attachment, Launcher, Monitor

_HOMES = {
    "ExecPlan": "plan",
    "LaunchPlan": "plan",
    "MonitorRecord": "plan",
    "Overlay": "plan",
    "Restart": "plan",
    "Attachment": "supervisor",
    "Launcher": "supervisor",
    "Monitor": "supervisor",
}
__all__ = [
    "Attachment",
    "ExecPlan",
    "LaunchPlan",
    "Launcher",
    "Monitor",
    "MonitorRecord",
    "Overlay",
    "Restart",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
