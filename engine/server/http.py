"""What all routes share: parameters in, JSON and streams out, failures as a Problem."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import msgspec
from aiohttp import web

from engine.decoding import decode
from engine.docker import times
from engine.docker.system import check_filters, failure
from engine.errors import BadRequest, NotFound, TiffinError
from engine.model import JSON, Problem

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 4 << 20  # bytes of a JSON body
LARGEST = 1 << 63
BEGUN = "begun"  # key of a request whose answer's head was sent

log = logging.getLogger(__name__)


class Route(NamedTuple):
    """One operation; a `live` one ends with its client, every other is carried through once it was begun."""

    method: str
    path: str
    handler: Handler
    live: bool = False


def answer(value: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def done(changed: bool = True) -> web.Response:
    """The answer to a verb that has nothing to tell; 304 where it was so already."""
    return web.Response(status=204 if changed else 304)


def flag(request: web.Request, name: str, default: bool = False) -> bool:
    """A query parameter as Docker reads booleans."""
    value = request.query.get(name)
    return default if value is None else value.lower() not in ("", "0", "no", "false", "none")


def number(request: web.Request, name: str, kind: type[int] | type[float] = int) -> float | None:
    """A query parameter that is a number; None where it is not given."""
    text = request.query.get(name)
    if not text:
        return None
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not -LARGEST <= value < LARGEST:  # which "nan" is not either
        raise BadRequest(f"{name} is {text!r}"[:100], "give a number")
    return value


def moment(request: web.Request, name: str) -> float:
    """A query parameter that is a time; 0 where it is not given."""
    return times.parse_time(request.query.get(name), name)


def filters(request: web.Request, known: tuple[str, ...]) -> dict[str, list[str]]:
    """The `filters` parameter, as {"name": ["x"]} or in its old form, {"name": {"x": true}}."""
    text = request.query.get("filters")
    if not text:
        return {}
    try:
        raw = decode(text, dict[str, list[str] | dict[str, bool]])
    except msgspec.MsgspecError as error:
        raise BadRequest(f"filters is malformed: {error}", 'give JSON such as {"name":["web"]}') from error
    return check_filters({name: list(values) for name, values in raw.items()}, known)


async def body(request: web.Request, type: type[T]) -> T:
    """The JSON body; an empty one reads as {}."""
    try:
        return decode(await request.read() or b"{}", type)
    except msgspec.MsgspecError as error:
        raise BadRequest(
            f"the request's body is malformed: {error}", "send what the API describes"
        ) from error


async def json_body(request: web.Request) -> JSON:
    """The JSON body as it is."""
    return await body(request, dict[str, Any])


async def begin(request: web.Request, content_type: str = "application/json") -> web.StreamResponse:
    """Start an answer of unknown length; its head is sent at once."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)
    return response


async def stream(
    request: web.Request, items: AsyncIterable[object], content_type: str = "application/json"
) -> web.StreamResponse:
    """Send items as lines of JSON as they come; waits while the client does not read."""
    response = await begin(request, content_type)
    async for item in items:
        await response.write(msgspec.json.encode(item) + b"\n")
    return response


def encode_lines(items: Iterable[object]) -> bytes:
    """Items as lines of JSON."""
    return b"".join(msgspec.json.encode(item) + b"\n" for item in items)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into a Problem; one nobody foresaw is logged with its traceback.

    Where the answer has begun already, all that can still be told is that it is not whole.
    """
    try:
        return await handler(request)
    except TiffinError as error:
        if BEGUN in request:
            log.warning("%s %s was broken off: %s", request.method, request.path_qs, error)
            return broken_off(request)
        return problem(error, request)
    except web.HTTPException as error:
        if error.status == 404:
            return problem(NotFound(f"there is no {request.method} {request.path} in this API"), request)
        return answer(Problem(message=error.reason, kind="BadRequest"), error.status)
    except ConnectionError:
        raise  # the client is gone: aiohttp's own business
    except Exception as error:
        log.exception("%s %s", request.method, request.path_qs)
        if BEGUN in request:
            return broken_off(request)
        return answer(
            Problem(
                message=f"{request.method} {request.path} failed: {type(error).__name__}: {error}",
                remedy="see engine.log",
                kind="TiffinError",
            ),
            500,
        )


def problem(error: TiffinError, request: web.Request) -> web.Response:
    """The answer that describes an error; Docker's clients read nothing but its message."""
    message = error.message if is_tiffin(request) else failure(error)
    told = Problem(message=message, remedy=error.remedy, kind=error.kind, exit_code=error.exit_code)
    return answer(told, error.status)


def broken_off(request: web.Request) -> web.StreamResponse:
    """End a connection in the middle of an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


def is_tiffin(request: web.Request) -> bool:
    """Whether a client of our own asks, which knows more than Docker's do."""
    return request.headers.get("User-Agent") == "tiffin"


def carried_through(handler: Handler) -> Handler:
    """A handler that goes on when its client has gone, so that nothing is left half-done."""

    async def run(request: web.Request) -> web.StreamResponse:
        task = asyncio.ensure_future(handler(request))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    return run


def _log_failure(task: asyncio.Future[web.StreamResponse]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("a request whose client had gone failed: %s", error)
