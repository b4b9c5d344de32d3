"""Registries and archives that lie: refused with one sentence, nothing outside the store touched, the store whole."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from byhand import CONFIG, INDEX, LAYER, MANIFEST, Made, digest, index_of, layer, tar
from peers import Pull, done, seen
from registries import Handmade

from engine.errors import TiffinError
from engine.images import Images

BOMB = gzip.compress(bytes(1 << 20)) * 3000  # 3 GB in 3 MB


def serve(handmade: Handmade, image: Made, manifest: bytes | None = None, media_type: str = MANIFEST) -> str:
    handmade.manifests["1"] = (media_type, image.data if manifest is None else manifest)
    handmade.blobs.update(image.blobs)
    return f"{handmade.host}/app:1"


async def refused(images: Images, pull: Pull, name: str, match: str) -> None:
    before = kept(images)
    with pytest.raises(TiffinError, match=match) as error:
        await pull(name)
    assert error.value.remedy
    assert "\n" not in error.value.message
    assert kept(images) == before


def kept(images: Images) -> set[str]:
    """All there is in the store; what a download left for the next try is not in it."""
    state = images._instance.state
    return {str(path) for folder in ("images", "layers") for path in (state / folder).rglob("*")}


async def test_the_right_one_is_taken(images: Images, pull: Pull, handmade: Handmade) -> None:
    made = Made()
    assert (await pull(serve(handmade, made))).images[0].id == made.id


# ── manifests and configs that are not what the specification says ──────────────────────────────────────────

DELETE = object()


def altered(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one thing changed: path "layers.0.size"."""
    copy: Any = json.loads(json.dumps(document))
    *way, last = path.split(".")
    at = copy
    for step in way:
        at = at[int(step) if step.isdigit() else step]
    key: Any = int(last) if last.isdigit() else last
    if value is DELETE:
        del at[key]
    else:
        at[key] = value
    return copy  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("schemaVersion", 1, "schemaVersion is 1"),
        ("schemaVersion", 3, "schemaVersion"),
        ("schemaVersion", DELETE, "schemaVersion"),
        ("mediaType", INDEX, "mediaType is"),
        ("mediaType", 7, "mediaType"),
        ("config", DELETE, "config"),
        ("config.digest", "sha256:../../../etc/passwd", r"config\.digest"),
        ("config.digest", "md5:d41d8cd98f00b204e9800998ecf8427e", r"config\.digest"),
        ("config.size", -1, r"config\.size"),
        ("config.size", 1 << 40, r"config\.size is 1099511627776"),
        ("config.size", "12", r"config\.size"),
        ("config.mediaType", "application/vnd.cncf.helm.config.v1+json", r"config\.mediaType is .*helm"),
        ("layers", DELETE, "layers"),
        ("layers", {}, "layers"),
        ("layers.0.digest", "sha256:" + "A" * 64, r"layers\[0\]\.digest"),
        ("layers.0.size", -5, r"layers\[0\]\.size"),
        ("layers.0.size", 1 << 62, "are free"),
        ("layers.0.size", 10**400, r"layers\[0\]\.size|are free|out of range"),
        ("layers.0.mediaType", "text/plain", r"layers\[0\]\.mediaType 'text/plain'"),
        ("layers.1.mediaType", f"{LAYER}+xz", r"layers\[1\]\.mediaType"),
        (
            "layers.1.mediaType",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "only its owner",
        ),
        ("layers.0", DELETE, r"rootfs\.diff_ids has 2 entries for 1 layers"),
    ],
)
async def test_a_manifest_is_refused_by_its_field(
    images: Images, pull: Pull, handmade: Handmade, path: str, value: object, match: str
) -> None:
    made = Made()
    manifest = json.dumps(altered(made.manifest, path, value)).encode()
    await refused(images, pull, serve(handmade, made, manifest), match)


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("architecture", DELETE, "architecture"),
        ("architecture", "", "architecture is empty"),
        ("os", 7, r"\$\.os"),
        ("rootfs", DELETE, "rootfs"),
        ("rootfs.type", "squashfs", r"rootfs\.type is 'squashfs'"),
        ("rootfs.diff_ids", "x", r"rootfs\.diff_ids"),
        ("rootfs.diff_ids.0", "sha256:12", r"rootfs\.diff_ids"),
        ("rootfs.diff_ids.0", "sha256:" + "0" * 64, "holds sha256:"),
        ("config.Env", {"A": 1}, r"config\.Env"),
        ("config.Cmd", [1], r"config\.Cmd"),
    ],
)
async def test_a_config_is_refused_by_its_field(
    images: Images, pull: Pull, handmade: Handmade, path: str, value: object, match: str
) -> None:
    made = Made()
    data = json.dumps(altered(made.config, path, value)).encode()
    made.blobs[digest(data)] = data
    made.manifest["config"] = {"mediaType": CONFIG, "digest": digest(data), "size": len(data)}
    await refused(images, pull, serve(handmade, made), match)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b'{"schemaVersion":2}']
)
async def test_what_is_no_manifest(images: Images, pull: Pull, handmade: Handmade, data: bytes) -> None:
    await refused(images, pull, serve(handmade, Made(), data), "pulling .*: the manifest")


