"""Copying in and out of containers, stopped and running, kind and hostile."""

from __future__ import annotations

import asyncio
import io
import lzma
import os
import stat
import tarfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from layered import Layers

from engine import rootfs
from engine.errors import BadRequest, Conflict, NotFound, NotPermitted, TiffinError
from engine.kernel import pidfd
from engine.rootfs import Bind, Root, Running, Stopped

pytestmark = pytest.mark.system


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    (tmp_path / "c").mkdir()
    layers = Layers(tmp_path / "c")
    (layers.base / "etc").mkdir(mode=0o755)
    (layers.base / "etc/passwd").write_text("root")
    (layers.base / "etc/link").symlink_to("passwd")
    (layers.base / "folder").symlink_to("/etc")
    (layers.base / "out").symlink_to(f"../../../../../../..{tmp_path}/host")
    (layers.base / "data").mkdir()
    (tmp_path / "host").mkdir()
    (tmp_path / "host/precious").write_text("precious")
    return layers


@pytest.fixture(autouse=True)
def host_is_left_alone(tmp_path: Path, layers: Layers) -> AsyncIterator[None]:
    yield  # type: ignore[misc]
    assert (tmp_path / "host/precious").read_text() == "precious"
    assert os.listdir(tmp_path / "host") == ["precious"]
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def stopped(layers: Layers, **more: object) -> Stopped:
    return Stopped(layers.all, layers.work, **more)  # type: ignore[arg-type]


def running(pid: int) -> Running:
    return Running(pid, pidfd.start_time(pid))


async def out(root: Root, path: str) -> dict[str, tarfile.TarInfo]:
    data = b"".join([piece async for piece in await rootfs.archive_out(root, path)])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def tar_of(**files: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size, member.mtime, member.mode, member.uid = len(text), 12345, 0o4750, 77
            tar.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def large(layers: Layers, size: int) -> None:
    path = layers.base / "data/large"
    path.touch()
    os.truncate(path, size)
    os.utime(path, (1, 1))


async def test_out_of_a_stopped_one(layers: Layers) -> None:
    root = stopped(layers)
    assert sorted(await out(root, "/etc")) == ["etc", "etc/link", "etc/passwd"]
    assert sorted(await out(root, "etc/")) == ["etc", "etc/link", "etc/passwd"]
    assert sorted(await out(root, "/etc/.")) == [".", "link", "passwd"]
    assert sorted(await out(root, "/folder/")) == ["folder", "folder/link", "folder/passwd"]
    assert {"etc/passwd", "data", "."} <= set(await out(root, "/"))
    link = (await out(root, "/etc/link"))["link"]
    assert link.issym()
    assert link.linkname == "passwd"
    assert (await out(root, "/folder/passwd"))["passwd"].size == 4


@pytest.mark.parametrize("path", ["/nope", "/etc/passwd/x", "/out/precious", "/etc/passwd/", "/nope/.", ""])
async def test_what_is_not_there(layers: Layers, path: str) -> None:
    root = stopped(layers)
    if path == "":
        assert (await rootfs.stat(root, path))["name"] == "/"
        return
    for verb in (rootfs.archive_out, rootfs.stat):
        with pytest.raises(NotFound, match="in the container"):
            await verb(root, path)


async def test_stat_is_dockers(layers: Layers) -> None:
    (layers.base / "etc/passwd").chmod(0o6755)
    os.utime(layers.base / "etc/passwd", ns=(0, 1_000_000_000_123_456_789))
    (layers.base / "data").chmod(0o1777)
    (layers.base / "chain").symlink_to("folder/link")
    (layers.base / "dangling").symlink_to("../nowhere/x")
    root = stopped(layers)
    assert await rootfs.stat(root, "/etc/passwd") == {
        "name": "passwd",
        "size": 4,
        "mode": 0o755 | 1 << 23 | 1 << 22,
        "mtime": "2001-09-09T01:46:40.123456789Z",
        "linkTarget": "",
    }
    data = await rootfs.stat(root, "/data/")
    assert (data["name"], data["mode"]) == ("data", 1 << 31 | 1 << 20 | 0o777)
    chain = await rootfs.stat(root, "/chain")
    assert (chain["mode"], chain["linkTarget"]) == (1 << 27 | 0o777, "/etc/passwd")
    assert (await rootfs.stat(root, "dangling"))["linkTarget"] == "/nowhere/x"
    assert (await rootfs.stat(root, "/folder/"))["mode"] & 1 << 31


async def test_stat_of_strange_things(layers: Layers) -> None:
    name = b"\xff\n".decode(errors="surrogateescape")
    (layers.base / "strange").symlink_to(name)
    os.utime(layers.base / "etc/passwd", ns=(0, 2**62))
    root = stopped(layers)
    assert (await rootfs.stat(root, "/strange"))["linkTarget"] == "/\\xff\n"
    assert (await rootfs.stat(root, "/etc/passwd"))["mtime"] > "2100"
    with pytest.raises(BadRequest, match="no text"):
        await rootfs.stat(root, name)
    with pytest.raises(BadRequest, match="zero byte"):
        await rootfs.stat(root, "/etc\0/x")


async def test_into_a_stopped_one(layers: Layers) -> None:
    root = stopped(layers)
    await rootfs.archive_in(root, "/folder", pieces(tar_of(new="text", sub__deep="d", passwd="changed")))
    status = (layers.upper / "etc/new").stat()
    assert (layers.upper / "etc/new").read_text() == "text"
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_mtime) == (0o4750, 77, 12345)
    assert (layers.upper / "etc/sub/deep").read_text() == "d"
    assert (layers.base / "etc/passwd").read_text() == "root"
    assert (await out(root, "/etc/passwd"))["passwd"].size == 7
    assert not (layers.upper / "folder").exists()


