"""An engine that pulls: killed in the middle, asked for other things meanwhile, by our command and by Docker's."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from byhand import Made, layer, tar
from command import Tiffin, tiffin_at
from peers import publish, skopeo
from registries import PASSWORD, USER, Registry, Relay, basic, closing

from engine.client import EngineClient
from engine.errors import EngineUnavailable
from engine.instance import find

MIB = 1 << 20
DOCKER = "/usr/bin/docker"


@pytest.fixture
def tiffin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiffin]:
    """The command, with a home of its own for credentials."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    with tiffin_at(tmp_path / "tiffin") as tool:
        yield tool


def engine_pid(tiffin: Tiffin) -> int:
    return int((tiffin.root / "run/engine.lock").read_text())


def test_killed_in_the_middle_the_store_is_whole_and_the_next_pull_goes_on(
    tiffin: Tiffin, registry: Registry, relay: Relay, tmp_path: Path
) -> None:
    made = Made(layer("killed", 4 * MIB), layer("small"))
    publish(made, tmp_path, f"{registry.host}/killed:1")
    hold = threading.Event()
    blob = made.manifest["layers"][0]["digest"]
    relay.disturb = lambda method, path: hold if method == "GET" and path.endswith(blob) else None
    client = EngineClient.connect(find(tiffin.root))
    with client.image_pull(f"{relay.host}/killed:1") as transfers:
        for transfer in transfers:
            if any(part.done > MIB for part in transfer.parts):
                break
        os.kill(engine_pid(tiffin), signal.SIGKILL)
        with pytest.raises(EngineUnavailable):
            list(transfers)
    hold.set()
    relay.disturb = lambda method, path: None
    assert "whole" in tiffin("images", "--verify")
    assert tiffin("images", "-q").split() == ["host"]
    kept = (tiffin.root / "state/downloads" / blob[7:]).stat().st_size
    assert MIB <= kept < 4 * MIB
    assert tiffin("pull", f"{relay.host}/killed:1") == f"{relay.host}/killed:1"
    assert [span for path, span in relay.blobs() if path.endswith(blob)] == ["", f"bytes={kept}-"]
    assert "whole" in tiffin("images", "--verify")
    assert not list((tiffin.root / "state/downloads").iterdir())


def test_others_are_answered_while_layers_come_and_are_unpacked(
    tiffin: Tiffin, registry: Registry, tmp_path: Path
) -> None:
    made = Made(*(layer(f"busy{number}", 16 * MIB) for number in range(4)))
    publish(made, tmp_path, f"{registry.host}/busy:1")
    client = EngineClient.connect(find(tiffin.root))
    idle = sorted(_answered_in(client) for _ in range(20))
    during: list[float] = []
    with client.image_pull(f"{registry.host}/busy:1") as transfers:
        following = threading.Thread(target=lambda: list(transfers))
        following.start()
        while following.is_alive():
            during.append(_answered_in(client))
        following.join()
    assert len(during) > 5
    # On a quiet machine the median is some milliseconds; here it must only not wait for the work as such.
    assert sorted(during)[len(during) // 2] < max(0.15, 20 * idle[10]), (idle, during)


def _answered_in(client: EngineClient) -> float:
    began = time.monotonic()
    client.containers(all=True)
    return time.monotonic() - began


def test_the_verbs(tiffin: Tiffin, registry: Registry, tmp_path: Path) -> None:
    made = Made()
    publish(made, tmp_path, f"{registry.host}/verbs:1")
    done = tiffin.process("pull", f"{registry.host}/verbs:1")
    assert done.stdout.decode() == f"{registry.host}/verbs:1\n"
    lines = done.stderr.decode().splitlines()
    for blob in made.manifest["layers"]:
        assert [line for line in lines if re.fullmatch(rf"{blob['digest'][7:19]}  +\d+B  done", line)], lines
    assert tiffin("push", f"{registry.host}/verbs:1", f"{registry.host}/other:2").endswith(made.digest)
    archive = tmp_path / "saved.tar"
    tiffin("save", "-o", str(archive), f"{registry.host}/verbs:1")
    piped = tiffin.process("save", f"{registry.host}/verbs:1").stdout
    assert archive.read_bytes() == piped  # the same bytes at every time
    tiffin("rmi", f"{registry.host}/verbs:1")
    assert tiffin("load", input=piped) == f"Loaded image: {registry.host}/verbs:1"
    made.layout(tmp_path / "folder", "from/folder:1")
    assert tiffin("load", str(tmp_path / "folder")) == "Loaded image: from/folder:1"
    actions = [
        json.loads(line)["action"]
        for line in tiffin("events", "--since", "1h", "--until", "0s", "--json").splitlines()
    ]
    assert {"pull", "push", "load"} <= set(actions)


def test_a_container_has_what_is_not_here_pulled(tiffin: Tiffin, registry: Registry, tmp_path: Path) -> None:
    name, first, second = f"{registry.host}/wanted:1", Made(layer("first")), Made(layer("second"))
    publish(first, tmp_path / "first", name)
    refused = tiffin.process("create", "--pull", "never", name)
    assert refused.returncode == 1
    assert f"no image '{name}'" in refused.stderr.decode()

    def made_of(*flags: str) -> str:
        done = tiffin.process("create", *flags, name)
        assert done.returncode == 0, done.stderr
        return str(json.loads(tiffin("inspect", done.stdout.decode().strip()))[0]["Image"])

    ids = [made.manifest["config"]["digest"] for made in (first, second)]
    assert made_of() == ids[0]
    publish(second, tmp_path / "second", name)
    assert [made_of(), made_of("--pull", "always", "-q")] == ids
    unknown = tiffin.process("run", "--rm", f"{registry.host}/wanted:2")
    assert unknown.returncode == 125
    assert "wanted:2' here, and pulling" in unknown.stderr.decode()
    assert len(tiffin("ps", "-aq").splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pull"], "required"),
        (["pull", "Not/A name"], "no name for an image"),
        (["pull", "localhost:1/x"], "reaching localhost:1"),
        (["pull", "--platform", "a/b/c/d", "x"], "no platform"),
        (["push", "nothing"], "no image 'nothing'"),
        (["push", "host", "localhost:1/x"], "this machine itself"),
        (["save", "nothing"], "no image 'nothing'"),
        (["save", "--format", "zip", "host"], "invalid choice"),
        (["load", "-i", "/nowhere"], "reading /nowhere"),
        (["load", "/etc"], "no OCI layout"),
        (["load"], "empty"),
        (["login", "-u", "x", "-p", "y", "--password-stdin"], "both given"),
        (["login", "--password-stdin", "localhost:1"], "--username"),
        (["login", "localhost:1"], "nobody can be asked"),
        (["login", "-u", "x", "--password-stdin", "http://a b"], "no name|no registry"),
        (["logout", "localhost:1"], "nobody is logged in"),
    ],
)
def test_what_is_asked_wrongly(tiffin: Tiffin, words: list[str], said: str) -> None:
    done = tiffin.process(*words)
    told = done.stderr.decode()
    assert done.returncode
    assert re.search(said, told), told
    assert "Traceback" not in told
    assert done.stdout == b""