async def test_an_endless_manifest(images: Images, pull: Pull, handmade: Handmade) -> None:
    await refused(images, pull, serve(handmade, Made(), b" " * (5 << 20)), "larger than 4 MiB")


async def test_a_type_that_is_none(images: Images, pull: Pull, handmade: Handmade) -> None:
    made = Made()
    del made.manifest["mediaType"]
    assert (await pull(serve(handmade, made))).images  # older ones have only the header
    await refused(images, pull, serve(handmade, made, media_type="text/html"), "mediaType 'text/html'")


async def test_one_layer_with_two_contents(images: Images, pull: Pull, handmade: Handmade) -> None:
    made = Made(layer("one"), layer("two"))
    made.manifest["layers"][1] = made.manifest["layers"][0]
    await refused(images, pull, serve(handmade, made), "for one layer")


async def test_an_index_that_lies(images: Images, pull: Pull, handmade: Handmade) -> None:
    made, other = Made(), Made(layer("other"))
    index = json.loads(index_of({"linux/amd64": made}))
    index["manifests"][0]["size"] += 1
    handmade.manifests[made.digest] = (MANIFEST, made.data)
    name = serve(handmade, made, json.dumps(index).encode(), INDEX)
    await refused(images, pull, name, r"manifests\[0\]\.size of the index")
    handmade.manifests[made.digest] = (MANIFEST, other.data)
    await refused(images, pull, name, "what came has the digest")
    nested = index_of({"linux/amd64": made})
    index["manifests"][0] |= {"digest": digest(nested), "size": len(nested)}
    handmade.manifests[digest(nested)] = (INDEX, nested)
    await refused(images, pull, serve(handmade, made, json.dumps(index).encode(), INDEX), "another index")


# ── blobs that are not what their manifest says ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("part", [0, 1])  # the config, a layer
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]), "data with the digest sha256:"),
        (lambda blob: blob + b"x", r"should have \d+ bytes"),
        (lambda blob: blob[:-1], r"should have \d+ bytes"),
        (lambda blob: b"", r"should have \d+ bytes"),
    ],
)
async def test_a_blob_that_is_another(
    images: Images, pull: Pull, handmade: Handmade, part: int, change: Callable[[bytes], bytes], match: str
) -> None:
    made = Made()
    name = serve(handmade, made)
    blob = list(made.blobs)[part]
    handmade.blobs[blob] = change(made.blobs[blob])
    await refused(images, pull, name, match)


def packed(stored: bytes, unpacked: bytes, kind: str = "+gzip") -> Made:
    """An image of one layer whose blob and content are given."""
    made = Made(unpacked)
    made.layers = [stored]
    made.blobs = {made.id: made.blobs[made.id], digest(stored): stored}
    made.manifest["layers"] = [{"mediaType": LAYER + kind, "digest": digest(stored), "size": len(stored)}]
    return made


def odd_tar(**fields: Any) -> bytes:
    info = tarfile.TarInfo(fields.pop("name", "x"))
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def huge(size: bytes) -> bytes:
    """A header whose size field is given, with a right checksum."""
    block = bytearray(tarfile.TarInfo("x").tobuf()[:512])
    block[124:136] = size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


LINK = tarfile.SYMTYPE


@pytest.mark.parametrize(
    ("content", "match"),
    [
        pytest.param(odd_tar(name="../../escaped"), r"\.\.", id="dots"),
        pytest.param(odd_tar(name="a/../../../escaped"), r"\.\.", id="dots within"),
        pytest.param(
            odd_tar(type=tarfile.LNKTYPE, linkname="../../../etc/passwd"), r"\.\.|passwd", id="hard link out"
        ),
        pytest.param(
            odd_tar(type=tarfile.LNKTYPE, linkname="/nowhere"), "No such file", id="hard link to nothing"
        ),
        pytest.param(huge(b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7), "size|ends within", id="huge"),
        pytest.param(huge(b"\xff" * 12), "size", id="negative"),
        pytest.param(huge(b"-0000000001\0"), "number", id="minus"),
        pytest.param(b"not a tar archive at all" * 100, "no tar archive", id="no tar"),
        pytest.param(odd_tar(type=b"Z"), "unknown type", id="unknown type"),
    ],
)
async def test_a_layer_that_attacks(
    images: Images, pull: Pull, handmade: Handmade, tmp_path: Path, content: bytes, match: str
) -> None:
    await refused(images, pull, serve(handmade, packed(gzip.compress(content), content)), match)
    assert not list(tmp_path.rglob("escaped"))


