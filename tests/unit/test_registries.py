"""What needs no registry: references, challenges, platforms, credentials, what clients are told."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.client import credentials
from engine.docker.transfers import messages
from engine.errors import BadRequest, NotFound, Unsupported
from engine.images import platforms
from engine.images.platforms import Fit, Platform
from engine.images.registry.challenge import Challenge, challenges
from engine.images.registry.reference import parse, registry
from engine.images.registry.settings import is_loopback
from engine.model import Problem, RegistryLogin, Transfer, TransferPart
from tui.cli.transfers import line

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "host", "repository", "what", "name"),
    [
        ("debian", "registry-1.docker.io", "library/debian", "latest", "debian:latest"),
        ("docker.io/library/debian:12", "registry-1.docker.io", "library/debian", "12", "debian:12"),
        ("team/app", "registry-1.docker.io", "team/app", "latest", "team/app:latest"),
        ("localhost:5000/app:1", "localhost:5000", "app", "1", "localhost:5000/app:1"),
        ("localhost/app", "localhost", "app", "latest", "localhost/app:latest"),
        ("[::1]:5000/a/b", "[::1]:5000", "a/b", "latest", "[::1]:5000/a/b:latest"),
        (f"quay.io/a/b:tag@{DIGEST}", "quay.io", "a/b", DIGEST, ""),
    ],
)
def test_references(text: str, host: str, repository: str, what: str, name: str) -> None:
    found = parse(text)
    assert (found.host, found.repository, found.what, found.name) == (host, repository, what, name)
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    "text", ["", "Upper", "a@sha256:12", f"a@md5:{'0' * 32}", "a b", "a:b:c", "a/", "../x"]
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(BadRequest):
        parse(text)


def test_a_registry_by_any_address() -> None:
    for address in ("", "docker.io", "https://index.docker.io/v1/", "index.docker.io"):
        assert registry(address) == "docker.io"
    assert registry("https://registry.lan:5000/v2/") == "registry.lan:5000"
    for wrong in ("no registry", "name", "a/b c"):
        with pytest.raises(BadRequest):
            registry(wrong if wrong != "a/b c" else "x y/b")


def test_only_this_machine_is_loopback() -> None:
    assert all(
        map(is_loopback, ("localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:80", "[::1]:5000", "[::1]"))
    )
    assert not any(
        map(is_loopback, ("localhost.evil.org", "10.0.0.1:5000", "127.0.0.1.evil.org", "example.org:127"))
    )


def test_challenges() -> None:
    headers = [
        'Negotiate, Basic realm="a \\"b\\"", Bearer realm="https://t/x?y",service=reg, scope="repository:a:pull,push"'
    ]
    assert challenges(headers) == [
        Challenge("negotiate", {}),
        Challenge("basic", {"realm": 'a "b"'}),
        Challenge("bearer", {"realm": "https://t/x?y", "service": "reg", "scope": "repository:a:pull,push"}),
    ]


@given(st.lists(st.text()))
def test_no_challenge_makes_trouble(headers: list[str]) -> None:
    for challenge in challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()


# ── platforms ───────────────────────────────────────────────────────────────────────────────────────────────

AMD64 = Platform("linux", "amd64")
QEMU = "enabled\ninterpreter /usr/bin/qemu-aarch64\nflags: OCF\noffset 0\n" + (
    "magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
)


def binfmt(folder: Path, entry: str = QEMU, status: str = "enabled") -> Path:
    (folder / "status").write_text(status + "\n")
    (folder / "register").write_text("")
    (folder / "qemu-aarch64").write_text(entry)
    (folder / "python3.11").write_text("enabled\ninterpreter /usr/bin/python3\nflags:\nextension .py\n")
    return folder


def test_an_emulator_is_found_by_what_it_takes(tmp_path: Path) -> None:
    arm = Platform("linux", "arm64", "v8")
    assert platforms.fit(arm, AMD64, tmp_path) == Fit(None)
    assert platforms.fit(arm, AMD64, binfmt(tmp_path)) == Fit(30, "qemu-aarch64")
    assert platforms.fit(Platform("linux", "s390x"), AMD64, tmp_path) == Fit(None)
    assert platforms.fit(arm, AMD64, binfmt(tmp_path, QEMU.replace("enabled", "disabled"))) == Fit(None)
    assert platforms.fit(arm, AMD64, binfmt(tmp_path, QEMU, "disabled")) == Fit(None)
    assert platforms.fit(arm, AMD64, binfmt(tmp_path, "enabled\nmagic xyz\n")) == Fit(None)


def test_what_runs_by_itself(tmp_path: Path) -> None:
    assert platforms.fit(Platform("linux", "386"), AMD64, tmp_path).rank == 20
    arm7 = Platform("linux", "arm", "v7")
    assert platforms.fit(Platform("linux", "arm", "v6"), arm7, tmp_path).rank == 1
    assert platforms.fit(Platform("linux", "arm", "v8"), arm7, tmp_path).rank is None
    assert platforms.fit(Platform("windows", "amd64"), AMD64, tmp_path).rank is None


def test_platforms_as_people_write_them() -> None:
    assert platforms.parse("linux/arm/v7") == Platform("linux", "arm", "v7")
    assert platforms.parse("x86_64") == Platform("linux", "amd64")
    assert platforms.parse("Linux/AArch64") == Platform("linux", "arm64")
    for wrong in ("", "a/b/c/d", "linux/", "a b"):
        with pytest.raises(BadRequest):
            platforms.parse(wrong)


def test_the_best_is_chosen() -> None:
    ours = platforms.here()
    offered = [Platform("linux", "s390x"), None, Platform("windows", ours.architecture), ours]
    assert platforms.choose(offered, None, "x") == 3
    assert platforms.choose([None], None, "x") == 0
    assert platforms.choose(offered, Platform("linux", "s390x"), "x") == 0
    with pytest.raises(Unsupported, match=r"no platform at all"):
        platforms.choose([], None, "x")


# ── credentials ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path


def login(registry: str, password: str = "p:w") -> RegistryLogin:
    return RegistryLogin(registry=registry, username="me", password=password)


def test_a_login_is_kept_and_forgotten(home: Path) -> None:
    path = home / ".docker/config.json"
    path.parent.mkdir()
    path.write_text('{"psFormat": "x", "auths": {"other": {"auth": "YTpi"}}}')
    assert credentials.keep(login("reg.lan:5000")) == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["psFormat"] == "x"
    assert credentials.find("reg.lan:5000/team/app:1") == login("reg.lan:5000")
    assert credentials.find("debian") == RegistryLogin(registry="docker.io")
    credentials.keep(login("docker.io"))
    assert "https://index.docker.io/v1/" in json.loads(path.read_text())["auths"]
    assert credentials.find("debian:12") == login("docker.io")
    assert credentials.forget("docker.io") == [str(path)]
    assert credentials.find("debian").username == ""
    with pytest.raises(NotFound, match=r"nobody is logged in to docker\.io"):
        credentials.forget("docker.io")


def test_the_longest_name_and_the_first_file_win(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pair(name: str) -> dict[str, str]:
        return {"auth": base64.b64encode(f"{name}:x".encode()).decode()}

    (home / "run/containers").mkdir(parents=True)
    podman = {
        "auths": {"reg.lan": pair("host"), "reg.lan/team": pair("team"), "reg.lan/team/app": pair("app")}
    }
    (home / "run/containers/auth.json").write_text(json.dumps(podman))
    credentials.keep(login("reg.lan"))
    for image, user in (
        ("reg.lan/x", "host"),
        ("reg.lan/team/y:1", "team"),
        ("reg.lan/team/app@" + DIGEST, "app"),
    ):
        assert credentials.find(image).username == user
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "mine.json"))
    credentials.keep(login("reg.lan"))
    assert credentials.find("reg.lan/team/app").username == "me"
    assert len(credentials.forget("reg.lan")) == 3


def test_helpers(home: Path) -> None:
    (home / "bin").mkdir()
    helper = home / "bin/docker-credential-test"
    helper.write_text(
        '#!/bin/sh\nd=$(dirname "$0")\ncase $1 in\n'
        'store) cat >"$d/kept" ;;\nerase) rm -f "$d/kept" ;;\n'
        'get) read -r host; test -f "$d/kept" && cat "$d/kept" || { echo credentials not found; exit 1; } ;;\nesac\n'
    )
    helper.chmod(0o755)
    path = home / ".docker/config.json"
    path.parent.mkdir()
    path.write_text('{"credHelpers": {"reg.lan": "test", "bad.lan": "missing"}}')
    assert credentials.find("reg.lan/x").username == ""
    assert credentials.keep(login("reg.lan")) == "the helper docker-credential-test"
    assert "cDp3" not in path.read_text()
    assert "p:w" not in path.read_text()
    assert credentials.find("reg.lan/x") == login("reg.lan")
    credentials.forget("reg.lan")
    assert credentials.find("reg.lan/x").username == ""
    with pytest.raises(BadRequest, match="docker-credential-missing"):
        credentials.find("bad.lan/x")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"auths": 7}',
        '{"auths": {"reg.lan": {"auth": "%%%"}}}',
        '{"credsStore": "../x", "auths": {"reg.lan": {}}}',
    ],
)
def test_a_broken_file_is_named(home: Path, content: str) -> None:
    path = home / ".docker/config.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(BadRequest):
        credentials.find("reg.lan/x")


# ── what is told ────────────────────────────────────────────────────────────────────────────────────────────


def test_docker_is_told_what_is_new() -> None:
    part = TransferPart(digest=DIGEST, size=10, done=5, state="moving")
    first = Transfer(verb="pull", name="reg.lan:5000/app:1", parts=[part])
    assert list(messages(first, None)) == [
        {"status": "Pulling from reg.lan:5000/app", "id": "1"},
        {"status": "Downloading", "id": "0" * 12, "progressDetail": {"current": 5, "total": 10}},
    ]
    assert list(messages(first, first)) == []
    failed = Transfer(verb="pull", name="x", finished=True, problem=Problem(message="no", remedy="do"))
    assert list(messages(failed, first)) == [{"errorDetail": {"message": "no; do"}, "error": "no; do"}]


@pytest.mark.parametrize("state", ["waiting", "moving", "retrying", "unpacking", "done", "there", "mounted"])
def test_every_state_is_a_line_of_its_own(state: str) -> None:
    part = TransferPart(digest=DIGEST, size=100, done=50, state=state, rate=7.0, note="a\x1b[2Jb")  # type: ignore[arg-type]
    drawn = line(part)
    assert drawn.startswith("0" * 12)
    assert "\x1b" not in drawn
    assert ("━" * 10 + "─" * 10 in drawn) == (state in ("moving", "retrying"))
