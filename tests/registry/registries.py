"""Registries for tests, all on this machine: Debian's docker-registry in several moods, and what stands before one."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PATIENCE = 30.0  # seconds
USER, PASSWORD = "tiffin", "secret"
# As bcrypt, which is all that docker-registry takes.
HTPASSWD = "tiffin:$2y$04$w0kh9.AQUG8ceFPawKBeGO2uRsef8hFquQ7rwPFeA9v6n4JLOML1G"


class Registry:
    """A docker-registry; `host` is what images of it are called by."""

    def __init__(
        self,
        folder: Path,
        *,
        auth: Any = None,
        tls: tuple[Path, Path] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        self.host = f"{'localhost' if address == '127.0.0.1' else address}:{self.port}"
        http: dict[str, Any] = {"addr": f"{address}:{self.port}", "secret": "x"}
        if tls:
            http["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": http,
            **({"auth": auth} if auth else {}),
        }
        (folder / "config.yml").write_text(json.dumps(config))  # YAML is a superset of JSON
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=self._log, stderr=self._log
        )
        self._await(folder, address)

    def _await(self, folder: Path, address: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection((address, self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "docker-registry does not listen"
                time.sleep(0.02)  # it tells nobody when it does

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def basic(folder: Path) -> dict[str, Any]:
    """The `auth` of a registry that wants a password."""
    path = folder / "htpasswd"
    path.write_text(HTPASSWD + "\n")
    return {"htpasswd": {"realm": "test", "path": str(path)}}


class Authority:
    """A throw-away certificate authority, and one certificate for localhost."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.certificate, self.server, self.key = (
            folder / name for name in ("ca.crt", "server.crt", "server.key")
        )
        _openssl(
            "req", "-x509", "-newkey", *EC, "-nodes", "-days", "2", "-subj", "/CN=throw-away",
            "-keyout", folder / "ca.key", "-out", self.certificate,
        )  # fmt: skip
        _openssl(
            "req",
            "-newkey",
            *EC,
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-keyout",
            self.key,
            "-out",
            folder / "csr",
        )
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl(
            "x509", "-req", "-in", folder / "csr", "-CA", self.certificate, "-CAkey", folder / "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", folder / "names", "-out", self.server,
        )  # fmt: skip


EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")  # made in no time


def _openssl(*words: object, input: bytes = b"") -> bytes:
    return subprocess.run(
        ["openssl", *map(str, words)], input=input, check=True, capture_output=True, timeout=PATIENCE
    ).stdout


class Server:
    """An HTTP server in a thread, which a function answers."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                with contextlib.suppress(ConnectionError):
                    answer(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)


class TokenService:
    """Hands out tokens to USER for what is asked, as distribution/docs/spec/auth/token.md says."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._key, self._certificate = folder / "key", folder / "crt"
        _openssl(
            "req", "-x509", "-newkey", *EC, "-nodes", "-days", "2", "-subj", "/CN=tokens",
            "-keyout", self._key, "-out", self._certificate,
        )  # fmt: skip
        self.asked: list[dict[str, list[str]]] = []
        self._server = Server(self._answer)

    @property
    def auth(self) -> dict[str, Any]:
        """What a registry is told of it."""
        realm = f"http://{self._server.host}/token"
        return {
            "token": {
                "realm": realm, "service": "test", "issuer": "tokens", "rootcertbundle": str(self._certificate)
            }
        }  # fmt: skip

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        self.asked.append(query)
        given = handler.headers.get("Authorization", "")
        if given != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            reply(handler, 401, b"{}")
            return
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        reply(handler, 200, json.dumps({"token": self._token(access)}).encode())

    def _token(self, access: list[dict[str, Any]]) -> str:
        der = _openssl("x509", "-in", self._certificate, "-outform", "DER")
        now = int(time.time())
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        claims = {
            "iss": "tokens", "sub": USER, "aud": "test", "exp": now + 60, "nbf": now - 60, "iat": now,
            "jti": "1", "access": access,
        }  # fmt: skip
        text = f"{_url64(json.dumps(head).encode())}.{_url64(json.dumps(claims).encode())}"
        return f"{text}.{_url64(_raw(_openssl('dgst', '-sha256', '-sign', self._key, input=text.encode())))}"

    def close(self) -> None:
        self._server.close()


