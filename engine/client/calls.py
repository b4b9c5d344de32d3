"""How the client asks: a request each, its answer typed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self, TypeVar
from urllib.parse import quote

import msgspec

from engine.client.http import Body, Query, Response, request
from engine.decoding import decode
from engine.errors import BadRequest, EngineUnavailable
from engine.instance import Instance

T = TypeVar("T")
Filters = dict[str, list[str]]


class Created(msgspec.Struct, rename="pascal"):
    """What was made."""

    id: str


class Calls:
    """Requests to one instance's engine, for methods that name path and type."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def _request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body | None = None,
        *,
        content_type: str = "application/json",
        upgrade: bool = False,
    ) -> Response:
        socket = self.instance.socket
        return request(socket, method, path, query, body, content_type=content_type, upgrade=upgrade)

    def _do(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> None:
        with self._request(method, path, query, body, content_type=content_type) as response:
            response.read()

    def _send(
        self, method: str, path: str, type: type[T], query: Query | None = None, body: Body | None = None
    ) -> T:
        with self._request(method, path, query, body) as response:
            return decoded(response.read(), type)

    def _get(self, path: str, type: type[T], query: Query | None = None) -> T:
        return self._send("GET", path, type, query)

    def _lines(
        self,
        path: str,
        type: type[T],
        query: Query | None = None,
        *,
        method: str = "GET",
        body: Body | None = None,
    ) -> Answers[T]:
        """Line by line; the request is made now, so that its refusal is raised here and not at the first step."""
        return Answers(self._request(method, path, query, body), type)


def part(ref: str, what: str) -> str:
    """A name as part of a path; raises BadRequest for an empty one of a `what`."""
    if not ref:
        raise BadRequest(f"the name of a {what} is empty", f"give a {what}'s name or id")
    return quote(ref, safe="")


def container_path(ref: str, verb: str = "") -> str:
    """Where Docker's API has a container."""
    return f"/containers/{part(ref, 'container')}" + (f"/{verb}" if verb else "")


def tiffin_path(ref: str, verb: str) -> str:
    """Where a container has what Docker's API does not."""
    return f"/tiffin/containers/{part(ref, 'container')}/{verb}"


def filtered(filters: Filters | None) -> str:
    """Docker's filters as a query's value."""
    return msgspec.json.encode(filters).decode() if filters else ""


def decoded(data: bytes, type: type[T]) -> T:
    """An answer as its type; raises EngineUnavailable where it is something else."""
    try:
        return decode(data, type)
    except msgspec.MsgspecError as error:
        raise EngineUnavailable(
            f"the engine's answer is not understood: {error}",
            "another version of it may be running: `tiffin engine stop`, then try again",
        ) from error


def pieces(response: Response) -> Iterator[bytes]:
    """A body as it arrives; the connection ends with it."""
    with response:
        yield from response.pieces()


class Answers(Generic[T]):
    """What an answer says line by line, each as it arrives.

    `close` ends the request, also from another thread than the one that waits for the next line: that then
    gets EngineUnavailable.
    """

    def __init__(self, response: Response, type: type[T]) -> None:
        self._response = response
        self._type = type
        self._lines = response.lines()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            line = next(self._lines)
        except StopIteration:
            self._response.close()
            raise
        return decoded(line, self._type)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the request."""
        with suppress(OSError):  # it is closed already, or its peer is gone
            self._response.connection.shutdown(socket.SHUT_RDWR)  # wakes who reads; a mere close would not
        self._response.close()
