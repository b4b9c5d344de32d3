"""Programs and files in a container: attaching, execs, copying."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

import msgspec

from engine.client.calls import Calls, Created, container_path, decoded, pieces
from engine.client.http import Query
from engine.client.stream import Stream
from engine.errors import EngineUnavailable, NotFound, TiffinError
from engine.model import JSON, ExecConfig, ExitStatus


class InsideCalls(Calls):
    """What reaches into a container; see EngineClient."""

    def resize(self, ref: str, rows: int, cols: int) -> None:
        """Set the size of its terminal."""
        self._do("POST", container_path(ref, "resize"), {"h": rows, "w": cols})

    def attach(self, ref: str, *, stdin: bool, logs: bool = False) -> Stream:
        """Its input and output from now on; with `logs` what it has written before comes first."""
        query: Query = {"stream": True, "stdin": stdin, "stdout": True, "stderr": True, "logs": logs}
        return Stream(self._request("POST", container_path(ref, "attach"), query, upgrade=True))

    def exec_create(self, ref: str, config: ExecConfig) -> str:
        """Prepare a further program in a running container; the exec's id."""
        from engine.docker.config import exec_to_docker

        body = msgspec.json.encode(exec_to_docker(config))
        return self._send("POST", container_path(ref, "exec"), Created, body=body).id

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
        return pieces(self._request("GET", container_path(ref, "archive"), {"path": path}))

    def archive_put(self, ref: str, path: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream in a folder of its root."""
        self._do("PUT", container_path(ref, "archive"), {"path": path}, tar, content_type="application/x-tar")

    def archive_stat(self, ref: str, path: str) -> JSON:
        """What is at a path of its root: name, size, mode (Go's bits), mtime, linkTarget."""
        from binascii import a2b_base64

        try:
            with self._request("HEAD", container_path(ref, "archive"), {"path": path}) as response:
                return decoded(a2b_base64(response.headers["x-docker-container-path-stat"]), JSON)
        except TiffinError as error:  # the answer to HEAD has no body that could say more
            if isinstance(error, EngineUnavailable):
                raise
            raise NotFound(f"looking for {path} in {ref}: no such file, or no such container") from error
