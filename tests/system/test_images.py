"""Importing root file systems: real archives through real workers, good ones and hostile ones."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import lzma
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import zstandard

from engine import instance
from engine.errors import BadRequest, Corrupt, NotFound, TiffinError
from engine.images import Images

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
ENTRIES = ("bin", "bin/busybox", "bin/sh", "etc", "etc/os-release")


def member(
    name: str, content: bytes | None = None, mode: int = 0o755, **more: object
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mode = mode
    info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    info.size = len(content or b"")
    for key, value in more.items():
        setattr(info, key, value)
    return info, content or b""


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def small_root(marker: str = "x") -> bytes:
    """A root file system with busybox as its shell."""
    return archive(
        member("bin"),
        member("bin/busybox", Path("/usr/bin/busybox").read_bytes()),
        member("bin/sh", b"", type=tarfile.SYMTYPE, linkname="busybox"),
        member("etc"),
        member("etc/os-release", f'ID="small"\nMARKER={marker}\n'.encode(), 0o644),
    )


PACK: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "+gzip": gzip.compress,
    "+zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "xz": lzma.compress,
}


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[Images]:
    images = Images(instance.find(tmp_path / "root"))
    await images.open()
    yield images
    await images.close()
    assert leftovers(tmp_path / "root/state") == []


def leftovers(state: Path) -> list[str]:
    return [str(path) for path in state.rglob("*") if path.name.startswith(".") or path.name.endswith(".tmp")]


def everything(state: Path) -> set[str]:
    return {str(path.relative_to(state)) for path in state.rglob("*")}


async def pieces(data: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


# ── what comes in ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("packing", PACK)
async def test_an_archive_becomes_an_image(images: Images, tmp_path: Path, packing: str) -> None:
    data = PACK[packing](small_root())
    heard: list[int] = []
    image = await images.import_rootfs(pieces(data), "small", heard.append)
    assert image == images.get("small:latest")
    assert (image.architecture, image.os) == ("amd64", "linux")
    assert image.config.command == ["/bin/sh"]
    assert image.config.env[0].startswith("PATH=")
    assert abs(image.created_at - time.time()) < 60
    assert image.size == len(Path("/usr/bin/busybox").read_bytes()) + len('ID="small"\nMARKER=x\n')
    assert heard == sorted(heard)
    assert heard[-1] <= len(data)
    [layer] = await images.lower(image)
    assert {str(path.relative_to(layer)) for path in layer.rglob("*")} == set(ENTRIES)
    assert (layer / "bin/sh").readlink() == Path("busybox")
    assert stat.S_IMODE(layer.stat().st_mode) == 0o755
    manifest = json.loads((tmp_path / "root/state/images/blobs/sha256" / image.digest[7:]).read_bytes())
    kept = "+zstd" if packing == "xz" else packing  # OCI knows no xz
    assert manifest["layers"][0]["mediaType"] == f"application/vnd.oci.image.layer.v1.tar{kept}"


async def test_an_archive_is_read_from_a_file(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(small_root())
    by_path = await images.import_rootfs(path, "by-path")
    by_stream = await images.import_rootfs(pieces(small_root()), "by-stream")
    assert by_path.layers == by_stream.layers
    assert await images.lower(by_path) == await images.lower(by_stream)
    assert (
        len(os.listdir(tmp_path / "root/state/layers")) == 3
    )  # one layer, and the notes on its size and content


async def test_owners_modes_times_links_and_whiteouts(images: Images) -> None:
    data = archive(
        member("usr/bin", mode=0o750),
        member("usr/bin/su", b"#!", 0o4755, uid=7, gid=8, mtime=1_000_000_000),
        member("usr/bin/su2", b"", type=tarfile.LNKTYPE, linkname="usr/bin/su"),
        member("run", mode=0o1777, uid=5),
        member("run/fifo", b"", 0o622, type=tarfile.FIFOTYPE),
        member("etc/.wh.gone", b""),
        member("opaque"),
        member("opaque/.wh..wh..opq", b""),
    )
    [layer] = await images.lower(await images.import_rootfs(pieces(data), "odd"))
    su = (layer / "usr/bin/su").stat()
    assert (su.st_mode & 0o7777, su.st_uid, su.st_gid, su.st_mtime, su.st_nlink) == (0o4755, 7, 8, 1e9, 2)
    assert stat.S_IMODE((layer / "usr/bin").stat().st_mode) == 0o750
    assert (layer / "run").stat().st_mode & 0o7777 == 0o1777
    assert stat.S_ISFIFO((layer / "run/fifo").stat().st_mode)
    gone = (layer / "etc/gone").stat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0
    assert os.getxattr(layer / "opaque", "trusted.overlay.opaque") == b"y"


async def test_the_architecture_is_the_programs(images: Images) -> None:
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(100)
    image = await images.import_rootfs(pieces(archive(member("app", elf))), "arm")
    assert image.architecture == "arm64"
    assert image.config.command == []


async def test_a_link_in_the_tree_does_not_lead_to_the_hosts_programs(images: Images) -> None:
    data = archive(
        member("bin", b"", type=tarfile.SYMTYPE, linkname=str(Path("/usr/bin"))),
        member("hello", b"not a program"),
    )
    image = await images.import_rootfs(pieces(data), "linked")
    assert image.config.command == []  # the host's /usr/bin/sh is not the image's


# ── what must not come in ───────────────────────────────────────────────────────────────────────────────────

NOISE = random.Random(3).randbytes(1 << 16)
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is empty"),
    "no archive": (NOISE, "it is no tar archive"),
    "text": (b"#!/bin/sh\necho hello\n" * 100, "it is no tar archive"),
    "short": (b"abc", "it is no tar archive"),
    "bzip2": (b"BZh91AY&SY" + NOISE, "bzip2"),
    "zip": (b"PK\x03\x04" + NOISE, "zip"),
    "no members": (bytes(10240), "nothing in it"),
    "cut in a member": (small_root()[:5000], "ends within a member"),
    "cut in a header": (small_root()[:700], "ends within a"),
    "cut between members": (small_root()[:512], "cut off"),
    "cut gzip": (gzip.compress(small_root())[:-100], "gzip data is cut off"),
    "cut zstd": (PACK["+zstd"](small_root())[:-100], "zstd data is cut off"),
    "cut xz": (lzma.compress(small_root())[:-100], "xz data is cut off"),
    "noise in gzip": (gzip.compress(NOISE), "it is no tar archive"),
    "gzip in gzip": (gzip.compress(gzip.compress(small_root())), "it is no tar archive"),
    "upwards": (archive(member("a/../../../escaped", b"x")), "leads upwards"),
    "link upwards": (
        archive(member("x", b"", type=tarfile.LNKTYPE, linkname="../../escaped")),
        "leads upwards",
    ),
}


async def test_junk_is_refused_and_leaves_nothing(images: Images, tmp_path: Path) -> None:
    before = everything(tmp_path)
    for case, (data, said) in BAD.items():
        with pytest.raises(BadRequest) as refusal:
            await images.import_rootfs(pieces(data), "junk")
        assert said in str(refusal.value), case
        assert refusal.value.remedy, case
        assert "\n" not in str(refusal.value), case
        assert everything(tmp_path) == before, case
        with pytest.raises(NotFound):
            images.get("junk")
    assert (await images.verify()).problems == []


async def test_links_do_not_lead_writes_out(images: Images, tmp_path: Path) -> None:
    target = tmp_path / "outside"
    target.mkdir()
    (target / "precious").write_text("mine")
    data = archive(
        member("way", b"", type=tarfile.SYMTYPE, linkname=str(target)),
        member("way/planted", b"evil"),
        member("hard", b"", type=tarfile.SYMTYPE, linkname=str(target / "precious")),
        member("hard", b"evil"),
    )
    with contextlib.suppress(TiffinError):
        await images.import_rootfs(pieces(data), "hostile")
    assert os.listdir(target) == ["precious"]
    assert (target / "precious").read_text() == "mine"
    assert not any(
        name.startswith("outside/") and name != "outside/precious" for name in everything(tmp_path)
    )


async def test_a_bomb_is_stopped_by_the_free_space(images: Images, tmp_path: Path) -> None:
    images._layers.room = lambda: 32 << 20  # type: ignore[method-assign]  # a disk with that much left
    before = everything(tmp_path)
    for bomb in (archive(member("big", bytes(64 << 20))), small_root() + bytes(64 << 20)):
        with pytest.raises(BadRequest, match="more than 32 MiB"):
            await images.import_rootfs(pieces(PACK["+zstd"](bomb)), "bomb")
    sparse = archive(member("big", b"", size=0, pax_headers={"GNU.sparse.major": "1"}))
    with pytest.raises(BadRequest):
        await images.import_rootfs(pieces(sparse), "bomb")
    assert everything(tmp_path) == before


async def test_a_bad_name_is_refused_before_anything_is_read(images: Images) -> None:
    async def untouched() -> AsyncIterator[bytes]:
        pytest.fail("was read")
        yield b""

    for name in ("host", "Upper", "a b", "../x", "", "x:"):
        with pytest.raises(BadRequest):
            await images.import_rootfs(untouched(), name)


async def test_what_is_no_file_is_refused(images: Images, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(NotFound, match="no file"):
        await images.import_rootfs(tmp_path / "missing", "x")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(BadRequest, match="is not a file"):
            await images.import_rootfs(path, "x")


# ── what goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


def workers() -> list[int]:
    """Pids of this process's workers."""
    found = []
    for task in os.listdir("/proc/self/task"):
        for pid in Path(f"/proc/self/task/{task}/children").read_text().split():
            with contextlib.suppress(OSError):
                if b"engine.images.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
    return found


