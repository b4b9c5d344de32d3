"""The client's HTTP, against a peer that answers byte by byte what the test says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.client.http import connect, reachable, request
from engine.client.stream import Stream
from engine.errors import Conflict, EngineUnavailable, KernelError, LaunchError

Peer = Callable[[socket.socket], None]


class Server:
    """Accepts one connection, reads the request's head and lets the test's function answer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.head = b""
        self._listening = socket.socket(socket.AF_UNIX)
        with reachable(path) as name:
            self._listening.bind(name)
        self._listening.listen()
        self._thread: threading.Thread | None = None

    def answer(self, peer: Peer | bytes) -> None:
        def serve() -> None:
            connection, _ = self._listening.accept()
            with connection:
                while b"\r\n\r\n" not in self.head:
                    self.head += connection.recv(65536)
                if isinstance(peer, bytes):
                    connection.sendall(peer)
                else:
                    peer(connection)

        self._thread = threading.Thread(target=serve)
        self._thread.start()

    def close(self) -> None:
        if self._thread:
            self._thread.join(10)
            assert not self._thread.is_alive()
        self._listening.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / ("deep" * 20) / ("deeper" * 10) / "engine.sock")  # longer than sun_path
    yield server
    server.close()


def test_a_chunked_answer_arrives_piece_by_piece(server: Server) -> None:
    seen = threading.Event()

    def peer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}\n1\r\n")
        assert seen.wait(10)  # the first line was read before the second was sent
        connection.sendall(b"3\r\n23\n\r\n0\r\n\r\n")

    server.answer(peer)
    with request(server.path, "GET", "/x") as response:
        lines = response.lines()
        assert next(lines) == b"{}"
        seen.set()
        assert list(lines) == [b"123"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    ],
)
def test_an_engine_that_dies_within_an_answer_is_unavailable_never_a_short_answer(
    server: Server, answer: bytes
) -> None:
    server.answer(answer)
    with pytest.raises(EngineUnavailable, match="went away"):
        request(server.path, "GET", "/x").read()


def test_a_head_in_pieces_and_a_raw_stream_right_behind_it(server: Server) -> None:
    def peer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: app")
        connection.sendall(b"lication/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\n\r\n\1\0\0\0")
        connection.sendall(b"\0\0\0\2hi\2\0\0\0\0\0\0\3err")
        assert connection.recv(100) == b"input"
        assert connection.recv(100) == b""  # the end of input came, and the answer goes on
        connection.sendall(b"\1\0\0\0\0\0\0\1!")

    server.answer(peer)
    with Stream(request(server.path, "POST", "/x", upgrade=True)) as stream:
        assert stream.read() == ("stdout", b"hi")
        assert stream.read() == ("stderr", b"err")
        stream.write(b"input")
        stream.close_write()
        assert stream.read() == ("stdout", b"!")
        assert stream.read() is None


def test_a_stream_cut_within_a_frame_is_no_end(server: Server) -> None:
    server.answer(
        b"HTTP/1.1 101 U\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n\1\0\0\0\0\0\0\2h"
    )
    with Stream(request(server.path, "POST", "/x", upgrade=True)) as stream, pytest.raises(EngineUnavailable):
        stream.read()


def problem(status: int, **fields: object) -> bytes:
    body = json.dumps(fields).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def test_an_error_comes_back_as_what_it_was_raised_as(server: Server) -> None:
    server.answer(problem(409, message="it runs", remedy="stop it", kind="Conflict"))
    with pytest.raises(Conflict) as caught:
        request(server.path, "POST", "/x")
    assert (caught.value.message, caught.value.remedy) == ("it runs", "stop it")


def test_an_exit_code_comes_with_it(server: Server) -> None:
    server.answer(problem(400, message="no such program", kind="LaunchError", exit_code=127))
    with pytest.raises(LaunchError) as caught:
        request(server.path, "POST", "/x")
    assert caught.value.exit_code == 127


def test_a_kernel_error_keeps_its_sentence(server: Server) -> None:
    server.answer(problem(500, message="writing x: Device or resource busy", kind="KernelError"))
    with pytest.raises(KernelError, match="writing x: Device or resource busy"):
        request(server.path, "POST", "/x")


def test_an_upload_that_is_refused_while_it_is_sent_tells_the_refusal(server: Server) -> None:
    def peer(connection: socket.socket) -> None:
        connection.sendall(problem(409, message="in use", kind="Conflict"))

    server.answer(peer)
    with pytest.raises(Conflict, match="in use"):
        request(server.path, "PUT", "/x", body=(b"x" * 100_000 for _ in range(1000)))


def test_what_is_sent(server: Server) -> None:
    got = b""

    def peer(connection: socket.socket) -> None:
        nonlocal got
        got = server.head.partition(b"\r\n\r\n")[2]
        while not got.endswith(b"0\r\n\r\n"):
            got += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    server.answer(peer)
    query = {"a": True, "b": False, "c": None, "d": 0.5, "e": "x y&z", "f": 0}
    assert request(server.path, "PUT", "/p", query, iter([b"abc", b"", b"d" * 16])).read() == b""
    assert got == b"3\r\nabc\r\n10\r\n" + b"d" * 16 + b"\r\n0\r\n\r\n"
    assert server.head.startswith(b"PUT /p?a=1&d=0.5&e=x+y%26z&f=0 HTTP/1.1\r\n")


def test_no_engine_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no engine answers"):
        connect(tmp_path / "engine.sock")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "engine.sock"))
    stale.close()
    with pytest.raises(EngineUnavailable, match="refused"):
        connect(tmp_path / "engine.sock")
