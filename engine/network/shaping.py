"""How fast a container may send or receive: a token bucket (tc-tbf(8)) at its end of the wire, or at the host's."""

from __future__ import annotations

import msgspec

LEAST_BURST = 4096  # bytes: a full packet has to fit
BURST = 0.01  # seconds of the rate that may go at once


class Rate(msgspec.Struct, frozen=True):
    """A ceiling and what waits below it."""

    rate: int  # bytes a second
    queue: int  # bytes that wait; more is dropped

    @property
    def burst(self) -> int:
        """Bytes that may go at once."""
        return max(LEAST_BURST, int(self.rate * BURST))

    @property
    def words(self) -> str:
        """As tc(8) writes it."""
        return f"tbf rate {self.rate * 8 // 1000}kbit burst {self.burst}b limit {self.queue}b"
