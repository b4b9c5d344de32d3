"""The engine's process and its clients: one engine, started on demand, that nobody holds up."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.client.http import connect, reachable
from engine.errors import BadRequest, Conflict, EngineUnavailable, KernelError, NotFound, TiffinError
from engine.instance import Instance, find
from engine.model import ContainerConfig, ExecConfig, Limits, LimitsChange, RestartPolicy

pytestmark = pytest.mark.system

PATIENCE = 60.0
FOREVER = ["sh", "-c", "while :; do sleep 0.1; done"]


def eventually(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@contextmanager
def killed(pid: int) -> Iterator[None]:
    """Kill a process and let the block run once it is dead."""
    process = os.pidfd_open(pid)
    signal.pidfd_send_signal(process, signal.SIGKILL)
    assert select.select([process], [], [], PATIENCE)[0]
    os.close(process)
    yield


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def descriptors(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return sorted(found)


# ── starting and ending ─────────────────────────────────────────────────────────────────────────────────────


def test_clients_that_come_at_once_get_one_engine(instance: Instance) -> None:
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: EngineClient.connect(instance), range(8)))
        pids = set(pool.map(lambda client: client.status().pid, clients))
    assert len(pids) == 1


def test_without_leave_to_start_there_is_no_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no engine answers"):
        EngineClient.connect(find(tmp_path / "tiffin"), start=False)
    assert not (tmp_path / "tiffin").exists()


def test_a_killed_engine_is_noticed_within_a_call_and_replaced_by_the_next_client(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    id = client.run(ContainerConfig(image="host", command=FOREVER), "box")
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            client.wait("box")
        except EngineUnavailable as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    live = client.live()
    next(live)
    with killed(client.status().pid):
        waiting.join(PATIENCE)
        assert [type(failure) for failure in failures] == [EngineUnavailable]
        with pytest.raises(EngineUnavailable):
            list(live)
        with pytest.raises(EngineUnavailable):
            client.containers()
    assert EngineClient.connect(instance).containers()[0].id == id


def test_shutdown_returns_when_the_process_is_gone_and_takes_the_socket_along(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    pid = client.status().pid
    live = client.live()  # an open stream holds nothing up
    next(live)
    client.shutdown()
    assert not alive(pid)
    assert not instance.socket.exists()


def test_terminate_ends_it_cleanly_and_containers_go_on(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    client.run(ContainerConfig(image="host", command=FOREVER), "box")
    before = client.inspect("box")["State"]["Pid"]
    pid = client.status().pid
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGTERM)
    assert select.select([process], [], [], PATIENCE)[0]
    os.close(process)
    assert not instance.socket.exists()
    assert Path(f"/proc/{before}").exists()
    assert EngineClient.connect(instance).inspect("box")["State"]["Pid"] == before


def test_a_second_engine_in_the_foreground_is_refused(instance: Instance) -> None:
    EngineClient.connect(instance)
    done = subprocess.run(
        [sys.executable, "-m", "engine", "--root", str(instance.root)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "an engine runs already" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_that_cannot_start_says_why_to_the_client(tmp_path: Path) -> None:
    instance = find(tmp_path / "tiffin")
    instance.state.mkdir(parents=True)
    (instance.state / "containers").write_text("in the way")
    with pytest.raises(TiffinError) as caught:
        EngineClient.connect(instance)
    assert "containers" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_the_socket_is_its_owners_alone_also_below_a_very_long_path(tmp_path: Path) -> None:
    instance = find(tmp_path / ("long" * 20) / ("longer" * 12))
    client = EngineClient.connect(instance)
    assert instance.socket.stat().st_mode & 0o777 == 0o600
    assert client.status().socket == str(instance.socket)
    client.shutdown()


def test_the_engine_holds_no_folder_and_no_descriptor_of_who_started_it(instance: Instance) -> None:
    status = EngineClient.connect(instance).status()
    assert Path(f"/proc/{status.pid}/cwd").readlink() == Path("/")
    assert not [
        name for name in descriptors(status.pid) if "pytest" in name and str(instance.root) not in name
    ]
    fields = Path(f"/proc/{status.pid}/stat").read_text().rpartition(")")[2].split()
    assert int(fields[3]) != os.getsid(0)
    assert int(fields[1]) != os.getpid()  # init's child, which reaps it


def test_the_engines_log_is_bounded(instance: Instance) -> None:
    instance.state.mkdir(parents=True)
    instance.log.write_bytes(b"old\n" * (1 << 19))
    EngineClient.connect(instance).shutdown()
    assert instance.log.stat().st_size < 1 << 20
    assert instance.log.with_name("engine.log.1").stat().st_size < 4 << 20


# ── talking ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_errors_arrive_as_they_were_raised(client: EngineClient) -> None:
    with pytest.raises(NotFound, match="no container 'nobody'"):
        client.inspect("nobody")
    with pytest.raises(NotFound):
        client.logs("nobody")  # asked when called, not when read
    with pytest.raises(BadRequest, match="empty"):
        client.stop("")
    client.create(ContainerConfig(image="host", command=["true"]), "box")
    with pytest.raises(Conflict, match="in use"):
        client.create(ContainerConfig(image="host", command=["true"]), "box")
    with pytest.raises(BadRequest, match="filter"):
        client.containers(filters={"colour": ["red"]})


def raw(instance: Instance, request: bytes) -> bytes:
    with connect(instance.socket) as connection:
        connection.sendall(request)
        found = b""
        while data := connection.recv(65536):
            found += data
        return found


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /nowhere HTTP/1.1", b"404"),
        (b"DELETE /_ping HTTP/1.1", b"405"),
        (b"GET /v1.99/info HTTP/1.1", b"400"),
        (b"GET /v1.30/info HTTP/1.1", b"200"),
        (b"GET /containers/json?filters=nonsense HTTP/1.1", b"400"),
        (b"GET /containers/json?limit=x HTTP/1.1", b"400"),
        (b"GET /containers/json?limit=" + b"9" * 400 + b" HTTP/1.1", b"400"),
        (b"GET /containers/json?limit=nan HTTP/1.1", b"400"),
        (b"GET /tiffin/history?seconds=inf HTTP/1.1", b"400"),
        (b"GET /tiffin/history?seconds=1&fields=colour HTTP/1.1", b"400"),
        (b"POST /containers/create HTTP/1.1", b"400"),
        (b"GET /events?since=yesterday HTTP/1.1", b"400"),
        (b"HEAD /_ping HTTP/1.1", b"200"),
        (b"nonsense", b"400"),
    ],
)
def test_strange_requests_get_an_answer_and_no_traceback(
    client: EngineClient, request_line: bytes, status: bytes
) -> None:
    answer = raw(client.instance, request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] == status
    assert b"Traceback" not in answer
    log = client.instance.log.read_text()
    assert "Traceback" not in log


def test_everything_a_container_has_through_the_client(client: EngineClient) -> None:
    config = ContainerConfig(
        image="host",
        command=["sh", "-c", "echo hello; echo oops >&2; touch /made; exec sleep 1000"],
        limits=Limits(cpus=0.5),
        labels={"a": "1"},
    )
    id = client.run(config, "box")
    lines = client.logs("box", follow=True)
    first = sorted((line.stream, line.text) for line in (next(lines), next(lines)))
    assert first == [("stderr", "oops"), ("stdout", "hello")]
    del lines
    extent = client.log_extent("box")
    assert client.log_read("box", extent.first, 1 << 16).count(b"\n") == 2
    eventually(lambda: "/made" in [change.path for change in client.diff("box")], "it made its file")
    assert [process.command for process in client.top("box")] == ["sleep 1000"]
    assert client.containers(filters={"label": ["a=1"]})[0].id == id
    applied = client.update("box", LimitsChange(cpus=1.0), RestartPolicy(name="on-failure", max_retries=2))
    assert (applied.before.cpus, applied.after.cpus, applied.undo_left) == (0.5, 1.0, 1)
    assert {reading.name: reading.value for reading in client.limits("box")}["cpus"] == 1.0
    assert client.undo("box").after.cpus == 0.5
    with pytest.raises(Conflict):
        client.undo("box")
    exec_id = client.exec_create("box", ExecConfig(command=["sh", "-c", "cat; exit 5"], stdin=True))
    with client.exec_start(exec_id, tty=False) as stream:
        stream.write(b"to and fro")
        stream.close_write()
        assert stream.read() == ("stdout", b"to and fro")
        assert stream.read() is None
    assert client.exec_wait(exec_id).exit_code == 5
    assert client.archive_stat("box", "/etc")["name"] == "etc"
    with pytest.raises(NotFound):
        client.archive_stat("box", "/no/such")
    tar = b"".join(client.archive_get("box", "/etc/hostname"))
    client.archive_put("box", "/tmp", [tar])
    assert (
        client.archive_stat("box", "/tmp/hostname")["size"]
        == client.archive_stat("box", "/etc/hostname")["size"]
    )
    client.rename("box", "crate")
    client.pause("crate")
    assert client.containers()[0].state.status == "paused"
    client.unpause("crate")
    waiting = client.waiting("crate", "next-exit")
    client.kill("crate", "KILL")
    assert waiting().exit_code == 137
    client.start("crate")
    client.stop("crate", grace=0)
    client.remove("crate")
    actions = [event.action for event in client.events(since=1, until=time.time()) if event.id == id]
    for action in (
        "create",
        "start",
        "update",
        "rename",
        "pause",
        "unpause",
        "kill",
        "die",
        "stop",
        "destroy",
    ):
        assert action in actions


def test_watching(client: EngineClient) -> None:
    live = client.live()
    assert next(live).containers == []
    id = client.run(ContainerConfig(image="host", command=FOREVER), "box")
    while id not in (snapshot := next(live)).samples:
        pass
    assert snapshot.containers[0].name == "box"
    eventually(lambda: len(client.history("box").at) > 1, "it has a history")
    assert client.snapshot().samples[id].pids
    assert {history.id for history in client.history_all(60, ["cpu"])} == {"host", id}
    assert [history.id for history in client.history_all(60, ["throttled"])] == [id]
    assert "self_cpu" in client.history("host").fields
    report = client.doctor()
    assert {check.verdict for check in report.checks} <= {"ok", "limited", "missing"}
    roles = [process.role for process in client.status().processes]
    assert roles.count("engine") == 1
    assert roles.count("monitor") >= 1
    mine = [process for process in client.status().processes if process.container == id]
    assert [process.role for process in mine] == ["monitor"]


# ── clients that misbehave ──────────────────────────────────────────────────────────────────────────────────


def test_streams_end_with_their_clients(client: EngineClient) -> None:
    client.run(ContainerConfig(image="host", command=FOREVER, stdin=True), "box")
    pid = client.status().pid
    before = len(descriptors(pid))
    for _ in range(3):
        streams = [client.live(), client.events(), client.logs("box", follow=True)]
        next(streams[0])
        attached = client.attach("box", stdin=True)
        exec_id = client.exec_create("box", ExecConfig(command=["cat"], stdin=True))
        running = client.exec_start(exec_id, tty=False)
        waiting = client.waiting("box")
        attached.close()
        running.close()
        del streams, waiting
    client.kill("box")
    eventually(lambda: len(descriptors(pid)) <= before, "nothing is held for clients that have gone")


def test_one_who_does_not_read_costs_no_memory_and_holds_nobody_up(client: EngineClient) -> None:
    flood = ["sh", "-c", "while :; do echo 0123456789012345678901234567890123456789; done"]
    client.run(ContainerConfig(image="host", command=flood), "flood")
    lazy = [client.logs("flood", follow=True) for _ in range(3)]
    attached = client.attach("flood", stdin=False)
    pid = client.status().pid

    def resident() -> int:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    eventually(lambda: client.log_extent("flood").end > 4 << 20, "it writes")
    before = resident()
    eventually(lambda: client.log_extent("flood").end > 40 << 20, "it writes a lot")
    assert resident() - before < 8 << 20
    began = time.monotonic()
    client.containers()
    assert time.monotonic() - began < 1
    assert attached.read() is not None
    del lazy
    attached.close()
    client.kill("flood")


def test_a_big_log_is_followed_without_a_gap(client: EngineClient) -> None:
    count = 50_000
    counting = f"i=0; while [ $i -lt {count} ]; do echo $i; i=$((i+1)); done"
    client.run(ContainerConfig(image="host", command=["sh", "-c", counting]), "count")
    assert [int(line.text) for line in client.logs("count", follow=True)] == list(range(count))


def test_a_stale_socket_of_a_dead_engine_is_replaced(instance: Instance) -> None:
    instance.run.mkdir(parents=True)
    stale = socket.socket(socket.AF_UNIX)
    with reachable(instance.socket) as name:
        stale.bind(name)
    stale.close()
    assert EngineClient.connect(instance).containers() == []


def test_a_root_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KernelError, match="Not a directory"):
        EngineClient.connect(find(tmp_path / "file" / "tiffin"))
