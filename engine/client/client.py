"""The engine's verbs as methods; one connection a call, so that any thread may call at any time."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import quote

import msgspec

from engine.client.calls import Calls, decoded, part, pieces
from engine.client.http import CHUNK, Query, connect, peer
from engine.client.stream import Stream
from engine.errors import BadRequest, EngineUnavailable, NotFound, TiffinError
from engine.instance import Instance
from engine.model import (
    JSON,
    Change,
    ContainerConfig,
    ContainerSummary,
    DoctorReport,
    EngineStatus,
    Event,
    ExecConfig,
    ExitStatus,
    History,
    ImageRemoval,
    ImageSummary,
    LimitReading,
    LimitsApplied,
    LimitsChange,
    LogExtent,
    LogLine,
    NetworkSummary,
    Process,
    RestartPolicy,
    Snapshot,
    VolumeSummary,
)

T = TypeVar("T")
Filters = dict[str, list[str]]


class EngineClient(Calls):
    """All that a front end can ask of one instance's engine.

    Every method raises the engine's own error (see engine.errors), and EngineUnavailable when no engine
    answers. `ref` is a container's id, the unique beginning of one, or its name. Iterators hold a connection:
    close them, or drop them, to end it.
    """

    @classmethod
    def connect(cls, instance: Instance, start: bool = True) -> EngineClient:
        """A client of an engine that answers; with `start` one is started in the background if none does."""
        try:
            connect(instance.socket).close()
            return cls(instance)
        except EngineUnavailable:
            if not start:
                raise
        from engine.client import autostart  # costs an import that most calls do not need

        autostart.start(instance)
        return cls(instance)

    # ── the engine ──────────────────────────────────────────────────────────────────────────────────────────

    def status(self) -> EngineStatus:
        """Version, socket, processes and what they cost."""
        return self._get("/tiffin/status", EngineStatus)

    def shutdown(self) -> None:
        """End the engine and return when its process has ended; containers go on."""
        with connect(self.instance.socket) as connection:
            process = os.pidfd_open(peer(connection))
        try:
            self._do("POST", "/tiffin/shutdown")
            select.select([process], [], [])
        finally:
            os.close(process)

    def doctor(self) -> DoctorReport:
        """What this host has and lacks."""
        return self._get("/tiffin/doctor", DoctorReport)

    # ── containers ──────────────────────────────────────────────────────────────────────────────────────────

    def create(self, config: ContainerConfig, name: str = "") -> str:
        """Make a container without starting it; its id. An empty name is chosen by the engine."""
        return self._create("/containers/create", config, name)

    def run(self, config: ContainerConfig, name: str = "") -> str:
        """Create and start in one request; its id. One that cannot start stays, unless `auto_remove`."""
        return self._create("/tiffin/run", config, name)

    def start(self, ref: str) -> None:
        """Start a container that does not run."""
        self._do("POST", _container(ref, "start"))

    def stop(self, ref: str, grace: float | None = None) -> None:
        """Send its stop signal, SIGKILL after `grace` seconds (None: its own setting); waits for the end."""
        self._do("POST", _container(ref, "stop"), {"t": grace})

    def restart(self, ref: str, grace: float | None = None) -> None:
        """Stop and start again."""
        self._do("POST", _container(ref, "restart"), {"t": grace})

    def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        """Send a signal to its first process."""
        self._do("POST", _container(ref, "kill"), {"signal": signal})

    def pause(self, ref: str) -> None:
        """Freeze all its processes."""
        self._do("POST", _container(ref, "pause"))

    def unpause(self, ref: str) -> None:
        """Let them run on."""
        self._do("POST", _container(ref, "unpause"))

    def wait(self, ref: str, condition: str = "not-running") -> ExitStatus:
        """Block until it is "not-running", until the "next-exit", or until it is "removed"."""
        return self.waiting(ref, condition)()

    def waiting(self, ref: str, condition: str = "not-running") -> Callable[[], ExitStatus]:
        """Begin to wait; the returned function blocks as `wait` does, missing nothing in between."""
        response = self._request("POST", _container(ref, "wait"), {"condition": condition})

        def ended() -> ExitStatus:
            with response:
                return decoded(response.read(), _Waited).status

        return ended

    def remove(self, ref: str, force: bool = False, volumes: bool = False) -> None:
        """Remove a container; with `force` a running one too, with `volumes` also its anonymous volumes."""
        self._do("DELETE", _container(ref), {"force": force, "v": volumes})

    def rename(self, ref: str, name: str) -> None:
        """Give it another name."""
        self._do("POST", _container(ref, "rename"), {"name": name})

    def containers(self, all: bool = True, filters: Filters | None = None) -> list[ContainerSummary]:
        """All containers, or the running ones; filters are Docker's (status, name, label, id, …)."""
        return self._get(
            "/tiffin/containers", list[ContainerSummary], {"all": all, "filters": _filters(filters)}
        )

    def inspect(self, ref: str) -> JSON:
        """Everything about one container in Docker's shape, and under "Tiffin" what that cannot say."""
        return self._get(_container(ref, "json"), JSON)

    def top(self, ref: str) -> list[Process]:
        """Its processes."""
        return self._get(_tiffin(ref, "top"), list[Process])

    def diff(self, ref: str) -> list[Change]:
        """What it changed in its root."""
        return self._get(_tiffin(ref, "changes"), list[Change])

    # ── limits ──────────────────────────────────────────────────────────────────────────────────────────────

    def limits(self, ref: str) -> list[LimitReading]:
        """Its limits as the kernel holds them now."""
        return self._get(_tiffin(ref, "limits"), list[LimitReading])

    def update(self, ref: str, change: LimitsChange, restart: RestartPolicy | None = None) -> LimitsApplied:
        """Change limits and restart policy of a container that may be running; all of it or nothing."""
        body = msgspec.json.encode({"limits": change, "restart": restart})
        return self._send("PATCH", _tiffin(ref, "limits"), LimitsApplied, body=body)

    def undo(self, ref: str) -> LimitsApplied:
        """Take back the last change of limits; raises Conflict where there is none."""
        return self._send("POST", _tiffin(ref, "limits/undo"), LimitsApplied)

    # ── terminals, execs, copying ───────────────────────────────────────────────────────────────────────────

    def resize(self, ref: str, rows: int, cols: int) -> None:
        """Set the size of its terminal."""
        self._do("POST", _container(ref, "resize"), {"h": rows, "w": cols})

    def attach(self, ref: str, *, stdin: bool, logs: bool = False) -> Stream:
        """Its input and output from now on; with `logs` what it has written before comes first."""
        query: Query = {"stream": True, "stdin": stdin, "stdout": True, "stderr": True, "logs": logs}
        return Stream(self._request("POST", _container(ref, "attach"), query, upgrade=True))

    def exec_create(self, ref: str, config: ExecConfig) -> str:
        """Prepare a further program in a running container; the exec's id."""
        from engine.docker.config import exec_to_docker

        body = msgspec.json.encode(exec_to_docker(config))
        return self._send("POST", _container(ref, "exec"), _Created, body=body).id

    def exec_start(self, exec_id: str, *, tty: bool) -> Stream:
        """Start it and attach to it; `tty` must be what it was created with."""
        body = msgspec.json.encode({"Detach": False, "Tty": tty})
        return Stream(
            self._request("POST", f"/exec/{quote(exec_id, safe='')}/start", body=body, upgrade=True)
        )

    def exec_resize(self, exec_id: str, rows: int, cols: int) -> None:
        """Set the size of its terminal."""
        self._do("POST", f"/exec/{quote(exec_id, safe='')}/resize", {"h": rows, "w": cols})

    def exec_wait(self, exec_id: str) -> ExitStatus:
        """Block until it has ended."""
        return self._get(f"/tiffin/exec/{quote(exec_id, safe='')}/wait", ExitStatus)

    def archive_get(self, ref: str, path: str) -> Iterator[bytes]:
        """A file or folder of its root as a tar stream."""
        return pieces(self._request("GET", _container(ref, "archive"), {"path": path}))

    def archive_put(self, ref: str, path: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream in a folder of its root."""
        self._do("PUT", _container(ref, "archive"), {"path": path}, tar, content_type="application/x-tar")

    def archive_stat(self, ref: str, path: str) -> JSON:
        """What is at a path of its root: name, size, mode (Go's bits), mtime, linkTarget."""
        from binascii import a2b_base64

        try:
            with self._request("HEAD", _container(ref, "archive"), {"path": path}) as response:
                return decoded(a2b_base64(response.headers["x-docker-container-path-stat"]), JSON)
        except TiffinError as error:  # the answer to HEAD has no body that could say more
            if isinstance(error, EngineUnavailable):
                raise
            raise NotFound(f"looking for {path} in {ref}: no such file, or no such container") from error

    # ── output ──────────────────────────────────────────────────────────────────────────────────────────────

    def logs(
        self, ref: str, *, follow: bool = False, since: float = 0, until: float = 0, tail: int | None = None
    ) -> Iterator[LogLine]:
        """Its output line by line, oldest first; with `follow` until it has ended. Times are Unix seconds."""
        query: Query = {"follow": follow, "since": since or None, "until": until or None, "tail": tail}
        return self._lines(_tiffin(ref, "lines"), LogLine, query)

    def log_extent(self, ref: str) -> LogExtent:
        """How far its log reaches."""
        with self._request("GET", _tiffin(ref, "log"), {"offset": 0, "size": 0}) as response:
            headers = response.headers
            return LogExtent(first=int(headers["tiffin-log-first"]), end=int(headers["tiffin-log-end"]))

    def log_read(self, ref: str, offset: int, size: int) -> bytes:
        """Raw records of its log (CRI format) from `offset`, which must not be below the extent's first.

        May be shorter than `size`, and is empty at the end.
        """
        with self._request("GET", _tiffin(ref, "log"), {"offset": offset, "size": size}) as response:
            return response.read()

    # ── watching ────────────────────────────────────────────────────────────────────────────────────────────

    def snapshot(self) -> Snapshot:
        """Everything a live view draws, now."""
        return self._get("/tiffin/snapshot", Snapshot)

    def live(self) -> Iterator[Snapshot]:
        """A snapshot now, then one a tick and at each change of state; a slow reader misses some."""
        return self._lines("/tiffin/live", Snapshot)

    def history(self, ref: str, seconds: float = 600) -> History:
        """Past samples of one container; of the host where `ref` is "host"."""
        return self._get("/tiffin/history", list[History], {"id": ref, "seconds": seconds})[0]

    def history_all(self, seconds: float = 60, fields: Sequence[str] = ()) -> list[History]:
        """Past samples of all containers and the host; some fields of Sample, or all."""
        return self._get("/tiffin/history", list[History], {"seconds": seconds, "fields": ",".join(fields)})

    def events(self, since: float = 0, until: float = 0, filters: Filters | None = None) -> Iterator[Event]:
        """What happened since a time (0: from now on) until another (0: goes on); filters are Docker's."""
        query: Query = {"since": since or None, "until": until or None, "filters": _filters(filters)}
        return self._lines("/tiffin/events", Event, query)

    # ── images, networks, volumes ───────────────────────────────────────────────────────────────────────────

    def images(self) -> list[ImageSummary]:
        """All images in the store."""
        return self._get("/tiffin/images", list[ImageSummary])

    def image(self, ref: str) -> ImageSummary:
        """One image, by name, id or unique beginning of its id."""
        return self._get(f"/tiffin/images/{part(ref, 'image')}", ImageSummary)

    def image_remove(self, ref: str, force: bool = False) -> ImageRemoval:
        """Remove a name, and with its last name the image."""
        return self._send("DELETE", f"/tiffin/images/{part(ref, 'image')}", ImageRemoval, {"force": force})

    def image_import(
        self, path: Path | BinaryIO, name: str, on_bytes: Callable[[int], None] | None = None
    ) -> ImageSummary:
        """Make an image of a root file system's tar (gzip, zstd, xz); `on_bytes` hears how far it is."""
        query: Query = {"name": name}
        if not isinstance(path, Path):
            return self._send("POST", "/tiffin/images/import", ImageSummary, query, _read(path, on_bytes))
        try:
            file = path.open("rb")
        except OSError as error:
            raise BadRequest(
                f"reading {path}: {error.strerror}", "name a tar file of a root file system"
            ) from error
        with file:
            return self._send("POST", "/tiffin/images/import", ImageSummary, query, _read(file, on_bytes))

    def networks(self) -> list[NetworkSummary]:
        """All networks, the built-in ones too."""
        return self._get("/tiffin/networks", list[NetworkSummary])

    def network(self, name: str) -> NetworkSummary:
        """One network, by name or id."""
        return self._get(f"/tiffin/networks/{part(name, 'network')}", NetworkSummary)

    def network_create(self, name: str, subnet: str = "") -> NetworkSummary:
        """Make a bridge network; an empty subnet is chosen by the engine."""
        ipam = {"Config": [{"Subnet": subnet}]} if subnet else {}
        body = msgspec.json.encode({"Name": name, "Driver": "bridge", "IPAM": ipam})
        self._do("POST", "/networks/create", body=body)
        return self.network(name)

    def network_remove(self, name: str) -> None:
        """Remove a network that no container uses."""
        self._do("DELETE", f"/networks/{part(name, 'network')}")

    def volumes(self) -> list[VolumeSummary]:
        """All named volumes."""
        return self._get("/tiffin/volumes", list[VolumeSummary])

    def volume(self, name: str) -> VolumeSummary:
        """One volume."""
        return self._get(f"/tiffin/volumes/{part(name, 'volume')}", VolumeSummary)

    def volume_create(self, name: str, labels: dict[str, str] | None = None) -> VolumeSummary:
        """Make a volume, or find the one of that name; an empty name is chosen by the engine."""
        body = msgspec.json.encode({"Name": name, "Labels": labels or {}})
        return self.volume(self._send("POST", "/volumes/create", _Named, body=body).name)

    def volume_remove(self, name: str, force: bool = False) -> None:
        """Remove a volume that no container uses; with `force` it may be missing."""
        self._do("DELETE", f"/volumes/{part(name, 'volume')}", {"force": force})

    def _create(self, path: str, config: ContainerConfig, name: str) -> str:
        from engine.docker.config import to_docker

        return self._send("POST", path, _Created, {"name": name}, msgspec.json.encode(to_docker(config))).id


class _Created(msgspec.Struct, rename="pascal"):
    id: str


class _Named(msgspec.Struct, rename="pascal"):
    name: str


class _Waited(msgspec.Struct):
    status: ExitStatus = msgspec.field(name="Tiffin")


def _container(ref: str, verb: str = "") -> str:
    return f"/containers/{part(ref, 'container')}" + (f"/{verb}" if verb else "")


def _tiffin(ref: str, verb: str) -> str:
    return f"/tiffin/containers/{part(ref, 'container')}/{verb}"


def _filters(filters: Filters | None) -> str:
    return msgspec.json.encode(filters).decode() if filters else ""


def _read(file: BinaryIO, on_bytes: Callable[[int], None] | None) -> Iterator[bytes]:
    sent = 0
    while piece := file.read(4 * CHUNK):
        yield piece
        sent += len(piece)
        if on_bytes:
            on_bytes(sent)