def test_logging_in_as_docker_and_podman_do(tiffin: Tiffin, tmp_path: Path) -> None:
    with closing(Registry(tmp_path / "registry", auth=basic(tmp_path))) as registry:
        name = f"{registry.host}/app:1"
        publish(Made(), tmp_path, name, f"--dest-creds={USER}:{PASSWORD}")
        assert "tiffin login" in tiffin.process("pull", name).stderr.decode()
        wrong = tiffin.process("login", "-u", USER, "--password-stdin", registry.host, input="wrong")
        assert "does not accept the login of tiffin" in wrong.stderr.decode()
        kept = tmp_path / "home/.docker/config.json"
        assert not kept.exists()
        assert str(kept) in tiffin("login", "-u", USER, "--password-stdin", registry.host, input=PASSWORD)
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        tiffin("pull", name)
        skopeo("inspect", "--tls-verify=false", "--authfile", kept, f"docker://{name}")  # what Podman reads
        tiffin("logout", registry.host)
        assert json.loads(kept.read_text())["auths"] == {}


# ── Docker's own client ─────────────────────────────────────────────────────────────────────────────────────


def test_dockers_client_pulls_pushes_saves_and_loads(tiffin: Tiffin, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "DOCKER_HOST": f"unix://{tiffin.root}/run/engine.sock",
        "DOCKER_CONFIG": str(tmp_path / "dc"),
    }

    def docker(*words: str, status: int = 0, input: bytes = b"") -> str:
        done = subprocess.run(
            [DOCKER, *words], input=input, capture_output=True, env=env, timeout=60, check=False
        )
        assert done.returncode == status, done.stderr.decode()
        return (done.stderr if status else done.stdout).decode()

    EngineClient.connect(find(tiffin.root))
    with closing(Registry(tmp_path / "registry", auth=basic(tmp_path))) as registry:
        made = Made()
        name = f"{registry.host}/docker/app:1"
        publish(made, tmp_path, name, f"--dest-creds={USER}:{PASSWORD}")
        assert "wants a login" in docker("pull", name, status=1)
        assert "does not accept" in docker(
            "login", "-u", USER, "--password-stdin", registry.host, input=b"wrong", status=1
        )
        assert "Login Succeeded" in docker(
            "login", "-u", USER, "--password-stdin", registry.host, input=PASSWORD.encode()
        )
        told = docker("pull", name)
        assert f"Digest: {made.digest}" in told
        assert "Pull complete" in told
        assert f"Status: Downloaded newer image for {name}" in told
        assert f"Status: Image is up to date for {name}" in docker("pull", name)
        assert docker("pull", "-q", f"{registry.host}/docker/app@{made.digest}").strip()
        assert "there is no image" in docker("push", f"{registry.host}/nothing:1", status=1)
        assert f"digest: {made.digest}" in docker("push", name)
        docker("save", "-o", str(tmp_path / "saved.tar"), name)
        docker("rmi", name)
        assert f"Loaded image: {name}" in docker("load", "-i", str(tmp_path / "saved.tar"))
        assert "no tar archive" in docker("load", input=b"x" * 5000, status=1)
        (tmp_path / "layout.tar").write_bytes(tar(made.layout_files(name)))
        assert f"Loaded image: {name}" in docker("load", "-q", "-i", str(tmp_path / "layout.tar"))
        assert docker("image", "inspect", "-f", "{{.Id}}", name).strip() == made.id
