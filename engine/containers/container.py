"""One container while the engine lives: its record, its cgroup, its monitor, and who waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import msgspec

from engine.cgroups import Cgroup
from engine.containers.record import Record
from engine.launch import Attachment, Monitor, MonitorRecord
from engine.model import ContainerState, ContainerSummary
from engine.network import Lease


class Container:
    """The engine's view of one container; everything that must survive the engine is in its folder."""

    def __init__(self, record: Record, folder: Path, cgroup: Cgroup) -> None:
        self.record = record
        self.folder = folder
        self.cgroup = cgroup
        self.lease: Lease | None = None
        self.monitor: Monitor | None = None
        self.told = ContainerState()  # by the monitor, last
        self.paused = False
        self.removing = False
        self.lock = asyncio.Lock()  # held by every verb that changes its state
        self.follower: asyncio.Task[None] | None = None
        self.attaching: list[asyncio.Future[Attachment]] = []  # clients that attached before the start
        self._exits: list[asyncio.Future[None]] = []
        self._removals: list[asyncio.Future[None]] = []

    @property
    def id(self) -> str:
        """64 hex digits."""
        return self.record.id

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.record.name

    @property
    def log_dir(self) -> Path:
        """Folder of its log segments."""
        return self.folder / "log"

    @property
    def state(self) -> ContainerState:
        """What the monitor recorded, with what only the engine knows."""
        if self.removing:
            return msgspec.structs.replace(self.told, status="removing")
        if self.paused and self.told.status == "running":
            return msgspec.structs.replace(self.told, status="paused")
        return self.told

    @property
    def alive(self) -> bool:
        """Whether its program runs, is paused, or is about to be started again."""
        return self.monitor is not None or self.told.status == "running"

    @property
    def wants_restart(self) -> bool:
        """Whether it is to be started whenever it is found stopped."""
        return self.record.wanted and self.record.config.restart.name in ("always", "unless-stopped")

    def change(self, **changes: object) -> None:
        """Change the record and save it."""
        record = self.record.but(**changes)
        if record != self.record:
            self.record = record
            record.save(self.folder)

    async def signal(self, number: int) -> None:
        """Send a signal to its program."""
        if self.monitor is not None:
            await self.monitor.command("kill", signal=number)
        else:
            os.kill(self.told.pid, number)

    async def stop(self, number: int | None, grace: float | None) -> None:
        """End its program: by `number` (its stop signal by default), and after `grace` seconds by SIGKILL."""
        if self.monitor is not None:
            await self.monitor.command("stop", signal=number, grace=grace)
        else:
            self.cgroup.kill()  # nobody is left who could wait for a grace time

    def summary(self) -> ContainerSummary:
        """What lists and panes show."""
        record, config = self.record, self.record.config
        return ContainerSummary(
            id=record.id,
            name=record.name,
            image=record.image,
            image_id=record.image_id,
            command=" ".join((config.entrypoint or []) + config.command),
            created_at=record.created_at,
            state=self.state,
            labels=config.labels,
            network=config.network,
            address=self.lease.address if self.lease else "",
            publish=record.publish,
            limits=config.limits,
            tty=config.tty,
            auto_remove=config.auto_remove,
        )

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────

    async def exited(self) -> None:
        """Wait until its program has next ended for good."""
        await self._waiter(self._exits)

    async def removed(self) -> None:
        """Wait until it is removed."""
        await self._waiter(self._removals)

    async def _waiter(self, waiters: list[asyncio.Future[None]]) -> None:
        waiter = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        try:
            await waiter
        finally:
            with contextlib.suppress(ValueError):
                waiters.remove(waiter)

    def tell_exited(self) -> None:
        """Wake those who wait for its end."""
        _wake(self._exits)

    def tell_removed(self) -> None:
        """Wake those who wait for its removal."""
        _wake(self._removals)


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)


def recorded(folder: Path) -> MonitorRecord:
    """The monitor's last record (state.json); "created" before the first start."""
    try:
        return msgspec.json.decode((folder / "state.json").read_bytes(), type=MonitorRecord)
    except (FileNotFoundError, msgspec.DecodeError):
        return MonitorRecord()


def told(record: MonitorRecord) -> ContainerState:
    """A monitor's record as clients see it."""
    return msgspec.convert(record, ContainerState, from_attributes=True)
