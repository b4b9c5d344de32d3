"""Pushing to real registries: what was pulled goes back unchanged, and only what is missing is sent."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from byhand import Made, layer
from peers import Pull, done, publish, skopeo
from registries import Registry, Relay

from engine.errors import BadRequest, NotFound, TiffinError, Unreachable, Unsupported
from engine.images import Images
from engine.model import Transfer

Push = Callable[..., Awaitable[Transfer]]
MIB = 1 << 20


@pytest.fixture
def push(images: Images) -> Push:
    async def run(ref: str, to: str = "") -> Transfer:
        return await done(images.exchange.push(ref, lambda *_: None, to))

    return run


def states(transfer: Transfer) -> list[str]:
    return [part.state for part in transfer.parts]


async def test_what_was_pulled_goes_back_byte_for_byte(
    pull: Pull, push: Push, registry: Registry, tmp_path: Path
) -> None:
    made = Made()
    publish(made, tmp_path, f"{registry.host}/back:1")
    await pull(f"{registry.host}/back:1")
    assert states(await push(f"{registry.host}/back:1")) == ["there"] * 3
    last = await push(f"{registry.host}/back:1", f"{registry.host}/mounted/here:2")
    assert (last.digest, states(last)) == (
        made.digest,
        ["mounted"] * 3,
    )  # the registry has them in another place
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/mounted/here:2")
    assert raw.encode() == made.data


async def test_what_is_made_here_is_read_by_skopeo_and_umoci(
    images: Images, push: Push, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "root.tar").write_bytes(layer("imported", 2 * MIB))
    image = await images.import_rootfs(tmp_path / "root.tar", f"{registry.host}/made:1")
    assert states(await push(f"{registry.host}/made:1")) == ["done", "done"]
    found = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{registry.host}/made:1"))
    assert found["Digest"] == image.digest
    skopeo(
        "copy", "-q", "--src-tls-verify=false", f"docker://{registry.host}/made:1", f"oci:{tmp_path}/layout:1"
    )
    words = ["umoci", "raw", "unpack", "--image", f"{tmp_path}/layout:1", str(tmp_path / "unpacked")]
    subprocess.run(words, check=True, capture_output=True)
    assert (tmp_path / "unpacked/etc/imported").read_bytes().startswith(b"imported")


async def test_an_upload_that_breaks_off_goes_on(
    images: Images, push: Push, registry: Registry, relay: Relay, tmp_path: Path
) -> None:
    (tmp_path / "root.tar").write_bytes(layer("upload", 3 * MIB))
    image = await images.import_rootfs(tmp_path / "root.tar", "up")
    cuts = itertools.chain([MIB, MIB // 2], itertools.repeat(None))
    relay.disturb = lambda method, path: next(cuts) if method == "PATCH" else None
    last = await push("up", f"{relay.host}/up:1")
    assert last.digest == image.digest
    assert [method for method, *_ in relay.requests].count("PATCH") == 3
    found = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{registry.host}/up:1"))
    assert found["Digest"] == image.digest


async def test_an_upload_that_never_works_is_given_up(
    images: Images, push: Push, relay: Relay, tmp_path: Path
) -> None:
    (tmp_path / "root.tar").write_bytes(layer("never", 2 * MIB))
    await images.import_rootfs(tmp_path / "root.tar", "never")
    relay.disturb = lambda method, path: (503,) if method in ("POST", "PATCH") else None
    with pytest.raises(Unreachable, match=r"pushing .*never:1"):
        await push("never", f"{relay.host}/never:1")


async def test_what_cannot_be_pushed(images: Images, push: Push, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(layer("some"))
    image = await images.import_rootfs(tmp_path / "root.tar", "some")
    with pytest.raises(BadRequest, match="known by its id only"):
        await push(image.id)
    with pytest.raises(BadRequest, match="a digest is no place"):
        await push("some", f"{registry.host}/some@{image.digest}")
    with pytest.raises(NotFound, match="no image 'nothing'"):
        await push("nothing")
    with pytest.raises(Unsupported, match="this machine itself"):
        await push("host", f"{registry.host}/host:1")
    with pytest.raises(TiffinError, match="no name for an image"):
        await push("some", "Not a name")