def _raw(signature: bytes) -> bytes:
    """An ECDSA signature as JWTs have it, from ASN.1: SEQUENCE of two INTEGERs, each shorter than 128 bytes."""
    numbers, at = b"", 2
    for _ in range(2):
        size = signature[at + 1]
        numbers += signature[at + 2 : at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + size
    return numbers


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def reply(handler: BaseHTTPRequestHandler, status: int, data: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(data)


class Relay:
    """Stands before a registry, counts what is asked, and disturbs it as a test wants.

    `disturb(method, path, headers)` says what to do with a request: None passes it on; a number lets so many bytes
    of the answer's body, or of the request's, through and breaks off; a tuple is the answer itself; a threading.Event
    is waited for in the middle of the answer's body.
    """

    def __init__(self, registry: Registry) -> None:
        self._backend = registry
        self.requests: list[tuple[str, str, str]] = []  # method, path, Range
        self.disturb: Callable[[str, str], Any] = lambda method, path: None
        self.reached = threading.Event()  # the middle of a body that waits
        self._server = Server(self._answer)
        self.host = self._server.host

    def blobs(self) -> list[tuple[str, str]]:
        """Path and range of each blob that was asked for."""
        return [(path, span) for method, path, span in self.requests if method == "GET" and "/blobs/" in path]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        method, path = handler.command, handler.path
        self.requests.append((method, urlsplit(path).path, handler.headers.get("Range", "")))
        what = self.disturb(method, urlsplit(path).path)
        if isinstance(what, tuple):
            handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
            reply(handler, what[0], b"{}", **(what[1] if len(what) > 1 else {}))
            return
        backend = http.client.HTTPConnection("127.0.0.1", self._backend.port, timeout=PATIENCE)
        try:
            self._forward(handler, backend, what)
        finally:
            backend.close()

    def _forward(
        self, handler: BaseHTTPRequestHandler, backend: http.client.HTTPConnection, what: Any
    ) -> None:
        size = int(handler.headers.get("Content-Length") or 0)
        backend.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            backend.putheader(name, value)
        backend.endheaders()
        if handler.command in ("PATCH", "PUT", "POST"):
            sent = what if isinstance(what, int) else size
            while sent > 0 and (piece := handler.rfile.read(min(sent, 1 << 16))):
                backend.send(piece)
                sent -= len(piece)
            if isinstance(what, int):
                handler.close_connection = True
                return
        answer = backend.getresponse()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                handler.send_header(name, value)
        handler.end_headers()
        left = int(answer.getheader("Content-Length") or 0) if handler.command != "HEAD" else 0
        if isinstance(what, int):
            left = min(left, what)
        elif isinstance(what, threading.Event):
            handler.wfile.write(answer.read(left // 2))
            left -= left // 2
            self.reached.set()
            what.wait(PATIENCE)
        while left > 0 and (piece := answer.read(min(left, 1 << 16))):
            handler.wfile.write(piece)
            left -= len(piece)
        if isinstance(what, int):
            handler.close_connection = True

    def close(self) -> None:
        self._server.close()


class Handmade:
    """A registry that serves what it is given, however wrong that is."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}  # by tag or digest
        self.blobs: dict[str, bytes] = {}
        self._server = Server(self._answer)
        self.host = self._server.host

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        *_, kind, what = urlsplit(handler.path).path.split("/")
        if kind == "manifests" and what in self.manifests:
            media_type, data = self.manifests[what]
            reply(handler, 200, data, Content_Type=media_type)
        elif kind == "blobs" and what in self.blobs:
            reply(handler, 200, self.blobs[what])
        else:
            reply(handler, 200 if handler.path == "/v2/" else 404, b"{}")

    def close(self) -> None:
        self._server.close()


@contextlib.contextmanager
def closing(thing: Any) -> Iterator[Any]:
    try:
        yield thing
    finally:
        thing.close()
