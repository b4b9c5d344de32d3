"""tiffin metrics: what is measured, for Prometheus."""

from __future__ import annotations

import argparse
import ipaddress
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from engine.client import EngineClient
from engine.errors import BadRequest, KernelError, TiffinError
from tui.cli.door import engine
from tui.cli.output import notice
from tui.cli.parser import Parser

LOOPBACK = "127.0.0.1"
OPENMETRICS = "application/openmetrics-text"
TYPES = {
    True: f"{OPENMETRICS}; version=1.0.0; charset=utf-8",
    False: "text/plain; version=0.0.4; charset=utf-8",
}
PATIENCE = 10.0  # seconds that a client may take for its request


def arguments(parser: Parser) -> None:
    """Declare flags."""
    parser.argument(
        "--listen",
        metavar="[ADDR:]PORT",
        read=_address,
        help="serve http://ADDR:PORT/metrics until interrupted; without ADDR for this machine alone",
    )
    parser.argument(
        "--openmetrics", action="store_true", help="print OpenMetrics instead of Prometheus' older text"
    )


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    if args.listen is None:
        print(client.metrics(args.openmetrics), end="")
        return 0
    host, port = args.listen
    try:
        server = _Server(client, host, port)
    except (OSError, OverflowError) as error:
        refused = error if isinstance(error, OSError) else OSError(22, str(error))
        raise KernelError.of(
            f"listening on {host} port {port}", refused, "choose another port or address"
        ) from error
    if not ipaddress.ip_address(host).is_loopback:
        notice("whoever reaches this address can read the names of containers and images")
    shown = f"[{host}]" if ":" in host else host
    notice(f"serving http://{shown}:{server.server_address[1]}/metrics; ^C ends it")
    with server:
        server.serve_forever()
    return 0


def _address(text: str) -> tuple[str, int]:
    """An address and a port; 0 is any that is free."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or LOOPBACK
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)), _port(port)
    except ValueError:
        raise BadRequest("not an address and a port", "write 9464, 127.0.0.1:9464 or [::1]:9464") from None


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ValueError(text)
    return int(text)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, client: EngineClient, host: str, port: int) -> None:
        self.client = client
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version = "tiffin"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, "text/plain; charset=utf-8", "metrics are at /metrics\n")
            return
        openmetrics = OPENMETRICS in self.headers.get("Accept", "")
        try:
            self._answer(200, TYPES[openmetrics], self.server.client.metrics(openmetrics))
        except TiffinError as error:
            self._answer(503, "text/plain; charset=utf-8", f"{error}\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape is no news."""
