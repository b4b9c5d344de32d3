"""HTTP/1.1 over a unix socket, as much of it as a client of the engine needs.

Not `http.client`: that brings `email` and `ssl` along (14 ms of a command that has 150), and reads ahead,
which a connection that is taken over as a raw stream cannot have.
"""

from __future__ import annotations

import io
import os
import socket
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import msgspec

from engine.decoding import decode
from engine.errors import EngineUnavailable, NotPermitted, TiffinError, revived
from engine.model import Problem

SUN_PATH = 107  # bytes of a path in sockaddr_un, without its final NUL
CHUNK = 64 << 10
GONE = "run the command again: it starts a new engine, containers were not touched"

Query = dict[str, str | int | float | bool | None]
Body = bytes | Iterable[bytes]


@contextmanager
def reachable(path: Path) -> Generator[str]:
    """A name for a unix socket that fits into sockaddr_un however long its path is, inside the block."""
    if len(os.fsencode(path)) <= SUN_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def connect(path: Path) -> socket.socket:
    """A connection to the engine; raises EngineUnavailable, or NotPermitted where it is another user's."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as name:
            connection.connect(name)
    except PermissionError as error:
        connection.close()
        raise NotPermitted(
            f"connecting to {path}: {error.strerror}", "run tiffin as root, for instance with sudo"
        ) from error
    except OSError as error:
        connection.close()
        raise EngineUnavailable(
            f"no engine answers on {path}: {error.strerror}", "run `tiffin engine start`"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def peer(connection: socket.socket) -> int:
    """The process that listens at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)  # struct ucred
    return int.from_bytes(credentials[:4], sys.byteorder)


def gone(error: OSError | None = None) -> EngineUnavailable:
    """The error for a connection that ended in the middle of a call."""
    why = f": {error.strerror}" if error and error.strerror else ""
    return EngineUnavailable(f"the engine went away before it had answered{why}", GONE)


class Response:
    """An answer whose head has arrived; its body is read on demand, and closing it early ends the request."""

    def __init__(
        self, connection: socket.socket, status: int, headers: dict[str, str], has_body: bool
    ) -> None:
        self.connection = connection
        self.status = status
        self.headers = headers  # names in lower case
        self._has_body = has_body
        self._file = io.BufferedReader(connection.makefile("rb", buffering=0), CHUNK)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()  # an iterator over it that is dropped before its first step cannot

    def close(self) -> None:
        """End the connection; the engine stops what it was sending."""
        self._file.close()
        self.connection.close()

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives; raises EngineUnavailable where it ends too early."""
        if not self._has_body:
            return
        try:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                yield from self._chunked()
            elif "content-length" in self.headers:
                yield from self._exactly(int(self.headers["content-length"]))
            else:
                while piece := self._file.read1(CHUNK):
                    yield piece
        except OSError as error:
            raise gone(error) from error

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces())

    def lines(self) -> Iterator[bytes]:
        """The body line by line, each as soon as it is complete, without its end."""
        rest = b""
        for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n") if rest else piece.split(b"\n")
            yield from whole
        if rest:
            yield rest

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._file.read1(min(size, CHUNK))
            if not piece:
                raise gone()
            size -= len(piece)
            yield piece

    def _chunked(self) -> Iterator[bytes]:
        while True:
            head = self._file.readline()
            if not head.endswith(b"\n"):
                raise gone()
            try:
                size = int(head.split(b";")[0], 16)
            except ValueError:
                raise gone() from None
            yield from self._exactly(size)
            self._file.readline()  # the chunk's line end; after the last, that of the (absent) trailer
            if size == 0:
                return


def request(
    path: Path,
    method: str,
    target: str,
    query: Query | None = None,
    body: Body | None = None,
    *,
    content_type: str = "application/json",
    upgrade: bool = False,
) -> Response:
    """Send one request on a connection of its own and wait for the head of its answer.

    An answer of 400 and above is raised as the error it describes. With `upgrade` the engine is asked to make
    the connection a raw stream.
    """
    connection = connect(path)
    try:
        head = [f"{method} {target}{_encode(query)} HTTP/1.1", "Host: tiffin", "User-Agent: tiffin"]
        head.append("Connection: Upgrade\r\nUpgrade: tcp" if upgrade else "Connection: close")
        if isinstance(body, bytes):
            head += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        elif body is not None:
            head += [f"Content-Type: {content_type}", "Transfer-Encoding: chunked"]
        start = ("\r\n".join(head) + "\r\n\r\n").encode()
        try:
            _send(connection, start, body)
            status, headers = _read_head(connection)
        except OSError as error:
            raise gone(error) from error
        has_body = method != "HEAD" and status not in (101, 204, 304)
        response = Response(connection, status, headers, has_body)
    except BaseException:
        connection.close()
        raise
    if status >= 400:
        raise _error(response)
    return response


def _encode(query: Query | None) -> str:
    """The query string; False, None and "" are left out."""
    given = {
        k: 1 if v is True else v for k, v in (query or {}).items() if v not in (None, "") and v is not False
    }
    return "?" + urlencode(given) if given else ""


def _send(connection: socket.socket, start: bytes, body: Body | None) -> None:
    if body is None or isinstance(body, bytes):
        connection.sendall(start + (body or b""))
        return
    connection.sendall(start)
    try:
        for piece in body:
            if piece:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused while it was being sent: the answer says why


def _read_head(connection: socket.socket) -> tuple[int, dict[str, str]]:
    """Status and headers, and not one byte of what follows: a raw stream's reader selects on the socket."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(CHUNK, socket.MSG_PEEK)
        if not piece:
            raise gone()
        end = (head + piece).find(b"\r\n\r\n")
        head += connection.recv(len(piece) if end < 0 else end + 4 - len(head))
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return int(first.split(" ", 2)[1]), headers


def _error(response: Response) -> TiffinError:
    with response:
        body = response.read()
    try:
        return from_problem(decode(body, Problem))
    except msgspec.MsgspecError:
        return TiffinError(
            f"the engine answered {response.status}: {body[:200].decode(errors='replace').strip()}"
        )


def from_problem(problem: Problem) -> TiffinError:
    """The error that an error answer describes, of the class it was raised as."""
    error = revived(problem.kind, problem.message, problem.remedy)
    error.exit_code = problem.exit_code
    return error