class Stalling:
    """An archive that stops in the middle until it is told to go on."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.data[: len(self.data) // 2]
        self.reached.set()
        await self.go.wait()
        yield self.data[len(self.data) // 2 :]


async def test_a_cancelled_import_leaves_nothing(images: Images, tmp_path: Path) -> None:
    before = everything(tmp_path)
    source = Stalling(small_root())
    task = asyncio.create_task(images.import_rootfs(source, "x"))
    await source.reached.wait()
    assert len(workers()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert workers() == []
    assert everything(tmp_path) == before


async def test_a_source_that_breaks_off_is_no_archive_that_ends(images: Images, tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield small_root()  # whole, but the client was not done
        raise ConnectionResetError("the client went away")

    before = everything(tmp_path)
    with pytest.raises(ConnectionResetError):
        await images.import_rootfs(breaking(), "x")
    assert everything(tmp_path) == before
    with pytest.raises(NotFound):
        images.get("x")


async def test_a_killed_worker_is_told_and_leaves_nothing(images: Images, tmp_path: Path) -> None:
    before = everything(tmp_path)
    source = Stalling(small_root())
    task = asyncio.create_task(images.import_rootfs(source, "x"))
    await source.reached.wait()
    os.kill(workers()[0], signal.SIGKILL)
    with pytest.raises(TiffinError, match="worker process was killed by SIGKILL"):
        await task
    assert everything(tmp_path) == before


ENGINE = """
import asyncio, sys
from engine import instance
from engine.images import Images

