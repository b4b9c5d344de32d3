"""What an operator sees is what the kernel does: gauges against programs whose use is known."""

from __future__ import annotations

import itertools
import time
import urllib.request
from collections.abc import Iterator

import pytest

from engine.cgroups import detect
from engine.client import EngineClient
from engine.errors import Unsupported
from engine.model import ContainerConfig, Limits, LimitsChange, Publish, Sample

pytestmark = pytest.mark.system

BUSY = ContainerConfig(image="host", command=["sh", "-c", "while :; do :; done"], limits=Limits(cpus=0.5))
SERVER = "import http.server as h; h.HTTPServer(('', 80), h.SimpleHTTPRequestHandler).serve_forever()"
ALLOCATE = "b = bytearray(200 << 20); b[::4096] = b'x' * len(b[::4096]); print('not reached')"


def ticks(client: EngineClient, id: str) -> Iterator[Sample]:
    """Each new sample of a container."""
    at = -1.0
    for snapshot in client.live():
        sample = snapshot.samples.get(id)
        if sample is not None and sample.cpu is not None and snapshot.host.cpu is not None:
            if at != sample.cpu:  # published again at changes of state with the samples of the last tick
                yield sample
            at = sample.cpu


def reaches(client: EngineClient, id: str, cores: float, tolerance: float) -> bool:
    """Whether some tick reads `cores`, counting what other work on the machine kept from a busy loop."""
    for sample in itertools.islice(ticks(client, id), 2, 40):
        cpu = sample.cpu or 0.0
        assert cpu <= cores + tolerance
        waited = 0.0 if sample.throttled else sample.cpu_some or 0.0
        if cpu + waited >= cores - tolerance:
            return True
    return False


def test_a_quota_reads_as_what_it_is_and_a_turned_one_two_ticks_later(client: EngineClient) -> None:
    id = client.run(BUSY, "busy")
    assert reaches(client, id, 0.5, tolerance=0.03)
    cores = min(1.0, client.snapshot().host.cores)
    applied = client.update(id, LimitsChange(cpus=cores))
    assert (applied.before.cpus, applied.after.cpus) == (0.5, cores)
    assert reaches(client, id, cores, tolerance=0.05)
    assert client.undo(id).after.cpus == 0.5


def test_a_program_over_its_memory_dies_with_an_oom_that_is_named(client: EngineClient) -> None:
    config = ContainerConfig(
        image="host", command=["/usr/bin/python3", "-c", ALLOCATE], limits=Limits(memory=64 << 20)
    )
    id = client.run(config, "greedy")
    status = client.wait(id)
    assert (status.exit_code, status.oom_killed) == (137, True)
    state = next(c.state for c in client.containers() if c.id == id)
    assert (state.oom_killed, state.oom_limit) == (True, 64 << 20)
    assert list(client.logs(id)) == []
    assert {"oom", "die"} <= {event.action for event in client.events(since=1, until=time.time())}


def test_two_servers_listen_on_port_80_and_both_answer(client: EngineClient) -> None:
    command = ["/usr/bin/python3", "-c", SERVER]
    try:
        ids = [
            client.run(
                ContainerConfig(
                    image="host",
                    command=command,
                    publish=[Publish(container_port=80, host_ip="127.0.0.1")],
                    workdir=workdir,
                )
            )
            for workdir in ("/usr", "/etc")
        ]
    except Unsupported:  # a kernel without nft_nat, such as User-Mode Linux's: they are reached directly
        ids = [
            client.run(ContainerConfig(image="host", command=command, workdir=workdir))
            for workdir in ("/usr", "/etc")
        ]
    summaries = {c.id: c for c in client.containers()}
    pages = [page(summaries[id].address, 80) for id in ids]
    for id in ids:
        for port in summaries[id].publish:
            pages.append(page("127.0.0.1", port.host_port))
    usr, etc = pages[0], pages[1]
    assert "bin/" in usr
    assert "passwd" in etc
    assert pages[2:] in ([], [usr, etc])


def page(address: str, port: int) -> str:
    """A web page, as soon as the server listens."""
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}:{port}/", timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
        except (TimeoutError, ConnectionResetError):
            pass


def test_every_limit_is_read_back_cleared_and_undone(client: EngineClient) -> None:
    id = client.run(ContainerConfig(image="host", command=["sleep", "1000"]), "limited")
    supported = {reading.name for reading in client.limits(id) if reading.supported}
    wanted = {
        "cpus": 0.25, "cpu_weight": 50, "cpuset": "0", "memory": 128 << 20, "memory_high": 96 << 20,
        "pids": 42,
    }  # fmt: skip
    assert {"cpus", "cpu_weight", "memory", "pids"} <= supported
    assert ("memory_high" in supported) == (detect().version("memory") == 2)
    count = 0
    for name, value in wanted.items():
        if name not in supported:
            with pytest.raises(Unsupported):
                client.update(id, LimitsChange(**{name: value}))
            continue
        applied = client.update(id, LimitsChange(**{name: value}))
        count += 1
        assert getattr(applied.after, name) == value
        assert applied.undo_left == count
    for left in range(count - 1, -1, -1):
        assert client.undo(id).undo_left == left
    assert next(c.limits for c in client.containers() if c.id == id) == Limits(
        cpuset=client.inspect(id)["HostConfig"]["CpusetCpus"] or None
    )
    client.update(id, LimitsChange(cpus=0.5, pids=10))
    after = client.update(id, LimitsChange(cpus=None, pids=None)).after
    assert (after.cpus, after.pids) == (None, None)
