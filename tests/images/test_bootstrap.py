"""Bootstrapping: the real mmdebstrap, in a real container, from a repository of our own on the bridge."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from engine.building.bootstrap import SECURITY, check, configured, sources
from engine.client import EngineClient
from engine.errors import BadRequest, TiffinError
from engine.model import BootstrapOptions, ContainerConfig, LogLine

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """The folder over HTTP on every address of this network namespace; the port."""
    with http.server.ThreadingHTTPServer(("", 0), partial(_Silent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def repository(folder: Path) -> Path:
    """A Debian repository with one package in it, that holds busybox and a few files."""
    root = folder / "tiny"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin/busybox").write_bytes(Path("/usr/bin/busybox").read_bytes())
    (root / "bin/busybox").chmod(0o755)
    (root / "bin/sh").symlink_to("busybox")
    control = (
        "Package: tiny\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <n@x.test>\nDescription: tiny\n"
    )
    (root / "DEBIAN/control").write_text(control)
    out = folder / "out"
    out.mkdir()
    subprocess.run(["dpkg-deb", "--build", str(root), str(out / "tiny.deb")], check=True, capture_output=True)
    data = (out / "tiny.deb").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    (out / "Packages").write_text(f"{control}Filename: ./tiny.deb\nSize: {len(data)}\nSHA256: {digest}\n")
    return out


def test_a_root_from_packages(client: EngineClient, tmp_path: Path) -> None:
    (gateway,) = {network.gateway for network in client.networks() if network.gateway}
    with served(repository(tmp_path)) as port:
        options = BootstrapOptions(
            suite="13",
            name="tiny:1",
            variant="extract",
            include=["tiny"],
            mirrors=[f"deb [trusted=yes] http://{gateway}:{port} ./"],
        )
        steps, output = [], ""
        with client.image_bootstrap(options) as going:
            for told in going:
                if told.what == "step":
                    steps.append(told.text)
                output += told.text if told.what == "output" else ""
                image = told.image
    assert "downloading packages with apt" in steps
    assert f"http://{gateway}:{port}" in output
    assert image
    assert image.names == ["tiny:1"]
    assert not client.containers()
    id = client.run(ContainerConfig(image="tiny:1", command=["/bin/sh", "-c", "echo from a package"]))
    client.wait(id)
    assert [line.text for line in client.logs(id) if isinstance(line, LogLine)] == ["from a package"]


def test_a_mirror_that_is_none(client: EngineClient) -> None:
    options = BootstrapOptions(suite="trixie", mirrors=["http://127.0.0.1:9/debian"])
    with (
        pytest.raises(TiffinError, match="bootstrapping debian:trixie: Failed to fetch http:"),
        client.image_bootstrap(options) as going,
    ):
        list(going)
    assert not client.containers()
    assert [image.names for image in client.images()] == [["host:latest"]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"suite": "12; rm"}, "'12; rm' is no release of Debian"),
        ({"suite": "--help"}, "'--help' is no release"),
        ({"suite": "12", "variant": "huge"}, "there is no variant 'huge'"),
        ({"suite": "12", "include": ["a b"]}, "--include: 'a b' is no package's name"),
        ({"suite": "12", "include": ["--x"]}, "--include: '--x' is no package's name"),
        ({"suite": "12", "mirrors": ["/etc/passwd"]}, "--mirror: '/etc/passwd' is no address"),
        ({"suite": "12", "mirrors": ["deb a b\ndeb c d"]}, "--mirror: "),
        ({"suite": "12", "components": ["main contrib"]}, "--components: "),
    ],
)
def test_what_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check(BootstrapOptions(**options))  # type: ignore[arg-type]
    assert caught.value.message.startswith(says)


def test_the_machines_own_mirrors(tmp_path: Path) -> None:
    assert check(BootstrapOptions(suite="12")) == "bookworm"
    assert configured(tmp_path) == ("http://deb.debian.org/debian", SECURITY)
    (tmp_path / "sources.list").write_text(
        "# deb http://no.test/debian x main\ndeb [a=b] http://m.test/debian/ x main\n"
    )
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/s.sources").write_text("Types: deb\nURIs: https://s.test/debian-security\n")
    assert configured(tmp_path) == ("http://m.test/debian", "https://s.test/debian-security")
    assert sources("sid", configured(tmp_path), ["main"]) == ["deb http://m.test/debian sid main"]
    assert sources("trixie", configured(tmp_path), ["main", "contrib"]) == [
        "deb http://m.test/debian trixie main contrib",
        "deb http://m.test/debian trixie-updates main contrib",
        "deb https://s.test/debian-security trixie-security main contrib",
    ]