async def endless(data):
    while True:
        yield data
        print("fed", flush=True)

async def main():
    images = Images(instance.find(sys.argv[1]))
    await images.open()
    await images.import_rootfs(sys.argv[2], "whole")
    with open(sys.argv[2], "rb") as file:
        await images.import_rootfs(endless(file.read()[:-1024]), "half")

asyncio.run(main())
"""


async def test_a_killed_engine_takes_its_workers_along_and_leaves_a_whole_store(tmp_path: Path) -> None:
    path = tmp_path / "small.tar"
    path.write_bytes(archive(member("a", bytes(1 << 16))))
    engine = subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(tmp_path / "root"), str(path)],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert engine.stdout is not None
    with engine, engine.stdout as out:
        for _ in range(20):
            assert out.readline() == b"fed\n"
        [worker] = Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()
        pidfd = os.pidfd_open(int(worker))
        engine.kill()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    await asyncio.wait_for(ended.wait(), 20)
    loop.remove_reader(pidfd)
    os.close(pidfd)
    images = Images(instance.find(tmp_path / "root"))
    assert leftovers(tmp_path / "root/state") != []
    await images.open()
    assert leftovers(tmp_path / "root/state") == []
    assert (await images.verify()).problems == []
    assert images.get("whole").names == ["whole:latest"]
    with pytest.raises(NotFound):
        images.get("half")
    await images.close()


async def test_two_imports_of_one_archive_at_once(images: Images, tmp_path: Path) -> None:
    data = small_root()
    first, second = await asyncio.gather(
        *(images.import_rootfs(pieces(data), name) for name in ("one", "two"))
    )
    assert first.layers == second.layers
    assert len(os.listdir(tmp_path / "root/state/layers")) == 2
    await images.remove("one", {})
    assert (
        [layer] == await images.lower(second)
        if (layer := (await images.lower(second))[0]).is_dir()
        else False
    )


async def test_removing_waits_for_what_is_on_its_way_in(images: Images) -> None:
    data = small_root()
    await images.import_rootfs(pieces(data), "old")
    source = Stalling(data)
    task = asyncio.create_task(images.import_rootfs(source, "new"))
    await source.reached.wait()
    await images.remove("old", {})
    source.go.set()
    image = await task
    [layer] = await images.lower(image)
    assert (layer / "bin/busybox").exists()
    assert (await images.verify()).problems == []


async def test_the_loop_is_never_held_up(images: Images) -> None:
    longest = 0.0
    done = False
    data = gzip.compress(archive(*(member(f"f{n}", bytes(20_000)) for n in range(1000))), 1)
    began = time.perf_counter()

    async def beat() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    beating = asyncio.create_task(beat())
    await images.import_rootfs(pieces(data), "many")
    await images.remove("many", {})
    done = True
    await beating
    took = time.perf_counter() - began
    assert longest < took / 4, f"{longest * 1000:.0f} ms of {took * 1000:.0f}"


# ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("packing", ["", "+zstd"])
async def test_a_missing_layer_is_unpacked_again_once(images: Images, packing: str) -> None:
    image = await images.import_rootfs(pieces(PACK[packing](small_root())), "small")
    [layer] = await images.lower(image)
    size = image.size
    shutil.rmtree(layer)
    layer.with_suffix(".json").unlink()
    again = await asyncio.gather(*(images.lower(image) for _ in range(5)))
    assert again == [[layer]] * 5
    assert {str(path.relative_to(layer)) for path in layer.rglob("*")} == set(ENTRIES)
    assert images.get("small").size == size


async def test_a_layer_is_not_unpacked_from_a_damaged_blob(tmp_path: Path) -> None:
    images = Images(instance.find(tmp_path / "root"))
    await images.open()
    image = await images.import_rootfs(pieces(small_root("aaaa")), "small")
    [layer] = await images.lower(image)
    shutil.rmtree(layer)
    blob = tmp_path / "root/state/images/blobs/sha256" / image.layers[0][7:]
    blob.write_bytes(blob.read_bytes().replace(b"MARKER=aaaa", b"MARKER=bbbb"))
    with pytest.raises(Corrupt, match="its blob holds"):
        await images.lower(image)
    assert not layer.exists()
    [problem] = (await images.verify()).problems
    assert problem.startswith(f"image small:latest: blob {image.layers[0]} holds sha256:")
    blob.unlink()
    with pytest.raises(Corrupt, match="No such file"):
        await images.lower(image)
    await images.remove("small", {})
    fresh = await images.import_rootfs(pieces(small_root("aaaa")), "small")
    assert (await images.lower(fresh))[0].is_dir()
    assert (await images.verify()).problems == []
    await images.close()


async def test_a_layer_under_a_container_outlives_its_image(images: Images, tmp_path: Path) -> None:
    image = await images.import_rootfs(pieces(small_root()), "small")
    [layer] = await images.lower(image)
    images._layers.used = lambda: {str(layer)}  # type: ignore[method-assign]
    await images.remove("small", {})
    assert (layer / "bin/sh").is_symlink()
    images._layers.used = set  # type: ignore[method-assign]
    await images.open()
    assert os.listdir(tmp_path / "root/state/layers") == []


# ── what others make of it ──────────────────────────────────────────────────────────────────────────────────


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("packing", ["+gzip", "xz"])
async def test_skopeo_and_umoci_read_the_store(images: Images, tmp_path: Path, packing: str) -> None:
    image = await images.import_rootfs(
        pieces(PACK[packing](small_root())), "registry.example:5000/team/small:1"
    )
    layout = tmp_path / "root/state/images"
    [name] = image.names
    seen = json.loads(run("skopeo", "inspect", f"oci:{layout}:{name}"))
    assert (seen["Digest"], seen["Architecture"], seen["Os"]) == (image.digest, "amd64", "linux")
    run("skopeo", "copy", "-q", "--preserve-digests", f"oci:{layout}:{name}", f"oci:{tmp_path}/copy:small")
    assert json.loads((tmp_path / "copy/index.json").read_text())["manifests"][0]["digest"] == image.digest
    assert run("umoci", "ls", "--layout", layout).split() == [name]
    if packing == "+gzip":  # umoci 0.4 knows no zstd
        run("umoci", "raw", "unpack", "--image", f"{layout}:{name}", tmp_path / "unpacked")
        assert {
            str(path.relative_to(tmp_path / "unpacked")) for path in (tmp_path / "unpacked").rglob("*")
        } == set(ENTRIES)


async def test_what_skopeo_writes_is_an_image(images: Images, tmp_path: Path) -> None:
    image = await images.import_rootfs(pieces(gzip.compress(small_root())), "small")
    run(
        "skopeo", "copy", "-q", f"oci:{tmp_path}/root/state/images:small:latest", f"oci:{tmp_path}/copy:small"
    )
    await images.remove("small", {})
    run("skopeo", "copy", "-q", f"oci:{tmp_path}/copy:small", f"oci:{tmp_path}/root/state/images:again:2")
    again = images.get("again:2")
    assert (again.id, again.digest) == (image.id, image.digest)
    [layer] = await images.lower(again)  # unpacked on demand
    assert (layer / "etc/os-release").read_text().startswith('ID="small"')
