"""Attaching to containers, and running further programs in them."""

from __future__ import annotations

import time

from aiohttp import web

from engine import logs
from engine.containers import Containers
from engine.docker.config import exec_from_docker
from engine.docker.system import failure
from engine.errors import BadRequest, LaunchError
from engine.model import JSON
from engine.server.hijack import Hijack
from engine.server.http import Route, answer, flag, is_tiffin, json_body, number

SIZE_MAX = 1 << 16  # struct winsize has 16 bits for each


class TerminalRoutes:
    """Attach, exec and their terminals' sizes."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("POST", "/containers/{ref}/attach", self.attach, live=True),
            Route("POST", "/containers/{ref}/resize", self.resize),
            Route("POST", "/containers/{ref}/exec", self.create),
            Route("POST", "/exec/{id}/start", self.start, live=True),
            Route("POST", "/exec/{id}/resize", self.resize_exec),
            Route("GET", "/exec/{id}/json", self.inspect),
        ]

    async def attach(self, request: web.Request) -> web.StreamResponse:
        """POST /containers/{ref}/attach.

        One that is not started yet is attached to before the answer's head, so that a client that starts it
        after that sees its first byte.
        """
        container = self._containers.get(request.match_info["ref"])
        config = container.record.config
        stdin = flag(request, "stdin") and config.stdin
        streams = [name for name in ("stdout", "stderr") if flag(request, name)]
        attached = await self._containers.attach(container.id, input=stdin)
        now = time.time()
        try:
            connection = Hijack(request, config.tty, streams)
            if flag(request, "logs"):
                async for batch in logs.records(container.log_dir, until=now):
                    for record in batch:
                        await connection.send(record.stream, record.text + b"\n" * record.whole)
        except BaseException:
            attached.close()
            raise
        if not flag(request, "stream"):
            attached.close()
            return connection.close()
        return await connection.pump(attached, stdin)

    async def resize(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/resize."""
        await self._containers.resize(request.match_info["ref"], *_size(request))
        return web.Response()

    async def create(self, request: web.Request) -> web.Response:
        """POST /containers/{ref}/exec."""
        config = exec_from_docker(await json_body(request))
        return answer({"Id": await self._containers.exec_create(request.match_info["ref"], config)}, 201)

    async def start(self, request: web.Request) -> web.StreamResponse:
        """POST /exec/{id}/start."""
        id, asked = request.match_info["id"], await json_body(request)
        config = self._containers.execs.find(id).config
        try:
            attached = await self._containers.exec_start(id)
        except LaunchError as error:
            if is_tiffin(request) or asked.get("Detach"):
                raise
            # Docker's clients expect a stream whatever comes, and ask for the exit status after it.
            connection = Hijack(request, config.tty)
            await connection.send("stderr", f"{failure(error)}\r\n".encode())
            await self._containers.exec_wait(id)
            return connection.close()
        if asked.get("Detach"):
            attached.close()
            return web.Response()
        try:
            connection = Hijack(request, config.tty)
        except BaseException:
            attached.close()
            raise
        # Clients ask for the exit status when the stream has ended: it must be known by then.
        return await connection.pump(attached, config.stdin, lambda: self._containers.exec_wait(id))

    async def resize_exec(self, request: web.Request) -> web.Response:
        """POST /exec/{id}/resize."""
        await self._containers.exec_resize(request.match_info["id"], *_size(request))
        return web.Response(status=201)

    async def inspect(self, request: web.Request) -> web.Response:
        """GET /exec/{id}/json."""
        exec = self._containers.execs.find(request.match_info["id"])
        command = exec.config.command
        found: JSON = {
            "ID": exec.id,
            "ContainerID": exec.container.id,
            "Running": exec.follower is not None and exec.status is None,
            "ExitCode": exec.status.exit_code if exec.status else None,
            "Pid": exec.pid,
            "OpenStdin": exec.config.stdin,
            "OpenStdout": True,
            "OpenStderr": True,
            "CanRemove": exec.status is not None,
            "DetachKeys": "",
            "ProcessConfig": {
                "entrypoint": command[0],
                "arguments": command[1:],
                "tty": exec.config.tty,
                "privileged": exec.config.privileged,
                "user": exec.config.user,
            },
        }
        return answer(found)


def _size(request: web.Request) -> tuple[int, int]:
    """Rows and columns; 0, which clients send before they know, is taken as the usual 24 × 80."""
    rows, cols = int(number(request, "h") or 24), int(number(request, "w") or 80)
    if not (0 < rows < SIZE_MAX and 0 < cols < SIZE_MAX):
        raise BadRequest(f"a terminal of {rows} rows and {cols} columns", f"give 1 to {SIZE_MAX - 1} of each")
    return rows, cols
