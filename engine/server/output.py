"""What containers have written, and what they use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from aiohttp import web

from engine import logs
from engine.containers import Containers
from engine.containers.container import Container
from engine.docker.logs import MULTIPLEXED, RAW, Encoder
from engine.docker.stats import Counters, stats
from engine.errors import BadRequest
from engine.model import JSON, Sample
from engine.server.http import Route, answer, begin, encode_lines, flag, moment, number, stream
from engine.watch.disks import Disks
from engine.watch.kept import Budget, Gone
from engine.watch.parse import CpuTime, Io, Throttling
from engine.watch.reader import Counts, Reader

PERIOD = 1.0  # seconds between two answers of a stream of stats


class OutputRoutes:
    """Logs and stats."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._growth = logs.Growth()
        self._budget, self._disks = Budget(0), Disks()

    def close(self) -> None:
        """Follow no more logs."""
        self._growth.close()

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/containers/{ref}/logs", self.show, live=True),
            Route("GET", "/containers/{ref}/stats", self.stats, live=True),
            Route("GET", "/tiffin/containers/{ref}/lines", self.lines, live=True),
            Route("GET", "/tiffin/containers/{ref}/log", self.read),
        ]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """GET /containers/{ref}/logs: a terminal's as it is, else framed by stream."""
        container = self._containers.get(request.match_info["ref"])
        wanted = {name for name in ("stdout", "stderr") if flag(request, name)}
        if not wanted:
            raise BadRequest("neither stdout nor stderr is asked for", "ask for one of them")
        tty = container.record.config.tty
        encoder = Encoder(tty, flag(request, "timestamps"))
        async with self._records(request, container) as records:
            response = await begin(request, RAW if tty else MULTIPLEXED)
            async for batch in records:
                if data := encoder.encode(record for record in batch if record.stream in wanted):
                    await response.write(data)
        return response

    async def lines(self, request: web.Request) -> web.StreamResponse:
        """GET /tiffin/containers/{ref}/lines: LogLine by LogLine."""
        container = self._containers.get(request.match_info["ref"])
        async with self._records(request, container) as records:
            response = await begin(request)
            async for batch in logs.lines(records):
                await response.write(encode_lines(batch))
        return response

    async def read(self, request: web.Request) -> web.Response:
        """GET /tiffin/containers/{ref}/log: raw records by offset, and how far the log reaches."""
        folder = self._containers.get(request.match_info["ref"]).log_dir
        size = min(int(number(request, "size") or 0), logs.CHUNK * 16)
        data = logs.read(folder, int(number(request, "offset") or 0), size) if size > 0 else b""
        extent = logs.extent(folder)
        headers = {"Tiffin-Log-First": str(extent.first), "Tiffin-Log-End": str(extent.end)}
        return web.Response(body=data, headers=headers, content_type="application/octet-stream")

    @asynccontextmanager
    async def _records(
        self, request: web.Request, container: Container
    ) -> AsyncGenerator[AsyncIterator[list[logs.Record]]]:
        asked = None if request.query.get("tail") == "all" else number(request, "tail")
        tail = None if asked is None or asked < 0 else int(asked)
        since, until = moment(request, "since"), moment(request, "until")
        ended = asyncio.ensure_future(_ended(container))
        follow = logs.Follow(self._growth, ended) if flag(request, "follow") else None
        try:
            async with aclosing(
                logs.records(container.log_dir, since=since, until=until, tail=tail, follow=follow)
            ) as records:
                yield records
        finally:
            ended.cancel()

    async def stats(self, request: web.Request) -> web.StreamResponse:
        """GET /containers/{ref}/stats: counters of now and of a second ago; one-shot has none of then."""
        container = self._containers.get(request.match_info["ref"])
        if flag(request, "stream", default=True):
            return await stream(request, self._stats(container, wait=True))
        async for found in self._stats(container, wait=not flag(request, "one-shot")):
            return answer(found)
        return answer({})

    async def _stats(self, container: Container, wait: bool) -> AsyncIterator[JSON]:
        reader = Reader(container.cgroup.hierarchy, container.cgroup.path, self._budget, self._disks)
        host = self._containers.rooms.watch.snapshot().host
        before = Counters(at=0)
        try:
            if wait:
                before, _ = self._count(container, reader)
            while True:
                if wait:
                    await asyncio.sleep(PERIOD)
                now, sample = self._count(container, reader)
                yield stats(container.summary(), sample, now, before, host.cores, host.memory_total)
                before = now
        except Gone:  # it does not run, or no longer
            yield stats(container.summary(), Sample(), Counters(at=0), Counters(at=0), host.cores, 0)
        finally:
            reader.close()

    def _count(self, container: Container, reader: Reader) -> tuple[Counters, Sample]:
        lease = container.lease
        traffic = self._containers.rooms.networks.counters().get(lease.veth) if lease else None
        sample = reader.sample(traffic)
        counts = reader.counts or Counts(0)
        cpu, throttling = counts.cpu or CpuTime(0, 0, 0), counts.throttling or Throttling(0, 0)
        io, net = counts.io or Io(0, 0, 0, 0), counts.net or (0, 0, 0, 0)
        counters = Counters(
            at=time.time(),
            uptime=time.monotonic(),
            cpu=cpu.usage / 1e6,
            cpu_user=cpu.user / 1e6,
            cpu_system=cpu.system / 1e6,
            periods=throttling.periods,
            throttled_periods=throttling.throttled,
            io_read=io.read,
            io_write=io.written,
            io_reads=io.reads,
            io_writes=io.writes,
            net_rx=net[0],
            net_tx=net[1],
            net_rx_packets=net[2],
            net_tx_packets=net[3],
        )
        return counters, sample


async def _ended(container: Container) -> None:
    while container.alive:  # asked when this begins to wait, which is later than when it was called for
        await container.exited()
