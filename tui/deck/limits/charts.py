"""The one chart that shows what a limit does."""

from __future__ import annotations

from engine.model import HostSample, Limits, Sample
from tui.deck.draw.bars import near
from tui.deck.draw.chart import Chart, nice
from tui.deck.past import Past, Series
from tui.presentation.quantities import cores, cores_limit, count, rate, size, size_limit

MiB = 1 << 20


def relevant(name: str, past: Past, limits: Limits, host: HostSample, sample: Sample) -> Chart:
    """The measure that a limit is a limit of; `name` is the field of Limits or IoLimit."""
    if name in ("memory", "memory_high", "swap"):
        return memory(past, limits, sample)
    if name == "pids":
        return pids(past, limits, sample)
    if name in ("read_bps", "read_iops"):
        return flow("disk read", "io_read", past, sample)
    if name in ("write_bps", "write_iops", "io_weight"):
        return flow("disk write", "io_write", past, sample)
    return cpu(past, limits, host, sample)


def cpu(past: Past, limits: Limits, host: HostSample, sample: Sample) -> Chart:
    """Cores against the limit, or the machine."""
    scale = min(limits.cpus, float(host.cores)) if limits.cpus else float(host.cores)
    points = past.series("cpu")
    used = sample.cpu
    return Chart(
        "CPU, cores",
        f"{cores(used)} / {cores_limit(limits.cpus)}",
        points,
        scale,
        f"{cores_limit(scale)}",
        tall=True,
        ink=near(used / scale if used is not None else None, limits.cpus is not None),
    )


def memory(past: Past, limits: Limits, sample: Sample) -> Chart:
    """Used and cache against the limit, or as high as it has been."""
    used, cache = past.series("memory"), past.series("cache")
    limit = limits.memory
    scale = float(limit) if limit else nice(_most(used, cache), MiB, 1024)
    share = sample.memory / scale if sample.memory is not None else None
    return Chart(
        "memory +cache",
        f"{size(sample.memory)}+{size(sample.cache)}/{size_limit(limit)}",
        used,
        scale,
        size(scale),
        beyond=cache,
        tall=True,
        ink=near(share, limit is not None),
    )


def pids(past: Past, limits: Limits, sample: Sample) -> Chart:
    """Processes against the limit, or as many as there have been."""
    points = past.series("pids")
    scale = float(limits.pids) if limits.pids else nice(_most(points), 10)
    number = f"{count(sample.pids)} / {limits.pids or '∞'}"
    return Chart("processes", number, points, scale, count(scale), tall=True)


def flow(label: str, field: str, past: Past, sample: Sample, tall: bool = True) -> Chart:
    """Bytes a second on a scale as high as it has been."""
    points = past.series(field)
    scale = nice(_most(points), 4096, 1024)
    return Chart(label, rate(getattr(sample, field)), points, scale, size(scale), tall=tall)


def _most(points: Series, more: Series | None = None) -> float:
    totals = [value or 0.0 for _, value in points]
    if more is not None:
        totals = [total + (value or 0.0) for total, (_, value) in zip(totals, more, strict=True)]
    return max(totals, default=0.0)
