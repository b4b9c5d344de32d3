"""A shop that serves its name on port 80, and asks itself at that address, every 50 ms."""

from __future__ import annotations

import contextlib
import socket
import threading

from .board import Board, Report
from .pace import keep
from .wire import Wire

PORT, EVERY, PATIENCE = 80, 0.05, 0.5


class Shop:
    """Listens where it can, and answers every request with its name."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.why_not = ""
        self.served = 0
        self._server: socket.socket | None = None

    def open(self) -> bool:
        """Whether it listens, now or already."""
        if self._server is None:
            try:
                self._server = socket.create_server((self.address, PORT))
            except OSError as error:
                self.why_not = error.strerror or ""
                return False
            threading.Thread(target=self._serve, args=(self._server,), daemon=True).start()
        return True

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown(socket.SHUT_RDWR)  # wakes who accepts
            self._server.close()
            self._server = None

    def _serve(self, server: socket.socket) -> None:
        body = self.name.encode()
        head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with contextlib.suppress(OSError):
            while True:
                visitor, _ = server.accept()
                with contextlib.suppress(OSError), visitor:
                    visitor.settimeout(PATIENCE)
                    visitor.recv(4096)
                    visitor.sendall(head + body)
                self.served += 1

    def answers(self) -> bool:
        """Whether a visitor finds this one and no other."""
        try:
            with socket.create_connection((self.address, PORT), PATIENCE) as visitor:
                visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while piece := visitor.recv(4096):
                    answer += piece
        except OSError:
            return False
        return answer.endswith(self.name.encode())


def play(wire: Wire, name: str, works: str = "") -> None:
    """Keep shop whenever it is told to; with `works` what it served counts as the neighbour's work."""
    board = Board(1)
    while True:
        shop = Shop(name, wire.await_go()["at"])
        report = Report(board)

        def visit(shop: Shop = shop) -> bool:
            if not (shop.open() and shop.answers()):
                return False
            board.add(0, 1)
            return True

        keep(Counting(wire, report, shop) if works else Telling(wire, shop), EVERY, visit)
        shop.close()
        if works:
            wire.tell(halted=True, **report.since())


class Telling(Wire):
    """A wire whose messages say why there is no shop."""

    def __init__(self, wire: Wire, shop: Shop) -> None:
        self._wire = wire
        self._shop = shop

    def order(self, seconds: float | None = None) -> dict[str, object] | None:
        """See Wire."""
        return self._wire.order(seconds)

    def tell(self, **message: object) -> None:
        """See Wire."""
        self._wire.tell(why_not=self._shop.why_not, at=self._shop.address, **message)


class Counting(Telling):
    """A wire whose messages are the neighbour's."""

    def __init__(self, wire: Wire, report: Report, shop: Shop) -> None:
        super().__init__(wire, shop)
        self._report = report

    def tell(self, **message: object) -> None:
        """See Wire."""
        super().tell(**self._report.since())