async def test_links_in_layers_lead_nowhere_outside(
    images: Images, pull: Pull, handmade: Handmade, tmp_path: Path
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, target in (("up", "../../../.."), ("abs", str(tmp_path))):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = LINK, target
            archive.addfile(info)
        for name in ("abs/escaped", "up/escaped", "/root/inside"):
            archive.addfile(tarfile.TarInfo(name))
    image = (await pull(serve(handmade, Made(out.getvalue())))).images[0]
    assert not (tmp_path / "escaped").exists()
    assert seen(await images.lower(image), "root/inside") == b""


async def test_decompression_bombs(
    images: Images, pull: Pull, handmade: Handmade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images._shelf.layers, "room", lambda: 50 << 20)  # a disk that is nearly full
    start = tar({"x": b""})[:512]
    header = bytearray(start)
    header[124:136] = b"%011o\0" % (3000 << 20)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    bomb = gzip.compress(bytes(header)) + BOMB
    await refused(images, pull, serve(handmade, packed(bomb, b"x")), "more than 50 MiB")


@pytest.mark.parametrize(
    ("stored", "kind", "match"),
    [
        (b"", "", "empty"),
        (b"BZh91AY&SY", "+gzip", "bzip2"),
        (gzip.compress(tar({"x": b"y" * 5000}))[:-20], "+gzip", "cut off|error"),
        (zlib.compress(tar({"x": b"y"})), "+gzip", "no tar archive"),
    ],
)
async def test_a_layer_that_is_no_archive(
    images: Images, pull: Pull, handmade: Handmade, stored: bytes, kind: str, match: str
) -> None:
    await refused(images, pull, serve(handmade, packed(stored, b"x", kind)), match)


async def test_a_registry_that_leads_astray(images: Images, pull: Pull, relay: Any) -> None:
    relay.disturb = lambda method, path: (307, {"Location": path}) if "/manifests/" in path else None
    await refused(images, pull, f"{relay.host}/app:1", "leads on and on")
    relay.disturb = lambda method, path: (
        (307, {"Location": "file:///etc/passwd"}) if "/manifests/" in path else None
    )
    await refused(images, pull, f"{relay.host}/app:1", "it leads to 'file:")
    relay.disturb = lambda method, path: (
        (401, {"WWW_Authenticate": 'Bearer realm="file:///x"'}) if "/manif" in path else None
    )
    await refused(images, pull, f"{relay.host}/app:1", "its token service is")


# ── archives ────────────────────────────────────────────────────────────────────────────────────────────────


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


async def load(images: Images, data: bytes) -> list[Any]:
    return list((await done(images.exchange.load(pieces(data), lambda *_: None))).images)


async def not_loaded(images: Images, data: bytes, match: str) -> None:
    before = kept(images)
    with pytest.raises(TiffinError, match=match) as error:
        await load(images, data)
    assert error.value.remedy
    assert kept(images) == before


def docker_archive(change: Callable[[dict[str, Any]], None] = lambda entry: None, **more: bytes) -> bytes:
    files = Made().docker_files("app:1")
    [entry] = json.loads(files["manifest.json"])
    change(entry)
    return tar({**files, "manifest.json": json.dumps([entry]).encode(), **more})


def without(name: str) -> bytes:
    files = Made().docker_files("app:1")
    return tar({path: data for path, data in files.items() if name not in path})


def with_member(kind: bytes, name: str, target: str = "", data: bytes = b"") -> bytes:
    out = io.BytesIO(docker_archive())
    with tarfile.open(fileobj=out, mode="a") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"x" * 5000, "no tar archive", id="no tar"),
        pytest.param(
            tar({"etc/passwd": b"root"}), "neither oci-layout and index.json nor manifest.json", id="a root"
        ),
        pytest.param(tar({"repositories": b"{}"}), "before Docker 1.10", id="oldest"),
        pytest.param(docker_archive()[:3000], "ends within|cut off", id="cut"),
        pytest.param(without("manifest.json"), "neither", id="no manifest"),
        pytest.param(without("layer.tar"), "the layer '0/layer.tar' is missing", id="no layer"),
        pytest.param(tar({"manifest.json": b"[]"}), "names no image", id="empty manifest"),
        pytest.param(tar({"manifest.json": b"{"}), "manifest.json: ", id="broken manifest"),
        pytest.param(tar({"manifest.json": b"[" * 100_000}), "manifest.json: ", id="deep manifest"),
        pytest.param(tar({"manifest.json": b" " * (5 << 20)}), "too many for a document", id="huge manifest"),
        pytest.param(docker_archive(lambda e: e.pop("Config")), "Config", id="no Config"),
        pytest.param(docker_archive(lambda e: e.update(Layers="x")), "Layers", id="Layers a text"),
        pytest.param(
            docker_archive(lambda e: e["Layers"].pop()), "has 2 entries for 1 layers", id="few layers"
        ),
        pytest.param(docker_archive(lambda e: e["Layers"].reverse()), "holds sha256:", id="layers swapped"),
        pytest.param(
            docker_archive(lambda e: e.update(Config="../../../etc/passwd")), "leads out", id="Config out"
        ),
        pytest.param(
            docker_archive(lambda e: e.update(Config="/etc/passwd")), "leads out", id="Config absolute"
        ),
        pytest.param(
            docker_archive(lambda e: e.update(Layers=["../x", "../y"])), "leads out", id="Layers out"
        ),
        pytest.param(
            docker_archive(lambda e: e.update(RepoTags=["host:latest"])), "built-in image", id="host"
        ),
        pytest.param(with_member(tarfile.REGTYPE, "../escaped"), "leads out", id="member out"),
        pytest.param(with_member(tarfile.REGTYPE, "/escaped"), "leads out", id="member absolute"),
        pytest.param(with_member(LINK, "a", "/etc/passwd"), "leads out", id="link absolute"),
        pytest.param(with_member(LINK, "a/b", "../../etc/passwd"), "leads out", id="link out"),
        pytest.param(with_member(tarfile.LNKTYPE, "a", "../x"), "leads out", id="hard link out"),
        pytest.param(
            with_member(tarfile.REGTYPE, "manifest.json", "", b"[]"), "two members named", id="twice"
        ),
        pytest.param(with_member(tarfile.CHRTYPE, "a"), "no file but a char", id="device"),
        pytest.param(with_member(tarfile.FIFOTYPE, "a"), "no file but a fifo", id="fifo"),
        pytest.param(huge(b"\xff" * 12), "size", id="negative size"),
        pytest.param(tar(Made(os="windows").docker_files("app:1")), "Linux kernel", id="windows"),
        pytest.param(tar(Made(architecture="s390x").docker_files("app:1")), "no emulator", id="another CPU"),
    ],
)
async def test_an_archive_that_attacks(images: Images, tmp_path: Path, data: bytes, match: str) -> None:
    await not_loaded(images, data, match)
    assert not list(tmp_path.rglob("escaped"))


