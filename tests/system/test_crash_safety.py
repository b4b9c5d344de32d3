"""Nothing is lost when tiffin's own processes are killed at any moment."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.instance import Instance
from engine.model import ContainerConfig, EngineStatus, Limits, RestartPolicy
from tests.system.command import eventually

pytestmark = pytest.mark.system

LINES = 100_000
COUNT = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; done; exit 7"


def kill_all_but_monitors(status: EngineStatus) -> None:
    for process in status.processes:
        if process.role != "monitor":
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not any(alive(p.pid) for p in status.processes if p.role != "monitor"), "all are dead")


def alive(pid: int) -> bool:
    """Whether any thread of it is left: the first one can be a zombie while others still hold its sockets."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        return state not in (b"Z", b"X") or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except OSError:
        return False


def test_no_line_and_no_exit_code_is_lost_when_all_but_the_monitors_are_killed(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    id = client.run(ContainerConfig(image="host", command=["sh", "-c", COUNT]), "counter")
    eventually(lambda: client.log_extent(id).end > 0, "it has begun to count")
    status = client.status()
    assert {p.role for p in status.processes} == {"engine", "launcher", "monitor"}
    kill_all_but_monitors(status)
    client = EngineClient.connect(instance)  # starts another
    assert client.wait(id).exit_code == 7
    assert [line.text for line in client.logs(id)] == [str(i) for i in range(1, LINES + 1)]


def test_what_ended_while_no_engine_was_there_is_known_to_the_next(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    id = client.run(ContainerConfig(image="host", command=["sh", "-c", "read line; exit 9"], stdin=True))
    monitor = next(p.pid for p in client.status().processes if p.role == "monitor" and p.container)
    stream = client.attach(id, stdin=True)
    pid = client.inspect(id)["State"]["Pid"]
    kill_all_but_monitors(client.status())
    stream.close()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(monitor), "its monitor has recorded the end")
    state = EngineClient.connect(instance).inspect(id)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)


def test_a_container_whose_monitor_was_killed_is_reported_as_it_is(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    id = client.run(ContainerConfig(image="host", command=["sleep", "1000"]))
    monitor = next(p.pid for p in client.status().processes if p.role == "monitor" and p.container)
    os.kill(monitor, signal.SIGKILL)

    def error() -> str:
        return next(c for c in client.containers() if c.id == id).state.error

    eventually(lambda: "monitor was killed" in error(), "the engine noticed")
    state = next(c for c in client.containers() if c.id == id).state
    if state.status == "running":  # its program went on without it
        client.stop(id, grace=0)
        assert client.wait(id).exit_code in (137, 125)  # 125: a kernel that does not tell
    assert not client.inspect(id)["State"]["Running"]
    client.start(id)
    assert client.inspect(id)["State"]["Running"]


def test_adopted_containers_keep_pause_limits_and_restart_policy(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    config = ContainerConfig(image="host", command=["sleep", "1000"], limits=Limits(cpus=0.5))
    paused = client.run(config, "paused")
    client.pause(paused)
    again = client.run(
        ContainerConfig(image="host", command=["sh", "-c", "exit 3"], restart=RestartPolicy(name="always")),
        "again",
    )
    kill_all_but_monitors(client.status())
    client = EngineClient.connect(instance)
    states = {c.name: c for c in client.containers()}
    assert states["paused"].state.status == "paused"
    assert states["paused"].limits.cpus == 0.5
    count = states["again"].state.restart_count
    eventually(lambda: client.inspect(again)["RestartCount"] > count, "it is started again and again")
    client.stop(again)
    assert client.inspect(again)["State"]["Status"] == "exited"
    client.unpause(paused)


def test_an_always_container_is_started_again_by_the_next_engine(instance: Instance) -> None:
    client = EngineClient.connect(instance)
    always = RestartPolicy(name="always")
    wanted = client.run(ContainerConfig(image="host", command=["sleep", "1000"], restart=always), "wanted")
    stopped = client.run(ContainerConfig(image="host", command=["sleep", "1000"], restart=always), "stopped")
    client.stop(stopped, grace=0)
    pids = [p.pid for p in client.status().processes] + [client.inspect(wanted)["State"]["Pid"]]
    for pid in pids:  # as a power cut would
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(map(alive, pids)), "all are dead")
    client = EngineClient.connect(instance)
    eventually(lambda: client.inspect(wanted)["State"]["Status"] == "running", "it runs again")
    assert client.inspect(stopped)["State"]["Status"] == "exited"
