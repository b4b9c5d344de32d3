"""The other verbs on a real engine: lists, logs, limits, copies, images, networks, volumes, the engine."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.system.command import COMMAND, PATIENCE, Tiffin, tiffin_at

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def tiffin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiffin]:
    with tiffin_at(tmp_path_factory.mktemp("cli-verbs")) as tool:
        yield tool


@pytest.fixture(scope="module")
def box(tiffin: Tiffin) -> str:
    """A container that idles through the whole module."""
    tiffin("run", "-d", "--name", "box", "--label", "role=idle", "host", "sleep", "100000")
    return "box"


def test_a_life(tiffin: Tiffin) -> None:
    """Every verb that changes a state, and the state as `inspect` and `ps` see it."""
    ident = tiffin("create", "--name", "life", "host", "sleep", "1000")
    assert len(ident) == 64
    assert tiffin.status("life") == "created"
    assert tiffin("start", "life") == "life"
    assert tiffin.status(ident[:12]) == "running"
    tiffin("pause", "life")
    assert tiffin.status("life") == "paused"
    assert "(Paused)" in tiffin("ps", "--filter", "name=life")
    tiffin("unpause", "life")
    tiffin("restart", "-t", "0", "life")
    assert tiffin.status("life") == "running"
    tiffin("rename", "life", "second")
    tiffin("kill", "-s", "KILL", "second")
    assert tiffin("wait", "second") == "137"
    assert tiffin("ps", "-q", "--filter", "name=second") == ""
    assert "Exited (137)" in tiffin("ps", "-a", "--filter", "name=second")
    tiffin("start", "second")
    tiffin("stop", "-t", "0", "second")
    assert tiffin.status("second") == "exited"
    assert tiffin("rm", "second") == "second"
    missing = tiffin.process("inspect", "second")
    assert missing.returncode == 1
    assert b"no such container or image" in missing.stderr


def test_one_failure_does_not_keep_the_others(tiffin: Tiffin) -> None:
    tiffin("create", "--name", "there", "host", "true")
    done = tiffin.process("rm", "missing", "there")
    assert done.returncode == 1
    assert done.stdout == b"there\n"
    assert done.stderr.startswith(b"tiffin: ")


def test_ps(tiffin: Tiffin, box: str) -> None:
    ident = tiffin("inspect", "-f", "{{.Id}}", box)
    assert tiffin("ps", "-q", "--filter", f"name={box}") == ident[:12]
    assert tiffin("ps", "-q", "--no-trunc", "--filter", "label=role=idle") == ident
    header, row = tiffin("ps", "--filter", f"name={box}").splitlines()
    assert header.split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert row.startswith(ident[:12])
    assert '"sleep 100000"' in row
    assert " Up " in row
    (known,) = [one for one in tiffin.json("ps", "--json") if one["name"] == box]
    assert known["state"]["status"] == "running"
    assert known["state"]["restart_count"] == 0  # fields that hold their default are there too


def test_logs(tiffin: Tiffin) -> None:
    tiffin(
        "run",
        "-d",
        "--name",
        "talker",
        "host",
        "sh",
        "-c",
        "echo a; echo b >&2; sleep 0.2; echo c; sleep 1000",
    )
    with tiffin.begin("logs", "-f", "talker") as follower:
        assert [follower.stdout.readline() for _ in range(2)] == ["a\n", "c\n"]
        tiffin("kill", "talker")
        assert follower.end() == ("", "b\n", 0)
    done = tiffin.process("logs", "talker")
    assert (done.stdout, done.stderr) == (b"a\nc\n", b"b\n")
    assert tiffin("logs", "-n", "1", "talker") == "c"
    assert tiffin("logs", "--until", "1", "talker") == ""
    assert tiffin("logs", "--since", "1h", "--tail", "all", "talker") == "a\nc"
    stamp, text = tiffin("logs", "-t", "-n", "1", "talker").split(" ")
    assert stamp.endswith("Z")
    assert text == "c"


def test_logs_into_a_pipe_that_closes_end_quietly(tiffin: Tiffin) -> None:
    tiffin("run", "--name", "chatty", "host", "seq", "200000")
    with tiffin.begin("logs", "chatty") as command:
        assert command.stdout.readline() == "1\n"
        command.stdout.close()
        assert command.process.wait(PATIENCE) == 141
        assert command.stderr.read() == ""


def test_stats_once(tiffin: Tiffin) -> None:
    tiffin("run", "-d", "--name", "busy", "--cpus", "0.5", "host", "sh", "-c", "while :; do :; done")
    (usage,) = tiffin.json("stats", "--once", "--json", "busy")
    assert usage["name"] == "busy"
    assert usage["cpus"] == 0.5
    assert 0 < usage["sample"]["cpu"] < 0.8
    assert usage["sample"]["memory"] > 0
    header, row = tiffin("stats", "--no-stream", "busy").splitlines()
    assert header.split()[0] == "NAME"
    assert row.split()[:2] == ["●", "busy"]
    tiffin("rm", "-f", "busy")


def test_stats_live(tiffin: Tiffin, box: str) -> None:
    with tiffin.begin("stats", "--json", box) as stream:
        first, second = (json.loads(stream.stdout.readline())[0] for _ in range(2))
        assert second["at"] > first["at"]
    child = tiffin.terminal("stats", box, columns=120)
    child.expect("STALL")
    child.expect("box")
    child.sendintr()
    child.expect_exact("\x1b[?25h")  # the cursor is shown again
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130


def test_top_and_diff(tiffin: Tiffin, box: str) -> None:
    assert "sleep 100000" in tiffin("top", box)
    assert tiffin.json("top", "--json", box)[0]["pid"] == int(tiffin("inspect", "-f", "State.Pid", box))
    tiffin(
        "exec",
        box,
        "sh",
        "-c",
        "echo new >/tmp/made; rm /etc/hostname.none 2>/dev/null; echo x >>/etc/passwd",
    )
    changes = tiffin("diff", box).splitlines()
    assert "A /tmp/made" in changes
    assert "C /etc/passwd" in changes


def test_limits_are_changed_read_back_and_undone(tiffin: Tiffin, box: str) -> None:
    assert tiffin("update", "--cpus", "0.5", "--pids-limit", "50", box) == f"{box}  cpus ∞ → 0.5  pids ∞ → 50"
    assert tiffin("inspect", "-f", "HostConfig.NanoCpus", box) == "500000000"
    applied = tiffin.json("update", "--json", "--cpus", "0.75", box)
    assert (applied["before"]["cpus"], applied["after"]["cpus"]) == (0.5, 0.75)
    assert any(reading["name"] == "cpus" and reading["value"] == 0.75 for reading in applied["readings"])
    assert tiffin("update", "--undo", box) == f"{box}  cpus 0.75 → 0.5"
    assert (
        tiffin("update", "--cpus", "max", "--pids-limit", "max", box) == f"{box}  cpus 0.5 → ∞  pids 50 → ∞"
    )
    refused = tiffin.process("update", "--cpuset-cpus", "4000", box)
    assert refused.returncode != 0
    assert refused.stderr.startswith(b"tiffin: ")


def test_events(tiffin: Tiffin) -> None:
    since = time.time()
    milestones = ["create", "start", "die", "destroy"]
    seen: list[str] = []
    with tiffin.begin("events", "--json", "--since", str(since), "--filter", "container=noted") as stream:
        tiffin("run", "--rm", "--name", "noted", "host", "true")
        while "destroy" not in seen:
            event = json.loads(stream.stdout.readline())
            assert event["name"] == "noted"
            seen.append(event["action"])
    assert [action for action in seen if action in milestones] == milestones
    past = tiffin("events", "--since", str(since), "--until", str(time.time()), "--filter", "event=die")
    assert "container die" in past


def test_cp_out(tiffin: Tiffin, box: str, tmp_path: Path) -> None:
    tiffin("exec", box, "sh", "-c", "mkdir -p /srv/tree/sub; echo 1 >/srv/tree/one; ln -s one /srv/tree/link")
    tiffin("cp", f"{box}:/srv/tree/one", str(tmp_path))
    tiffin("cp", f"{box}:/srv/tree/one", str(tmp_path / "renamed"))
    assert (tmp_path / "one").read_text() == (tmp_path / "renamed").read_text() == "1\n"
    tiffin("cp", f"{box}:srv/tree", str(tmp_path / "copy"))
    tiffin("cp", f"{box}:/srv/tree", str(tmp_path))
    (tmp_path / "inner").mkdir()
    tiffin("cp", f"{box}:/srv/tree/.", str(tmp_path / "inner"))
    for copy in ("copy", "tree", "inner"):
        assert {path.name for path in (tmp_path / copy).iterdir()} == {"one", "link", "sub"}
        assert (tmp_path / copy / "link").readlink() == Path("one")
    tiffin("cp", "-L", f"{box}:/srv/tree/link", str(tmp_path / "followed"))
    assert (tmp_path / "followed").read_text() == "1\n"
    tar = tiffin.process("cp", f"{box}:/srv/tree", "-").stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert "tree/one" in archive.getnames()


def test_cp_in(tiffin: Tiffin, box: str, tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "two").write_bytes(os.urandom(300_000))
    tiffin("exec", box, "mkdir", "-p", "/srv/in")
    tiffin("cp", str(tmp_path / "tree" / "two"), f"{box}:/srv/in")
    tiffin("cp", str(tmp_path / "tree" / "two"), f"{box}:/srv/in/renamed")
    tiffin("cp", str(tmp_path / "tree"), f"{box}:/srv/in")
    tiffin("cp", str(tmp_path / "tree"), f"{box}:/srv/in/copy")
    tiffin("cp", f"{tmp_path}/tree/.", f"{box}:/srv/in")
    found = tiffin("exec", box, "sh", "-c", "cd /srv/in; find . | sort").splitlines()
    tree = ["", "/sub", "/two"]
    assert found == [
        ".",
        *(f"./copy{one}" for one in tree),
        "./renamed",
        "./sub",
        *(f"./tree{one}" for one in tree),
        "./two",
    ]
    tiffin("exec", box, "cmp", "/srv/in/two", "/srv/in/copy/two")
    back = tiffin.process("cp", f"{box}:/srv/in/copy/two", "-").stdout
    tiffin("exec", box, "mkdir", "/srv/again")
    tiffin("cp", "-", f"{box}:/srv/again", input=back)
    tiffin("exec", box, "cmp", "/srv/in/two", "/srv/again/two")


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("box:/no/such", ".", "/no/such"),
        ("missing:/etc/passwd", ".", "missing"),
        ("box:/etc/passwd", "/no/such/folder/x", "there is no folder /no/such/folder"),
        ("/no/such", "box:/tmp", "No such file"),
        ("/etc", "box:/etc/passwd", "is a file"),
        ("/etc/passwd", "box:/no/such/x", "there is no folder /no/such"),
    ],
)
def test_cp_refuses_with_a_sentence(
    tiffin: Tiffin, box: str, source: str, target: str, sentence: str
) -> None:
    done = tiffin.process("cp", source, target)
    assert done.returncode == 1
    assert done.stderr.startswith(b"tiffin: ")
    assert sentence in done.stderr.decode()


def rootfs(at: Path) -> Path:
    """A root file system with nothing but busybox."""
    (at / "bin").mkdir(parents=True)
    busybox = subprocess.run(["sh", "-c", "command -v busybox"], capture_output=True, text=True, check=True)
    (at / "bin" / "busybox").write_bytes(Path(busybox.stdout.strip()).read_bytes())
    (at / "bin" / "busybox").chmod(0o755)
    (at / "bin" / "sh").symlink_to("busybox")
    archive = at.with_suffix(".tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(at, ".")
    return archive


def test_images(tiffin: Tiffin, tmp_path: Path) -> None:
    archive = rootfs(tmp_path / "root")
    ident = tiffin("import", str(archive), "tiny:1")
    assert ident.startswith("sha256:")
    assert (
        tiffin("run", "--rm", "tiny:1", "sh", "-c", "echo inside; busybox ls /bin") == "inside\nbusybox\nsh"
    )
    rows = [line.split() for line in tiffin("images").splitlines()]
    assert ["tiny", "1"] in [row[:2] for row in rows]
    assert {name for image in tiffin.json("images", "--json") for name in image["names"]} >= {"tiny:1"}
    assert tiffin("import", "-", "tiny:2", input=archive.read_bytes())
    assert tiffin("rmi", "tiny:1", "tiny:2") == "tiny:1\ntiny:2"
    (tmp_path / "bad.tar").write_bytes(b"not a tar" * 1000)
    for words in (
        ["import", str(tmp_path / "bad.tar"), "bad"],
        ["import", "/no/such", "x"],
        ["rmi", "no-such"],
    ):
        done = tiffin.process(*words)
        assert done.returncode == 1
        assert done.stderr.startswith(b"tiffin: ")
    assert "bad" not in tiffin("images")


def test_networks_and_volumes(tiffin: Tiffin) -> None:
    tiffin("network", "create", "--subnet", "10.99.7.0/24", "lab")
    (lab,) = tiffin.json("network", "inspect", "lab")
    assert lab["subnet"] == "10.99.7.0/24"
    assert {"bridge", "none", "host", "lab"} <= {
        one["name"] for one in tiffin.json("network", "ls", "--json")
    }
    assert "lab" in tiffin("network", "ls")
    tiffin("network", "rm", "lab")
    assert tiffin.process("network", "inspect", "lab").returncode == 1
    assert tiffin("volume", "create", "data") == "data"
    tiffin("run", "--rm", "-v", "data:/data", "host", "sh", "-c", "echo kept >/data/file")
    assert tiffin("run", "--rm", "-v", "data:/data:ro", "host", "cat", "/data/file") == "kept"
    assert "data" in tiffin("volume", "ls")
    assert tiffin("volume", "rm", "data") == "data"
    assert tiffin.json("volume", "ls", "--json") == []


def test_the_engine_may_stop_and_containers_go_on(tiffin: Tiffin, box: str) -> None:
    pid = tiffin("inspect", "-f", "State.Pid", box)
    before = tiffin.json("engine", "status", "--json")
    assert before["socket"] == str(tiffin.root / "run" / "engine.sock")
    assert {process["role"] for process in before["processes"]} == {"engine", "launcher", "monitor"}
    assert all(process["pss"] > 0 for process in before["processes"])
    tiffin("engine", "stop")
    told = tiffin.process("engine", "status")
    assert told.returncode == 3
    assert b"no engine" in told.stderr
    assert Path(f"/proc/{pid}").exists()
    assert tiffin("inspect", "-f", "State.Pid", box) == pid  # starts another engine, which adopts it
    assert tiffin.json("engine", "status", "--json")["pid"] != before["pid"]


def test_engine_stop_all(tmp_path: Path) -> None:
    with tiffin_at(tmp_path) as tool:
        tool("run", "-d", "--name", "one", "--init", "host", "sleep", "1000")
        tool("run", "-d", "--name", "two", "--init", "host", "sleep", "1000")
        tool("engine", "stop", "--all")
        assert tool("ps", "-q") == ""


def test_doctor(tiffin: Tiffin) -> None:
    report = tiffin.json("doctor", "--json")
    assert report["checks"]
    assert all(check["verdict"] == "ok" or check["cost"] for check in report["checks"])
    assert report["checks"][0]["name"] in tiffin("doctor")


def test_root_may_be_given_before_and_after_the_verb(tiffin: Tiffin, box: str) -> None:
    env = {**tiffin.env, "TIFFIN_ROOT": "/nonexistent/elsewhere"}
    for words in (["--root", str(tiffin.root), "ps", "-q"], ["ps", "-q", "--root", str(tiffin.root)]):
        done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=env, check=True)
        assert done.stdout.split() == tiffin("ps", "-q").split()


def test_names_are_completed(tiffin: Tiffin, box: str) -> None:
    def words(*line: str) -> list[str]:
        return [line.partition("\t")[0] for line in tiffin("__complete", *line).splitlines()]

    assert "box" in words("stop", "b")
    assert "box" not in words("start", "b")
    assert words("run", "-it", "hos") == ["host"]
    assert "box:" in words("cp", "bo")
    assert "bridge" in words("run", "--network", "bri")


def test_nothing_is_started_by_completion_or_status(tmp_path: Path) -> None:
    tool = Tiffin(tmp_path)
    assert tool("__complete", "stop", "") == ""
    tool("engine", "status", status=3)
    tool("engine", "stop")
    assert not list(tmp_path.iterdir())
