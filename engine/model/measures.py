"""What is measured, of a container and of the machine, now and before."""

from __future__ import annotations

from engine.model.base import Noun
from engine.model.blame import Blame
from engine.model.containers import ContainerSummary


class Sample(Noun, frozen=True, omit_defaults=False):
    """What the kernel reported of one cgroup over the last tick. None: this host cannot tell."""

    cpu: float | None = None  # cores
    cpu_user: float | None = None
    cpu_system: float | None = None
    throttled: float | None = None  # share of the tick's CFS periods that were throttled
    cpu_some: float | None = None  # PSI, share of the tick
    cpu_full: float | None = None
    cpu_wait: float | None = None  # where there is no PSI: what its threads waited for a CPU, at most 1
    memory: int | None = None  # bytes in use, cache not counted
    cache: int | None = None  # bytes of page cache
    memory_limit: int | None = None  # bytes; None also for no limit
    memory_some: float | None = None
    memory_full: float | None = None
    oom_kills: int | None = None  # since the cgroup was made
    memory_failures: int | None = None  # failed charges (v1 failcnt, v2 memory.events max), since then
    memory_highs: int | None = None  # times slowed down at memory.high (v2 only), since then
    faults: float | None = None  # page faults a second
    major_faults: float | None = None  # those of them that had to wait for a disk
    refaults: float | None = None  # pages a second that were reclaimed and wanted back
    charged: float | None = None  # bytes of memory a second newly taken (v1 only)
    scanned: float | None = None  # bytes a second that reclaim looked at (v2 only)
    reclaimed: float | None = None  # bytes a second that reclaim took away (v2 only)
    io_read: float | None = None  # bytes a second
    io_write: float | None = None
    io_reads: float | None = None  # operations a second
    io_writes: float | None = None
    io_some: float | None = None
    io_full: float | None = None
    net_rx: float | None = None  # bytes a second into the container
    net_tx: float | None = None
    net_rx_packets: float | None = None  # packets a second
    net_tx_packets: float | None = None
    pids: int | None = None

    @property
    def cpu_stall(self) -> float | None:
        """Share of the tick in which something of it waited for a CPU, by whatever measure there is."""
        return self.cpu_wait if self.cpu_some is None else self.cpu_some


SAMPLE_FIELDS = Sample.__struct_fields__


class HostSample(Noun, frozen=True, omit_defaults=False):
    """The whole machine over the last tick."""

    cores: int
    cpu: float | None = None  # cores busy
    cpu_some: float | None = None
    memory_total: int = 0
    memory: int | None = None
    cache: int | None = None
    memory_some: float | None = None
    memory_full: float | None = None
    io_read: float | None = None
    io_write: float | None = None
    io_reads: float | None = None  # operations a second
    io_writes: float | None = None
    io_some: float | None = None
    io_full: float | None = None
    net_rx: float | None = None
    net_tx: float | None = None
    self_cpu: float | None = None  # cores used by tiffin's engine, launcher and monitors
    self_memory: int | None = None  # bytes, proportional set size of the same


class Snapshot(Noun, frozen=True):
    """Everything a live view draws, once a tick and at every change of state."""

    seq: int
    at: float
    interval: float  # seconds between ticks
    host: HostSample
    containers: list[ContainerSummary]
    samples: dict[str, Sample]  # by container id, running ones only
    undo: dict[str, int] = {}  # by container id: how many limit changes can be undone
    verdicts: dict[str, list[Blame]] = {}  # by id, of those that stall: why, the worst resource first


class History(Noun, frozen=True):
    """Past samples of one cgroup, oldest first; all columns have the length of `at`."""

    id: str
    at: list[float]
    fields: dict[str, list[float | None]]
