"""The monitor of a further program in a running container: no log, no restart."""

from __future__ import annotations

import errno
import os

from engine.kernel import pidfd, syscalls
from engine.launch import child, joiner, wire
from engine.launch.monitor import Monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Execution(Monitor):
    """Monitors the program that an exec plan describes."""

    def __init__(self, plan: dict[str, Any], boot_id: str, first: wire.Line) -> None:
        super().__init__(plan | {"stop_signal": 15, "stop_grace": 10.0}, boot_id, first)
        self._target = -1

    def spawn(self) -> child.Child:
        """Clone a child into the container's PID namespace; it joins the other namespaces itself."""
        plan = self.plan
        try:
            self._target = pidfd.open_pid(plan["pid"])
            if pidfd.start_time(plan["pid"]) != plan["pid_start"]:
                raise ProcessLookupError(errno.ESRCH, "its pid belongs to another process")
            syscalls.setns(self._target, syscalls.CLONE_NEWPID)
            started = child.spawn(0, plan["cgroups"], lambda channel: joiner.run(plan, self._target, channel))
        except OSError as error:
            if error.errno in (
                errno.ESRCH,
                errno.ENOMEM,
            ):  # clone says ENOMEM where the namespace's init has ended
                raise OSError(errno.ESRCH, "the container does not run") from error
            raise
        os.close(self._target)
        return started

    def exited(self, code: int) -> None:
        """Record the end."""
        error = ""
        if self.error:
            error, code = self.error
        self.end(exit_code=code, error=error)
