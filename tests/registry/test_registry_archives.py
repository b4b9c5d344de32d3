"""Archives of images: what docker, skopeo and umoci write is read, and they read what is written here."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from byhand import Made, digest, index_of, layer, tar, write_layout
from peers import done, seen, skopeo
from registries import Registry, closing

from benchmarks.dockerd import Docker
from engine.errors import BadRequest, NotFound, Unsupported
from engine.images import Images
from engine.model import ImageSummary


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 50_000):
        yield data[start : start + 50_000]


async def load(images: Images, data: bytes, platform: str = "") -> list[ImageSummary]:
    return (await done(images.exchange.load(pieces(data), lambda *_: None, platform))).images


async def save(images: Images, *refs: str, format: str = "docker-archive") -> bytes:
    async with images.exchange.save(refs, format) as archive:
        data = b"".join([piece async for piece in archive.pieces()])
        assert len(data) == archive.size
    return data


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "xz": lzma.compress,
}


@pytest.mark.parametrize("packing", PACKED)
async def test_archives_however_compressed(images: Images, packing: str) -> None:
    made = Made()
    [image] = await load(images, PACKED[packing](tar(made.layout_files("team/app:1"))))
    assert (image.id, image.digest, image.names) == (made.id, made.digest, ["team/app:1"])
    [again] = await load(images, PACKED[packing](tar(made.docker_files("team/app:1", "other:2"))))
    assert (again.id, again.names) == (made.id, ["team/app:1", "other:2"])
    layers = await images.lower(again)
    assert [seen(layers, f"etc/{name}") for name in ("one", "two")] == [b"one", b"two"]


async def test_an_archive_without_names(images: Images) -> None:
    made = Made()
    for files in (made.layout_files(), made.docker_files()):
        [image] = await load(images, tar(files))
        assert (image.id, image.names) == (made.id, [])


async def test_several_images_share_their_layers(images: Images, tmp_path: Path) -> None:
    one, two = Made(layer("base"), layer("one")), Made(layer("base"), layer("two"))
    write_layout(tmp_path / "layout", {"one": one, "two": two})
    skopeo_files = {
        str(path.relative_to(tmp_path / "layout")): path.read_bytes()
        for path in (tmp_path / "layout").rglob("*")
        if path.is_file()
    }
    loaded = await load(images, tar(skopeo_files))
    assert sorted(image.names[0] for image in loaded) == ["one:latest", "two:latest"]
    data = await save(images, "one", "two")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getnames()
    assert len(members) == len(set(members)) == 2 + 3 + 1  # configs, layers, manifest.json
    for image in loaded:
        await images.remove(image.id, {}, force=True)
    assert {image.id for image in await load(images, data)} == {one.id, two.id}


async def test_the_platform_is_chosen_in_a_layout(images: Images) -> None:
    ours, theirs = Made(), Made(layer("theirs"), architecture="s390x")
    index = index_of({"linux/s390x": theirs, "linux/amd64": ours})
    files = {**theirs.layout_files(), **ours.layout_files(), f"blobs/sha256/{digest(index)[7:]}": index}
    top = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": digest(index),
        "size": len(index),
        "annotations": {"org.opencontainers.image.ref.name": "many:1"},
    }
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    [image] = await load(images, tar(files))
    assert (image.id, image.names) == (ours.id, ["many:1"])
    with pytest.raises(Unsupported, match="no emulator for s390x"):
        await load(images, tar(files), "linux/s390x")


async def test_what_cannot_be_saved(images: Images) -> None:
    with pytest.raises(NotFound, match="no image 'nothing'"):
        images.exchange.save(["nothing"])
    with pytest.raises(BadRequest, match="'zip' is no format"):
        images.exchange.save(["nothing"], "zip")
    with pytest.raises(Unsupported, match="this machine itself"):
        images.exchange.save(["host"])


# ── skopeo ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("format", ["docker-archive", "oci-archive"])
async def test_skopeo_reads_what_is_saved_and_the_other_way_round(
    images: Images, tmp_path: Path, format: str
) -> None:
    made = Made()
    await load(images, tar(made.layout_files("app:1")))
    (tmp_path / "saved.tar").write_bytes(await save(images, "app:1", format=format))
    skopeo("copy", "-q", f"{format}:{tmp_path}/saved.tar", f"oci:{tmp_path}/layout:1")
    manifest = json.loads((tmp_path / "layout/index.json").read_text())["manifests"][0]["digest"]
    blobs = tmp_path / "layout/blobs/sha256"
    config = json.loads((blobs / manifest[7:]).read_text())["config"]["digest"]
    assert json.loads((blobs / config[7:]).read_text())["rootfs"] == made.config["rootfs"]
    if format == "oci-archive":
        assert manifest == made.digest
    skopeo("copy", "-q", f"oci:{tmp_path}/layout:1", f"{format}:{tmp_path}/theirs.tar:app:theirs")
    [image] = await load(images, (tmp_path / "theirs.tar").read_bytes())
    assert image.names[-1] == "app:theirs"
    assert image.layers == made.config["rootfs"]["diff_ids"]


async def test_layers_of_zstd_are_saved_plain_for_docker(images: Images, tmp_path: Path) -> None:
    plain = layer("zstd", 1 << 20)
    (tmp_path / "root.tar.zst").write_bytes(PACKED["zstd"](plain))
    image = await images.import_rootfs(tmp_path / "root.tar.zst", "z")
    with tarfile.open(fileobj=io.BytesIO(await save(images, "z"))) as archive:
        saved = archive.extractfile(f"{image.layers[0][7:]}/layer.tar")
        assert saved is not None
        assert saved.read() == plain
    [same] = await load(images, await save(images, "z", format="oci-archive"))
    assert same.digest == image.digest


# ── Docker ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """A daemon of its own, which runs nothing."""
    folder = tmp_path_factory.mktemp("dockerd")
    (folder / "root.tar").write_bytes(layer("bench"))
    with closing(Docker(folder / "docker", folder / "root.tar")) as one:
        yield one


@pytest.mark.timeout(180)
async def test_docker_reads_what_is_saved_and_the_other_way_round(
    images: Images, docker: Docker, registry: Registry, tmp_path: Path
) -> None:
    made = Made(layer("one"), layer("two"))
    name = f"{registry.host}/docker/app:1"
    await load(images, tar(made.layout_files(name)))
    (tmp_path / "ours.tar").write_bytes(await save(images, name))
    docker("load", "-i", str(tmp_path / "ours.tar"))
    assert docker("image", "inspect", "-f", "{{.Id}}", name) == made.id
    docker("tag", name, "again:1")
    docker("save", "-o", str(tmp_path / "theirs.tar"), "again:1", "bench")
    loaded = await load(images, (tmp_path / "theirs.tar").read_bytes())
    assert {image.id for image in loaded} >= {made.id}
    assert "again:1" in images.get(made.id).names
    docker("push", name)  # made anew by Docker: other blobs, the same content
    last = await done(images.exchange.pull(name, lambda *_: None))
    assert last.images[0].id == made.id
    await done(images.exchange.push(name, lambda *_: None, f"{registry.host}/ours:1"))
    docker("pull", "-q", f"{registry.host}/ours:1")
    assert docker("image", "inspect", "-f", "{{.Id}}", f"{registry.host}/ours:1") == made.id
    digests = docker("image", "inspect", "-f", "{{.RepoDigests}}", f"{registry.host}/ours:1")
    assert images.get(name).digest in digests