def wrong_blob(name: str, change: Callable[[bytes], bytes]) -> bytes:
    made = Made()
    files = made.layout_files("app:1")
    path = {"config": f"blobs/sha256/{made.id[7:]}", "manifest": f"blobs/sha256/{made.digest[7:]}"}.get(
        name, f"blobs/sha256/{made.manifest['layers'][0]['digest'][7:]}"
    )
    return tar({**files, path: change(files[path])})


@pytest.mark.parametrize("which", ["config", "manifest", "layer"])
@pytest.mark.parametrize("change", [lambda blob: blob + b" ", lambda blob: blob[:-1], lambda blob: b""])
async def test_a_blob_in_an_archive_that_is_another(
    images: Images, which: str, change: Callable[[bytes], bytes]
) -> None:
    await not_loaded(images, wrong_blob(which, change), "holds sha256:")


async def test_links_between_members_are_followed(images: Images) -> None:
    """Docker before 25 links a layer to the same one in another folder."""
    made = Made(layer("one"), layer("one"))
    files = made.docker_files("app:1")
    del files["1/layer.tar"]
    out = io.BytesIO(tar(files))
    with tarfile.open(fileobj=out, mode="a") as archive:
        info = tarfile.TarInfo("1/layer.tar")
        info.type, info.linkname = LINK, "../0/layer.tar"
        archive.addfile(info)
    [image] = await load(images, out.getvalue())
    assert image.id == made.id
    loop = io.BytesIO(tar({name: data for name, data in files.items() if name != "0/layer.tar"}))
    with tarfile.open(fileobj=loop, mode="a") as archive:
        for name, target in (("0/layer.tar", "../1/layer.tar"), ("1/layer.tar", "../0/layer.tar")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = LINK, target
            archive.addfile(info)
    await not_loaded(images, loop.getvalue(), "is missing")


async def test_a_bomb_of_an_archive(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images._shelf.layers, "room", lambda: 50 << 20)
    header = bytearray(tar({"x": b""})[:512])
    header[124:136] = b"%011o\0" % (3000 << 20)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    await not_loaded(images, gzip.compress(bytes(header)) + BOMB, "more than 50 MiB")
