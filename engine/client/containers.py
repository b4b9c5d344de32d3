"""A container's life, its limits, its output, and looking into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from engine.client.calls import Calls, Created, Filters, container_path, decoded, filtered, tiffin_path
from engine.client.http import Query
from engine.model import (
    JSON,
    Change,
    ContainerConfig,
    ContainerSummary,
    ExitStatus,
    LimitReading,
    LimitsApplied,
    LimitsChange,
    LogExtent,
    LogLine,
    Process,
    RestartPolicy,
)


class ContainerCalls(Calls):
    """The verbs of containers; see EngineClient."""

    def create(self, config: ContainerConfig, name: str = "") -> str:
        """Make a container without starting it; its id. An empty name is chosen by the engine."""
        return self._create("/containers/create", config, name)

    def run(self, config: ContainerConfig, name: str = "") -> str:
        """Create and start in one request; its id. One that cannot start stays, unless `auto_remove`."""
        return self._create("/tiffin/run", config, name)

    def start(self, ref: str) -> None:
        """Start a container that does not run."""
        self._do("POST", container_path(ref, "start"))

    def stop(self, ref: str, grace: float | None = None) -> None:
        """Send its stop signal, SIGKILL after `grace` seconds (None: its own setting); waits for the end."""
        self._do("POST", container_path(ref, "stop"), {"t": grace})

    def restart(self, ref: str, grace: float | None = None) -> None:
        """Stop and start again."""
        self._do("POST", container_path(ref, "restart"), {"t": grace})

    def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        """Send a signal to its first process."""
        self._do("POST", container_path(ref, "kill"), {"signal": signal})

    def pause(self, ref: str) -> None:
        """Freeze all its processes."""
        self._do("POST", container_path(ref, "pause"))

    def unpause(self, ref: str) -> None:
        """Let them run on."""
        self._do("POST", container_path(ref, "unpause"))

    def wait(self, ref: str, condition: str = "not-running") -> ExitStatus:
        """Block until it is "not-running", until the "next-exit", or until it is "removed"."""
        return self.waiting(ref, condition)()

    def waiting(self, ref: str, condition: str = "not-running") -> Callable[[], ExitStatus]:
        """Begin to wait; the returned function blocks as `wait` does, missing nothing in between."""
        response = self._request("POST", container_path(ref, "wait"), {"condition": condition})

        def ended() -> ExitStatus:
            with response:
                return decoded(response.read(), _Waited).status

        return ended

    def remove(self, ref: str, force: bool = False, volumes: bool = False) -> None:
        """Remove a container; with `force` a running one too, with `volumes` also its anonymous volumes."""
        self._do("DELETE", container_path(ref), {"force": force, "v": volumes})

    def rename(self, ref: str, name: str) -> None:
        """Give it another name."""
        self._do("POST", container_path(ref, "rename"), {"name": name})

    def containers(self, all: bool = True, filters: Filters | None = None) -> list[ContainerSummary]:
        """All containers, or the running ones; filters are Docker's (status, name, label, id, …)."""
        return self._get(
            "/tiffin/containers", list[ContainerSummary], {"all": all, "filters": filtered(filters)}
        )

    def inspect(self, ref: str) -> JSON:
        """Everything about one container in Docker's shape, and under "Tiffin" what that cannot say."""
        return self._get(container_path(ref, "json"), JSON)

    def top(self, ref: str) -> list[Process]:
        """Its processes."""
        return self._get(tiffin_path(ref, "top"), list[Process])

    def diff(self, ref: str) -> list[Change]:
        """What it changed in its root."""
        return self._get(tiffin_path(ref, "changes"), list[Change])

    # ── limits ───────────────────────────────────────────────────────────────────────────────────────────────

    def limits(self, ref: str) -> list[LimitReading]:
        """Its limits as the kernel holds them now."""
        return self._get(tiffin_path(ref, "limits"), list[LimitReading])

    def update(self, ref: str, change: LimitsChange, restart: RestartPolicy | None = None) -> LimitsApplied:
        """Change limits and restart policy of a container that may be running; all of it or nothing."""
        body = msgspec.json.encode({"limits": change, "restart": restart})
        return self._send("PATCH", tiffin_path(ref, "limits"), LimitsApplied, body=body)

    def undo(self, ref: str) -> LimitsApplied:
        """Take back the last change of limits; raises Conflict where there is none."""
        return self._send("POST", tiffin_path(ref, "limits/undo"), LimitsApplied)

    # ── output ───────────────────────────────────────────────────────────────────────────────────────────────

    def logs(
        self, ref: str, *, follow: bool = False, since: float = 0, until: float = 0, tail: int | None = None
    ) -> Iterator[LogLine]:
        """Its output line by line, oldest first; with `follow` until it has ended. Times are Unix seconds."""
        query: Query = {"follow": follow, "since": since or None, "until": until or None, "tail": tail}
        return self._lines(tiffin_path(ref, "lines"), LogLine, query)

    def log_extent(self, ref: str) -> LogExtent:
        """How far its log reaches."""
        with self._request("GET", tiffin_path(ref, "log"), {"offset": 0, "size": 0}) as response:
            headers = response.headers
            return LogExtent(first=int(headers["tiffin-log-first"]), end=int(headers["tiffin-log-end"]))

    def log_read(self, ref: str, offset: int, size: int) -> bytes:
        """Raw records of its log (CRI format) from `offset`, which must not be below the extent's first.

        May be shorter than `size`, and is empty at the end.
        """
        with self._request("GET", tiffin_path(ref, "log"), {"offset": offset, "size": size}) as response:
            return response.read()

    def _create(self, path: str, config: ContainerConfig, name: str) -> str:
        from engine.docker.config import to_docker

        return self._send("POST", path, Created, {"name": name}, msgspec.json.encode(to_docker(config))).id


class _Waited(msgspec.Struct):
    status: ExitStatus = msgspec.field(name="Tiffin")