@pytest.mark.parametrize("path", ["/out", "/nope"])
async def test_into_what_is_not_there(layers: Layers, path: str) -> None:
    with pytest.raises(NotFound):
        await rootfs.archive_in(stopped(layers), path, pieces(tar_of(x="x")))


async def test_into_a_file(layers: Layers) -> None:
    with pytest.raises(BadRequest, match="not a folder"):
        await rootfs.archive_in(stopped(layers), "/etc/passwd", pieces(tar_of(x="x")))


async def test_read_only_root(layers: Layers, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    root = stopped(layers, read_only=True, binds=[Bind(str(tmp_path / "volume"), "/data")])
    with pytest.raises(NotPermitted, match=r"Read-only file system in /etc"):
        await rootfs.archive_in(root, "/etc", pieces(tar_of(x="x")))
    await rootfs.archive_in(root, "/data", pieces(tar_of(x="x")))
    assert (tmp_path / "volume/x").read_text() == "x"
    (tmp_path / "volume/x").unlink()


async def test_volumes_of_a_stopped_one(layers: Layers, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/in").write_text("volume")
    binds = [
        Bind(str(tmp_path / "volume"), "/new/place"),
        Bind(str(tmp_path / "volume"), "/data", read_only=True),
        Bind(str(tmp_path / "volume/in"), "/etc/passwd"),
    ]
    root = stopped(layers, binds=binds)
    assert sorted(await out(root, "/new/place/.")) == [".", "in"]
    assert (await out(root, "/etc/passwd"))["passwd"].size == 6
    with pytest.raises(NotPermitted):
        await rootfs.archive_in(root, "/data", pieces(tar_of(x="x")))
    await rootfs.archive_in(root, "/new/place", pieces(tar_of(x="x")))
    assert sorted(os.listdir(tmp_path / "volume")) == ["in", "x"]


async def test_in_and_out_of_a_running_one(layers: Layers, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/in").write_text("volume")
    with layers.running(binds={"data": str(tmp_path / "volume")}) as pid:
        root = running(pid)
        assert sorted(await out(root, "/data")) == ["data", "data/in"]
        assert sorted(await out(root, "/etc")) == ["etc", "etc/link", "etc/passwd"]
        await rootfs.archive_in(root, "/data", pieces(tar_of(x="x")))
        await rootfs.archive_in(root, "/etc", pieces(tar_of(y="y")))
        assert (await rootfs.stat(root, "/folder"))["linkTarget"] == "/etc"
        with pytest.raises(NotFound):
            await rootfs.archive_out(root, "/out/precious")
    assert sorted(os.listdir(tmp_path / "volume")) == ["in", "x"]
    assert (layers.upper / "etc/y").read_text() == "y"


async def test_the_kernels_own_files_are_left_out(layers: Layers) -> None:
    (layers.base / "proc").mkdir()
    with layers.running(binds={"proc": "/proc"}) as pid:
        found = await out(running(pid), "/")
    assert "proc" in found
    assert [name for name in found if name.startswith("proc/")] == []


async def test_an_ended_container_is_not_taken_for_another(layers: Layers) -> None:
    with layers.running() as pid:
        root = running(pid)
        with pytest.raises(Conflict, match="ended"):
            await rootfs.stat(Running(pid, root.pid_start + 1), "/")
    with pytest.raises(Conflict, match="ended"):
        await rootfs.stat(root, "/")


# A thread swaps a folder for a link to what must not be reached, as fast as it can (CVE-2018-15664).
SWAPPING = """
os.makedirs("/race/dir"); open("/race/dir/file", "w").write("inside")
os.symlink("HOST", "/race/link")
import ctypes
exchange = ctypes.CDLL(None).renameat2
def swap():
    while True:
        exchange(-100, b"/race/dir", -100, b"/race/link", 2)
threading.Thread(target=swap, daemon=True).start()
"""


async def test_swapping_links_lead_nowhere(layers: Layers, tmp_path: Path) -> None:
    code = SWAPPING.replace("HOST", f"../../../../../../../..{tmp_path}/host")
    with layers.running(code) as pid:
        root = running(pid)
        attempts = 0
        for _ in range(8):
            for copying in (
                rootfs.archive_in(
                    root, "/race/dir", pieces(tar_of(evil="evil", precious="evil", file="inside"))
                ),
                rootfs.archive_in(root, "/race", pieces(tar_of(dir__evil="evil", dir__precious="evil"))),
                out(root, "/race/dir/."),
                out(root, "/race"),
            ):
                attempts += 1
                try:
                    found = await copying
                except TiffinError:
                    continue
                for name, member in (found or {}).items():
                    assert member.size in (0, 4, 6), name  # never the eight bytes of the host's
    assert attempts == 32


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: zlib.compress(data, wbits=31),
        lambda data: __import__("bz2").compress(data),
        lzma.compress,
    ],
    ids=["gzip", "bzip2", "xz"],
)
async def test_compressed_archives(layers: Layers, pack: object) -> None:
    root = stopped(layers)
    data = pack(tar_of(x="x" * 10000))  # type: ignore[operator]
    await rootfs.archive_in(root, "/data", pieces(data, 10))
    assert (layers.upper / "data/x").stat().st_size == 10000
    for damaged in (data[: len(data) // 2], data[:-9] + b"damaged!!"):
        with pytest.raises(BadRequest, match="archive"):
            await rootfs.archive_in(root, "/data", pieces(damaged))


@pytest.mark.parametrize("data", [b"x" * 10000, tar_of(x="x" * 5000)[:3000], b"\x1f\x8bnonsense" * 100])
async def test_bad_archives(layers: Layers, data: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        await rootfs.archive_in(stopped(layers), "/data", pieces(data))
    assert caught.value.remedy


async def test_a_source_that_breaks_off_is_told(layers: Layers) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield tar_of(x="x" * 5000)[:2000]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await rootfs.archive_in(stopped(layers), "/data", broken())


async def test_a_reader_that_leaves_ends_the_worker(layers: Layers) -> None:
    large(layers, 1 << 30)
    stream = await rootfs.archive_out(stopped(layers), "/data")
    assert await anext(aiter(stream))
    process = stream._worker._process
    assert process.returncode is None
    await stream.aclose()
    assert process.returncode is not None


async def test_cancelling_ends_the_worker(layers: Layers) -> None:
    forever = asyncio.Event()
    fed = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield tar_of(x="x" * 5000)[:2000]
        fed.set()
        await forever.wait()

    task = asyncio.create_task(rootfs.archive_in(stopped(layers), "/data", slow()))
    await fed.wait()
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text().split()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(children.read_text().split()) == len(before) - 1


async def test_large_files_are_streamed(layers: Layers) -> None:
    size = 32 << 20
    large(layers, size)
    root = stopped(layers)
    total = 0
    async for piece in await rootfs.archive_out(root, "/data/large"):
        total += len(piece)
    assert total == 512 + size + 1024
    await rootfs.archive_in(root, "/etc", await rootfs.archive_out(root, "/data/large"))
    assert (layers.upper / "etc/large").stat().st_size == size


async def test_the_worker_is_confined(layers: Layers) -> None:
    large(layers, 1 << 30)
    stream = await rootfs.archive_out(stopped(layers), "/data")
    try:
        pid = stream._worker._process.pid
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16)
        assert int(status["CapEff"], 16) & ~sum(1 << c for c in (0, 1, 2, 3, 4, 31)) == 0
        assert sorted(os.listdir(f"/proc/{pid}/root")) == ["data", "etc", "folder", "out"]
        assert Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    finally:
        await stream.aclose()
