"""The monitor of a container's first program: its log, its network namespace, OOM kills, restarts."""

from __future__ import annotations

import os
import time

from engine.launch import child, init, wire
from engine.launch.clients import Client, CommandError
from engine.launch.logwriter import LogWriter
from engine.launch.monitor import Monitor
from engine.launch.stdio import STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 60.0  # seconds, as Docker
HEALTHY = 10.0  # seconds of running after which the back-off begins anew
SIGKILL = 9


class Container(Monitor):
    """Monitors the container whose bundle and launch.json are in `folder`."""

    def __init__(self, folder: str, boot_id: str, first: wire.Line) -> None:
        super().__init__(wire.load(f"{folder}/launch.json"), boot_id, first)
        self.own_network = self.plan["own_network"]
        self._folder = folder
        self._log: LogWriter | None = None
        self._oom_kills = 0
        self._stopping = False
        self._backoff = FIRST_BACKOFF

    def start(self) -> None:
        """Start init. It inherits the monitor's network namespace, the same one at every restart."""
        if self.own_network and self.netns < 0:
            self.netns = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._oom_kills = self._count_oom_kills()
        super().start()
        if self.plan["auto_start"]:
            self.release()

    def spawn(self) -> child.Child:
        """Clone init, in the v2 cgroup from the first; it joins v1 ones itself."""
        plan = self.plan
        return child.spawn(init.NAMESPACES, plan["cgroups"], lambda line: init.run(self._folder, plan, line))

    def output(self, stream: bytes, data: bytes) -> None:
        """Log output and pass it on."""
        if not self._log:
            plan = self.plan
            self._log = LogWriter(plan["log_dir"], plan["log_max_size"], plan["log_max_files"])
        self._log.append("stdout" if stream == STDOUT else "stderr", data)
        super().output(stream, data)

    def exited(self, code: int) -> None:
        """Record the end, and start again after a while where the policy says so."""
        fields = self.record.fields
        now = time.time()
        restarts = fields["restart_count"]
        changes: dict[str, Any] = {
            "pid": 0,
            "pid_start": 0,
            "finished_at": now,
            "exit_code": code,
            "error": "",
        }
        if self.aborted is not None:
            self.end(**changes | {"status": "created", "exit_code": None, "error": self.aborted})
            return
        if self._count_oom_kills() > self._oom_kills:
            changes |= {"oom_killed": True, "oom_limit": self._memory_limit()}
        if self.error:
            changes["error"], changes["exit_code"] = self.error
        first_failed = self.error and not fields["started_at"]
        if first_failed or self._stopping or not self._wants_restart(changes["exit_code"], restarts):
            self.end(**changes)
            return
        if not self.error and now - fields["started_at"] >= HEALTHY:
            self._backoff = FIRST_BACKOFF
        self.changed(durable=True, **changes, status="restarting")
        self.loop.after("restart", self._backoff, self._restart)
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)

    def do_stop(self, client: Client, signal: int | None = None, grace: float | None = None) -> None:
        """Stop for good: a stopped program is not started again."""
        self._stopping = True
        if self.pidfd >= 0:
            super().do_stop(client, signal, grace)
        else:
            self.end()

    def do_kill(self, client: Client, signal: int) -> None:
        """Send a signal; one that is meant to end the program also ends its restarts, as Docker's."""
        if signal in (SIGKILL, self.plan["stop_signal"]):
            self._stopping = True
        super().do_kill(client, signal)

    def do_policy(self, _client: Client, name: str, max_retries: int = 0) -> None:
        """Change the restart policy from now on."""
        if name not in ("no", "on-failure", "always", "unless-stopped"):
            raise CommandError(f"there is no restart policy {name!r}")
        self.plan["restart"] = {"name": name, "max_retries": max_retries}

    def _wants_restart(self, code: int, restarts: int) -> bool:
        policy = self.plan["restart"]
        if policy["name"] == "on-failure":
            return code != 0 and (not policy["max_retries"] or restarts < policy["max_retries"])
        return policy["name"] in ("always", "unless-stopped")

    def _restart(self) -> None:
        restarts = self.record.fields["restart_count"] + 1
        try:
            self.start()
        except OSError as error:
            self.end(error=f"starting it again: {error}", restart_count=restarts)
            return
        self.changed(
            status="created", restart_count=restarts, exit_code=None, oom_killed=False, oom_limit=None
        )
        self.release()

    def _count_oom_kills(self) -> int:
        count = 0
        for path in self.plan["oom_files"]:
            try:
                lines = wire.read(path).splitlines()
            except OSError:  # a kernel without the file, or the cgroup is gone
                continue
            count += sum(int(line[9:]) for line in lines if line.startswith(b"oom_kill "))
        return count

    def _memory_limit(self) -> int | None:
        try:
            limit = int(wire.read(self.plan["memory_limit_file"]))
        except (OSError, ValueError):  # none given, or "max"
            return None
        return limit if limit < 1 << 62 else None  # v1 writes "none" as a huge number
