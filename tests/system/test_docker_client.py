"""Debian's own `docker` command pointed at tiffin's socket."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from leftovers import leftovers

from engine.client import EngineClient
from engine.errors import EngineUnavailable
from engine.instance import Instance, find

pytestmark = pytest.mark.system

DOCKER = "/usr/bin/docker"  # the package docker.io's; another one may come first in PATH
PATIENCE = 60
LOOP = "while :; do sleep 0.1; done"
PRINTING = "echo out; echo err >&2; echo last"


class Docker:
    """The docker command on one instance."""

    def __init__(self, instance: Instance, home: Path) -> None:
        self.instance = instance
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "xterm",
            "DOCKER_HOST": f"unix://{instance.socket}",
        }

    def run(self, *words: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [DOCKER, *words], input=input, capture_output=True, env=self.env, timeout=PATIENCE, check=False
        )

    def __call__(self, *words: str, input: bytes = b"") -> str:
        """What a command that must succeed printed."""
        done = self.run(*words, input=input)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stderr.decode()}"
        return done.stdout.decode().rstrip("\n")

    def begin(self, *words: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [DOCKER, *words], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=self.env
        )

    def terminal(self, *words: str) -> pexpect.spawn[str]:
        return pexpect.spawn(
            DOCKER, list(words), env=self.env, timeout=PATIENCE, encoding="utf-8", dimensions=(30, 100)
        )

    def state(self, name: str) -> str:
        return self("inspect", "-f", "{{.State.Status}}", name)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    instance = find(tmp_path_factory.mktemp("docker") / "tiffin")
    client = EngineClient.connect(instance)
    yield client
    for container in client.containers():
        client.remove(container.id, force=True, volumes=True)
    client.shutdown()
    with pytest.raises(EngineUnavailable):
        client.status()
    deadline = time.monotonic() + PATIENCE
    while left := leftovers(instance):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.02)


@pytest.fixture
def docker(engine: EngineClient, tmp_path: Path) -> Iterator[Docker]:
    yield Docker(engine.instance, tmp_path)
    for container in engine.containers():
        engine.remove(container.id, force=True, volumes=True)


def test_version_and_info(docker: Docker) -> None:
    assert docker("version", "-f", "{{.Server.APIVersion}} {{.Server.MinAPIVersion}}") == "1.41 1.24"
    told = json.loads(docker("info", "-f", "{{json .}}"))
    assert told["Containers"] == 0
    assert told["NCPU"] == os.cpu_count()
    assert not told.get("ServerErrors")


def test_run_gives_output_streams_and_exit_status(docker: Docker) -> None:
    done = docker.run("run", "--rm", "host", "sh", "-c", f"{PRINTING}; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\nlast\n", b"err\n")
    assert docker("ps", "-aq") == ""


def test_run_passes_standard_input_through_to_its_end(docker: Docker) -> None:
    data = os.urandom(500_000)
    assert docker.run("run", "-i", "--rm", "host", "cat", input=data).stdout == data


def test_run_that_cannot_start_says_why(docker: Docker) -> None:
    done = docker.run("run", "--rm", "host", "/no/such/program")
    assert done.returncode == 127
    assert b"/no/such/program" in done.stderr
    assert docker.run("run", "--rm", "host", "/etc/passwd").returncode == 126
    done = docker.run("run", "--pid", "host", "host", "true")
    assert done.returncode == 125
    assert b"HostConfig.PidMode is not supported" in done.stderr


def test_ps_shows_and_filters(docker: Docker) -> None:
    docker("run", "-d", "--name", "web", "--label", "a=1", "host", "sh", "-c", LOOP)
    docker("create", "--name", "idle", "host", "true")
    columns = "{{.Names}}|{{.Image}}|{{.State}}"
    assert docker("ps", "--format", columns) == "web|host|running"
    assert re.fullmatch("Up .*second.*", docker("ps", "--format", "{{.Status}}"))
    assert set(docker("ps", "-a", "--format", "{{.Names}}").split()) == {"web", "idle"}
    assert docker("ps", "-a", "--filter", "status=created", "--format", "{{.Names}}") == "idle"
    assert docker("ps", "--filter", "label=a=1", "--format", "{{.Names}}") == "web"
    assert docker("ps", "-a", "--filter", "name=nothing", "-q") == ""
    assert docker("ps", "-n", "1", "--format", "{{.Names}}") == "idle"


def test_ports(docker: Docker, engine: EngineClient) -> None:
    done = docker.run("run", "-d", "--name", "web", "-p", "18080:80", "host", "sh", "-c", LOOP)
    [firewall] = [check for check in engine.doctor().checks if check.name == "firewall"]
    if firewall.verdict != "ok":  # a kernel that cannot publish says so
        assert done.returncode == 125
        assert b"firewall" in done.stderr
        return
    assert docker("port", "web") == "80/tcp -> 0.0.0.0:18080"
    assert docker("ps", "--format", "{{.Ports}}") == "0.0.0.0:18080->80/tcp"


def test_inspect_knows_the_container(docker: Docker) -> None:
    id = docker(
        "run", "-d", "--name", "box", "--cpus", "0.5", "-m", "64m", "-e", "A=1", "-v", "data:/data:ro",
        "host", "sh", "-c", LOOP,
    )  # fmt: skip
    [found] = json.loads(docker("inspect", "box"))
    assert found["Id"] == id
    assert found["State"]["Running"] is True
    assert Path(f"/proc/{found['State']['Pid']}").exists()
    assert found["HostConfig"]["NanoCpus"] == 500_000_000
    assert found["HostConfig"]["Memory"] == found["HostConfig"]["MemorySwap"] - found["HostConfig"]["Memory"]
    assert re.fullmatch(r"10\.\d+\.\d+\.\d+", found["NetworkSettings"]["IPAddress"])
    assert "A=1" in found["Config"]["Env"]
    [mount] = found["Mounts"]
    assert (mount["Name"], mount["Destination"], mount["RW"]) == ("data", "/data", False)
    assert Path(mount["Source"]).is_dir()
    assert found["Tiffin"]["limits"] == {"cpus": 0.5, "memory": 64 << 20, "swap": 64 << 20}
    assert docker("volume", "ls", "-q") == "data"
    docker("rm", "-f", "box")
    docker("volume", "rm", "data")


def test_logs_follow_until_the_end(docker: Docker) -> None:
    docker(
        "run",
        "-d",
        "-i",
        "--name",
        "talk",
        "host",
        "sh",
        "-c",
        "while read x; do echo got $x; done; echo end",
    )
    following = docker.begin("logs", "-f", "talk")
    attached = docker.begin("attach", "--no-stdin=false", "talk")
    assert attached.stdin
    assert following.stdout
    attached.stdin.write("one\ntwo\n")
    attached.stdin.flush()
    assert [following.stdout.readline() for _ in range(2)] == ["got one\n", "got two\n"]
    attached.stdin.close()
    attached.stdin = None
    assert following.communicate(timeout=PATIENCE)[0] == "end\n"
    assert attached.communicate(timeout=PATIENCE)[0].endswith("end\n")
    assert (following.returncode, attached.returncode) == (0, 0)
    assert docker("logs", "talk") == "got one\ngot two\nend"
    assert docker("logs", "--tail", "1", "talk") == "end"
    stamped = docker("logs", "-t", "--tail", "1", "talk")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z end", stamped)
    stamp = stamped.split()[0]
    assert docker("logs", "--since", stamp, "talk") == "end"


def test_logs_keep_the_streams_apart(docker: Docker) -> None:
    docker("run", "--name", "both", "host", "sh", "-c", PRINTING)
    done = docker.run("logs", "both")
    assert (done.stdout, done.stderr) == (b"out\nlast\n", b"err\n")


def test_stop_start_restart_kill_wait(docker: Docker) -> None:
    docker("run", "-d", "--name", "box", "host", "sh", "-c", f"trap 'exit 5' TERM; echo ready; {LOOP}")
    following = docker.begin("logs", "-f", "box")
    assert following.stdout
    assert following.stdout.readline() == "ready\n"
    waiting = docker.begin("wait", "box")
    docker("stop", "box")
    assert waiting.communicate(timeout=PATIENCE)[0] == "5\n"
    following.communicate(timeout=PATIENCE)
    assert docker.state("box") == "exited"
    docker("start", "box")
    assert docker.state("box") == "running"
    docker("start", "box")  # once more is no error
    docker("restart", "-t", "0", "box")
    assert docker.state("box") == "running"
    docker("kill", "box")
    assert docker("wait", "box") == "137"
    docker("stop", "box")
    assert re.match(r"Exited \(137\)", docker("ps", "-a", "--format", "{{.Status}}"))


def test_pause_and_unpause(docker: Docker) -> None:
    docker("run", "-d", "--name", "box", "host", "sh", "-c", LOOP)
    docker("pause", "box")
    assert docker.state("box") == "paused"
    assert docker("ps", "--format", "{{.Status}}").endswith("(Paused)")
    docker("unpause", "box")
    assert docker.state("box") == "running"


def test_rm_and_rename(docker: Docker) -> None:
    docker("run", "-d", "--name", "box", "host", "sh", "-c", LOOP)
    done = docker.run("rm", "box")
    assert done.returncode == 1
    assert b"running" in done.stderr
    docker("rename", "box", "crate")
    assert docker("ps", "--format", "{{.Names}}") == "crate"
    docker("rm", "-f", "crate")
    done = docker.run("rm", "crate")
    assert done.returncode == 1
    assert b"No such container: crate" in done.stderr


def test_top_lists_processes(docker: Docker) -> None:
    docker("run", "-d", "--name", "box", "host", "sh", "-c", "sleep 1000 & exec sleep 2000")
    lines = docker("top", "box").splitlines()
    assert lines[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert any(line.endswith("sleep 2000") for line in lines)


def test_stats_has_the_cores_and_the_memory(docker: Docker) -> None:
    docker("run", "-d", "--name", "busy", "--cpus", "0.5", "host", "sh", "-c", "while :; do :; done")
    form = "{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}"
    name, cpu, memory, pids = docker("stats", "--no-stream", "--format", form).split("|")
    assert (name, pids) == ("busy", "1")
    assert 5 < float(cpu.rstrip("%")) < 60  # a busy machine may give it less than its limit
    assert re.fullmatch(r"[\d.]+[KM]iB / [\d.]+[GM]iB", memory)


def test_update_changes_limits_of_a_running_container(docker: Docker, engine: EngineClient) -> None:
    docker("run", "-d", "--name", "box", "host", "sh", "-c", LOOP)
    docker("update", "--cpus", "0.5", "--memory", "64m", "--restart", "on-failure:3", "box")
    readings = {reading.name: reading.value for reading in engine.limits("box")}
    assert (readings["cpus"], readings["memory"]) == (0.5, 64 << 20)
    told = docker("inspect", "-f", "{{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}}", "box")
    assert told == "500000000 on-failure"
    docker("update", "--cpus", "0.75", "box")
    readings = {reading.name: reading.value for reading in engine.limits("box")}
    assert (readings["cpus"], readings["memory"]) == (0.75, 64 << 20)


def test_events_as_they_happen_and_from_before(docker: Docker) -> None:
    watching = docker.begin(
        "events", "--since", "0", "--format", "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}"
    )
    assert watching.stdout
    assert docker.run("run", "--name", "seen", "host", "sh", "-c", "exit 3").returncode == 3
    docker("rm", "seen")
    seen = []
    while "container destroy seen" not in seen:
        seen.append(watching.stdout.readline().strip())
    watching.kill()
    watching.communicate()
    wanted = ["create", "start", "die", "destroy"]
    assert [
        line.split()[1] for line in seen if line.endswith(" seen") and line.split()[1] in wanted
    ] == wanted
    until = f"{time.time():.9f}"
    past = docker(
        "events", "--since", "1h", "--until", until, "--filter", "container=seen", "--filter", "event=die"
    )
    assert "exitCode=3" in past


def test_exec_streams_status_input_and_environment(docker: Docker) -> None:
    docker("run", "-d", "--name", "box", "host", "sh", "-c", LOOP)
    for _ in range(5):
        done = docker.run(
            "exec", "-e", "A=1", "-w", "/tmp", "box", "sh", "-c", f"pwd; echo $A; {PRINTING}; exit 9"
        )
        assert (done.returncode, done.stdout, done.stderr) == (9, b"/tmp\n1\nout\nlast\n", b"err\n")
    data = os.urandom(300_000)
    assert docker.run("exec", "-i", "box", "cat", input=data).stdout == data
    docker("exec", "-d", "box", "sh", "-c", "echo in the background > /tmp/done")
    done = docker.run("exec", "box", "/no/such")
    assert done.returncode == 127
    assert b"/no/such" in done.stderr
    assert docker.run("exec", "box", "/etc/passwd").returncode == 126


def test_exec_in_a_terminal(docker: Docker) -> None:
    docker("run", "-d", "--name", "box", "host", "sh", "-c", LOOP)
    shell = docker.terminal("exec", "-it", "-e", "PS1=ready> ", "box", "sh")
    shell.expect("ready> ")
    shell.sendline("tty; echo $((6*7))")
    shell.expect("/dev/pts/[0-9]+\r\n42\r\n")
    shell.setwinsize(33, 111)
    shell.expect("ready> ")
    deadline = time.monotonic() + PATIENCE
    while True:  # the resize is a request of its own, on another connection
        shell.sendline("stty size")
        if shell.expect(["33 111\r\n", "30 100\r\n", "24 80\r\n"]) == 0:
            break
        assert time.monotonic() < deadline
    shell.sendline("exit 4")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 4


def test_run_in_a_terminal_detach_and_attach_again(docker: Docker) -> None:
    shell = docker.terminal("run", "-it", "--name", "box", "-e", "PS1=ready> ", "host", "sh")
    shell.expect("ready> ")
    shell.send("\x10\x11")  # ctrl-p ctrl-q
    shell.expect(pexpect.EOF)
    shell.close()
    assert docker.state("box") == "running"
    again = docker.terminal("attach", "box")
    again.sendline("echo $((6*7)); exit 3")
    again.expect("42")
    again.expect(pexpect.EOF)
    again.close()
    assert again.exitstatus == 3
    assert docker.state("box") == "exited"


def test_a_client_that_dies_while_attached_costs_the_container_nothing(docker: Docker) -> None:
    docker("run", "-d", "-i", "--name", "box", "host", "cat")
    attached = docker.begin("attach", "box")
    assert attached.stdin
    assert attached.stdout
    attached.stdin.write("one\n")
    attached.stdin.flush()
    assert attached.stdout.readline() == "one\n"
    attached.kill()
    attached.communicate()
    second = docker.run("attach", "box", input=b"two\n")
    assert second.stdout == b"two\n"
    assert docker("wait", "box") == "0"


def test_cp_in_and_out(docker: Docker, tmp_path: Path) -> None:
    docker("run", "-d", "--name", "box", "host", "sh", "-c", LOOP)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("content")
    docker("cp", str(tmp_path / "in"), "box:/tmp/folder")
    assert docker("exec", "box", "cat", "/tmp/folder/a") == "content"
    docker("cp", "box:/tmp/folder/a", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "content"
    done = docker.run("cp", "box:/tmp/folder", "-")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert sorted(tar.getnames()) == ["folder", "folder/a"]
    assert docker.run("cp", "box:/no/such", str(tmp_path)).returncode == 1
    assert "A /tmp/folder/a" in docker("diff", "box").splitlines()


def test_images_and_import(docker: Docker, tmp_path: Path) -> None:
    assert docker("images", "--format", "{{.Repository}}:{{.Tag}}") == "host:latest"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("etc/motd")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"hey"))
    told = docker("import", "-", "tiny:1", input=packed.getvalue())
    assert told.startswith("sha256:")
    assert docker("images", "-q", "--no-trunc", "tiny:1") == told
    assert docker("inspect", "-f", "{{.Id}}", "tiny:1") == told
    docker("create", "--name", "tiny", "tiny:1", "/x")
    assert docker.run("rmi", "tiny:1").returncode == 1
    docker("rm", "tiny")
    assert docker("rmi", "tiny:1").splitlines()[0] == "Untagged: tiny:1"
    assert docker("images", "-q", "tiny") == ""
    assert b"cannot be removed" in docker.run("rmi", "host").stderr


def test_networks(docker: Docker) -> None:
    docker("network", "create", "--subnet", "10.123.0.0/24", "lab")
    assert set(docker("network", "ls", "--format", "{{.Name}}").split()) == {"bridge", "host", "none", "lab"}
    docker("run", "-d", "--name", "box", "--network", "lab", "host", "sh", "-c", LOOP)
    told = docker("inspect", "-f", "{{.NetworkSettings.Networks.lab.IPAddress}}", "box")
    assert told.startswith("10.123.0.")
    [network] = json.loads(docker("network", "inspect", "lab"))
    assert [end["IPv4Address"] for end in network["Containers"].values()] == [f"{told}/24"]
    assert docker.run("network", "rm", "lab").returncode == 1
    docker("rm", "-f", "box")
    docker("network", "rm", "lab")


def test_volumes(docker: Docker) -> None:
    docker("volume", "create", "--label", "a=1", "data")
    docker("run", "--rm", "-v", "data:/data", "host", "sh", "-c", "echo kept > /data/x")
    assert docker("run", "--rm", "-v", "data:/data", "host", "cat", "/data/x") == "kept"
    assert docker("volume", "ls", "-q", "--filter", "label=a=1") == "data"
    docker("create", "--name", "box", "-v", "data:/data", "host", "true")
    assert docker.run("volume", "rm", "data").returncode == 1
    docker("rm", "box")
    docker("volume", "rm", "data")
    assert docker("volume", "ls", "-q") == ""


def test_prune(docker: Docker) -> None:
    docker("run", "-d", "--name", "kept", "host", "sh", "-c", LOOP)
    docker("create", "--name", "gone", "host", "true")
    assert "Deleted Containers" in docker("container", "prune", "-f")
    assert docker("ps", "-a", "--format", "{{.Names}}") == "kept"
    assert docker("system", "df", "--format", "{{.Type}}").splitlines()[:2] == ["Images", "Containers"]
