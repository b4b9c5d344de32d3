"""Archives from strangers, put into real folders."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import BadRequest, TiffinError
from engine.kernel.paths import remove_tree
from engine.rootfs.header import header
from engine.rootfs.pack import pack
from engine.rootfs.tar import Member
from engine.rootfs.unpack import OPAQUE_XATTR, TooLarge, unpack

pytestmark = pytest.mark.system


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "in"
    path.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("precious")
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield path, fd
    os.close(fd)
    assert os.listdir(tmp_path / "out") == ["precious"]
    assert (tmp_path / "out" / "precious").read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]


def archive(*members: Member | tuple[Member, bytes]) -> io.BytesIO:
    data = b""
    for entry in members:
        member, content = entry if isinstance(entry[1], bytes) else (entry, b"")
        assert isinstance(member, Member)
        assert isinstance(content, bytes)
        data += header(member) + content + bytes(-len(content) % 512)
    return io.BytesIO(data + bytes(1024))


def file(name: str, content: bytes = b"new", **more: object) -> tuple[Member, bytes]:
    return Member(name, "file", size=len(content), **more), content  # type: ignore[arg-type]


def is_whiteout(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(path: Path) -> bool:
    return OPAQUE_XATTR in os.listxattr(path)


@pytest.mark.parametrize("name", ["../out/precious", "a/../../out/precious", "..", "/../out/x", "a/.."])
def test_upward_paths_are_refused(folder: tuple[Path, int], name: str) -> None:
    with pytest.raises(BadRequest, match="upwards"):
        unpack(archive(file(name)), folder[1], whiteouts=True)
    assert os.listdir(folder[0]) == []


def test_absolute_names_land_inside(folder: tuple[Path, int]) -> None:
    unpack(archive(file("/etc/tiffin-test"), file("//b"), file("./c/./d")), folder[1], whiteouts=True)
    assert (folder[0] / "etc/tiffin-test").read_bytes() == b"new"
    assert (folder[0] / "b").exists()
    assert (folder[0] / "c/d").exists()
    assert not Path("/etc/tiffin-test").exists()


@pytest.mark.parametrize("target", ["../out", "/../../{out}", "{out}", "../../../../../../../..{out}"])
@pytest.mark.parametrize("whiteouts", [True, False])
def test_writing_through_a_symlink_stays_inside(
    folder: tuple[Path, int], target: str, whiteouts: bool
) -> None:
    path, fd = folder
    target = target.format(out=path.parent / "out")
    link = Member("link", "symlink", target=target)
    members = [link, file("link/precious", b"evil"), Member("link/sub/", "dir", mode=0o755), file("link/new")]
    try:
        unpack(archive(*members), fd, whiteouts=whiteouts)
    except TiffinError:
        assert not whiteouts  # a dangling link is no folder; a layer's member replaces it
    else:
        assert os.path.lexists(path / "link")


def test_a_file_replaces_a_symlink_instead_of_writing_through_it(folder: tuple[Path, int]) -> None:
    path, fd = folder
    link = Member("x", "symlink", target="../out/precious")
    unpack(archive(link, file("x", b"evil")), fd, whiteouts=False)
    assert (path / "x").read_bytes() == b"evil"
    assert not (path / "x").is_symlink()


@pytest.mark.parametrize("kind", ["dir", "file", "fifo", "symlink", "link"])
def test_metadata_never_follows_a_symlink(folder: tuple[Path, int], kind: str) -> None:
    path, fd = folder
    precious = path.parent / "out" / "precious"
    before = precious.stat()
    symlink = Member(
        "x", "symlink", target="../out/precious", uid=7, gid=7, mtime_ns=1, xattrs={"user.a": b"1"}
    )
    again = Member("x", kind, mode=0o777, uid=9, gid=9, target="x", mtime_ns=5)  # type: ignore[arg-type]
    if kind == "link":
        with pytest.raises(TiffinError):
            unpack(archive(symlink, again), fd, whiteouts=True)
    else:
        unpack(archive(symlink, again), fd, whiteouts=True)
        assert (path / "x").lstat().st_uid == 9
    after = precious.stat()
    assert (before.st_mode, before.st_uid, before.st_mtime_ns) == (
        after.st_mode,
        after.st_uid,
        after.st_mtime_ns,
    )


@pytest.mark.parametrize("target", ["../out/precious", "/../out/precious", "a/../../out/precious"])
def test_hard_links_leading_out_are_refused(folder: tuple[Path, int], target: str) -> None:
    with pytest.raises(BadRequest, match="upwards"):
        unpack(archive(Member("x", "link", target=target)), folder[1], whiteouts=True)


def test_hard_link_through_a_symlink_stays_inside(folder: tuple[Path, int]) -> None:
    path, fd = folder
    members = [Member("up", "symlink", target="../out"), Member("x", "link", target="up/precious")]
    with pytest.raises(TiffinError):
        unpack(archive(*members), fd, whiteouts=True)
    assert not (path / "x").exists()


def test_hard_link_to_an_absolute_name_is_taken_from_inside(folder: tuple[Path, int]) -> None:
    path, fd = folder
    unpack(archive(file("a/b"), Member("c", "link", target="/a/b")), fd, whiteouts=True)
    assert (path / "c").samefile(path / "a/b")


def test_replacing_one_name_of_a_hard_link_leaves_the_other(folder: tuple[Path, int]) -> None:
    path, fd = folder
    unpack(archive(file("a", b"1"), Member("b", "link", target="a"), file("a", b"2")), fd, whiteouts=True)
    assert ((path / "a").read_bytes(), (path / "b").read_bytes()) == (b"2", b"1")


@pytest.mark.parametrize("layer", [True, False])
def test_devices_are_made_in_layers_only_and_fifos_everywhere(folder: tuple[Path, int], layer: bool) -> None:
    path, fd = folder
    devices = [Member("disk", "block", mode=0o666, device=(8, 0)), Member("mem", "char", device=(1, 1))]
    hidden = Member("white", "char", device=(0, 0))
    unpack(archive(*devices, hidden, Member("pipe", "fifo", mode=0o1641, uid=3)), fd, whiteouts=layer)
    assert sorted(os.listdir(path)) == (["disk", "mem", "pipe"] if layer else ["pipe"])
    if layer:
        assert (path / "disk").lstat().st_rdev == os.makedev(8, 0)
        assert stat.S_ISCHR((path / "mem").lstat().st_mode)
    status = (path / "pipe").lstat()
    assert stat.S_ISFIFO(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o1641
    assert status.st_uid == 3


def test_an_impossible_device_is_refused(folder: tuple[Path, int]) -> None:
    with pytest.raises(BadRequest, match="is no device"):
        unpack(archive(Member("x", "char", device=(1 << 13, 0))), folder[1], whiteouts=True)


def test_duplicates_the_last_wins(folder: tuple[Path, int]) -> None:
    path, fd = folder
    unpack(archive(file("a", b"one"), file("a", b"2"), file("d/x"), file("d")), fd, whiteouts=True)
    assert (path / "a").read_bytes() == b"2"
    assert (path / "d").is_file()


def test_folders_and_others_do_not_replace_each_other_without_whiteouts(folder: tuple[Path, int]) -> None:
    path, fd = folder
    (path / "d").mkdir()
    (path / "f").touch()
    with pytest.raises(BadRequest, match="cannot replace a folder"):
        unpack(archive(file("d")), fd, whiteouts=False)
    with pytest.raises(BadRequest, match="a folder cannot replace"):
        unpack(archive(Member("f/", "dir", mode=0o755)), fd, whiteouts=False)
    with pytest.raises(BadRequest, match="a folder cannot replace"):
        unpack(archive(file("f/x")), fd, whiteouts=False)
    unpack(archive(file(".wh.f")), fd, whiteouts=False)
    assert sorted(os.listdir(path)) == [".wh.f", "d", "f"]


def test_metadata_is_kept(folder: tuple[Path, int]) -> None:
    path, fd = folder
    capability = bytes.fromhex(
        "0100000200040000000000000000000000000000"
    )  # cap_net_bind_service=ep… version 2
    members = [
        Member("d/", "dir", mode=0o1770, uid=5, gid=6, mtime_ns=10**18 + 5),
        file(
            "d/su",
            mode=0o6755,
            uid=70000,
            gid=3000000,
            mtime_ns=-(10**9) - 1,
            xattrs={"security.capability": capability},
        ),
        Member("d/l", "symlink", target="nowhere", uid=8, gid=9, mtime_ns=3),
    ]
    unpack(archive(*members), fd, whiteouts=True)
    status = (path / "d/su").stat()
    assert stat.S_IMODE(status.st_mode) == 0o6755
    assert (status.st_uid, status.st_gid, status.st_mtime_ns) == (70000, 3000000, -(10**9) - 1)
    assert os.getxattr(path / "d/su", "security.capability") == capability
    status = (path / "d").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_mtime_ns) == (0o1770, 5, 10**18 + 5)
    status = (path / "d/l").lstat()
    assert (status.st_uid, status.st_gid, status.st_mtime_ns) == (8, 9, 3)


@pytest.mark.parametrize(
    "name", ["trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.x", "user.overlay.opaque"]
)
def test_overlay_attributes_from_an_archive_are_dropped(folder: tuple[Path, int], name: str) -> None:
    path, fd = folder
    unpack(
        archive(Member("d/", "dir", xattrs={name: b"y"}), file("f", xattrs={name: b"/etc"})),
        fd,
        whiteouts=True,
    )
    assert os.listxattr(path / "d") == []
    assert os.listxattr(path / "f") == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_whiteout_hides_what_is_below_not_its_own_layer(folder: tuple[Path, int], order: int) -> None:
    path, fd = folder
    pairs = [
        [file("gone/.wh.x", b"")],
        [file(".wh.file", b""), file("file")],
        [file(".wh.made", b""), Member("made/", "dir", mode=0o755)],
        [file(".wh.implied", b""), file("implied/y")],
        [file("opaque/.wh..wh..opq", b""), file("opaque/y")],
    ]
    unpack(archive(*[m for pair in pairs for m in pair[::order]]), fd, whiteouts=True)
    assert is_whiteout(path / "gone/x")
    assert (path / "file").read_bytes() == b"new"
    assert is_opaque(path / "made")
    assert is_opaque(path / "implied")
    assert (path / "implied/y").exists()
    assert is_opaque(path / "opaque")
    assert os.listdir(path / "opaque") == ["y"]


def test_aufs_bookkeeping_is_left_out(folder: tuple[Path, int]) -> None:
    unpack(archive(file(".wh..wh.aufs", b""), file("a/.wh..wh.plnk", b"")), folder[1], whiteouts=True)
    assert os.listdir(folder[0]) == []


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh..."])
def test_whiteouts_of_nothing_are_refused(folder: tuple[Path, int], name: str) -> None:
    with pytest.raises(BadRequest, match="hides nothing"):
        unpack(archive(file(name, b"")), folder[1], whiteouts=True)


def test_hard_link_to_what_the_layer_deletes_is_refused(folder: tuple[Path, int]) -> None:
    with pytest.raises(BadRequest, match="which this layer deletes"):
        unpack(archive(file(".wh.x", b""), Member("y", "link", target="x")), folder[1], whiteouts=True)
    assert not (folder[0] / "y").exists()


def test_opaque_whiteout_through_a_symlink_stays_inside(folder: tuple[Path, int]) -> None:
    path, fd = folder
    unpack(archive(Member("l", "symlink", target="../out"), file("l/.wh..wh..opq", b"")), fd, whiteouts=True)
    assert not is_opaque(path.parent / "out")


@pytest.mark.parametrize("uid", [2**32 - 1, 2**32, 2**60])
def test_impossible_owners_are_refused(folder: tuple[Path, int], uid: int) -> None:
    with pytest.raises(BadRequest, match="no user or group id"):
        unpack(archive(file("a", uid=uid)), folder[1], whiteouts=True)


def test_limit_counts_content_holes_and_members(folder: tuple[Path, int]) -> None:
    with pytest.raises(TooLarge):
        unpack(archive(file("a", bytes(5000))), folder[1], whiteouts=True, limit=5000)
    with pytest.raises(TooLarge):
        unpack(archive(*[file(str(i), b"") for i in range(20)]), folder[1], whiteouts=True, limit=5000)
    assert unpack(archive(file("a", bytes(4000))), folder[1], whiteouts=True, limit=5000) == 4000


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names(folder: tuple[Path, int], form: int) -> None:
    path, fd = folder
    name = "/".join(["ü" * 100] * 5)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"new"))
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, name
        tar.addfile(entry)
    stream.seek(0)
    unpack(stream, fd, whiteouts=True)
    assert (path / name).read_bytes() == b"new"
    assert (path / "link").readlink() == Path(name)


def test_a_name_too_long_for_the_kernel_is_one_sentence(folder: tuple[Path, int]) -> None:
    with pytest.raises(TiffinError, match="File name too long"):
        unpack(archive(file("a" * 300)), folder[1], whiteouts=True)
    with pytest.raises(TiffinError, match="File name too long"):
        unpack(archive(file("a/" * 3000 + "b")), folder[1], whiteouts=True)


def test_remove_tree_of_a_tree_made_to_exhaust(folder: tuple[Path, int]) -> None:
    path, fd = folder
    here = os.open(path, os.O_RDONLY)
    os.symlink("../out", "link", dir_fd=here)
    for _ in range(3000):  # deeper than PATH_MAX and the interpreter's stack
        os.mkdir("deep", dir_fd=here)
        os.mkdir("d", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.symlink("/", "root", dir_fd=below)
        os.close(here)
        here = below
    os.close(here)
    for name in os.listdir(path):
        remove_tree(fd, name)
    assert os.listdir(path) == []


# ── round trip ──────────────────────────────────────────────────────────────────────────────────────────────

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda n: n not in (".", "..") and len(n.encode()) <= 255 and not n.startswith(".wh."))
modes = st.integers(0, 0o7777)
leaf = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=1500), modes, st.integers(0, 2**32 - 2)),
    st.tuples(st.just("symlink"), names, st.just(0), st.integers(0, 70000)),
    st.tuples(st.just("fifo"), st.just(b""), st.integers(0, 0o777), st.integers(0, 70000)),
    st.tuples(st.just("link"), st.just(b""), st.just(0), st.just(0)),
)
tree = st.recursive(
    st.dictionaries(names, leaf, max_size=4),
    lambda below: st.dictionaries(names, below | leaf, max_size=4),
    max_leaves=12,
)


def build(path: Path, entries: dict[str, object], seen: list[Path]) -> None:
    for name, entry in entries.items():
        here = path / name
        if isinstance(entry, dict):
            here.mkdir()
            build(here, entry, seen)
            os.utime(here, ns=(0, 1234567890123456789 + len(name)))
            continue
        kind, content, mode, owner = entry  # type: ignore[misc]
        if kind == "link":
            if seen:
                os.link(seen[-1], here, follow_symlinks=False)
            continue
        if kind == "file":
            here.write_bytes(content)
            seen.append(here)
        elif kind == "symlink":
            here.symlink_to(content)
            seen.append(here)
        else:
            os.mkfifo(here)
        os.chown(here, owner, owner, follow_symlinks=False)
        if kind != "symlink":
            here.chmod(mode)
        os.utime(here, ns=(0, 10**18 + len(name)), follow_symlinks=False)


def describe(path: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    inodes: dict[int, str] = {}
    for folder, folders, files in os.walk(path):
        folders.sort()  # walked in this order, so that hard links are told by the same name everywhere
        for name in sorted([*folders, *files]):
            here = Path(folder, name)
            status = here.lstat()
            relative = str(here.relative_to(path))
            content: object = None
            if stat.S_ISREG(status.st_mode):
                content = here.read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                content = str(here.readlink())
            same = inodes.setdefault(status.st_ino, relative)
            found[relative] = (
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_mtime_ns,
                content,
                same,
            )
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree)
def test_unpack_of_pack_is_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, object]
) -> None:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    build(source, entries, [])
    stream = io.BytesIO()
    from_fd, to_fd = os.open(source, os.O_RDONLY), os.open(target, os.O_RDONLY)
    try:
        pack(from_fd, stream.write)
        stream.seek(0)
        unpack(stream, to_fd, whiteouts=True)
        assert describe(target) == describe(source)
        with tarfile.open(fileobj=io.BytesIO(stream.getvalue())) as tar:  # and others can read it
            assert {m.name.removeprefix("./") for m in tar} - {"."} == set(describe(source))
    finally:
        for fd, path in ((from_fd, source), (to_fd, target)):
            os.close(fd)
            parent = os.open(path.parent, os.O_RDONLY)
            remove_tree(parent, path.name)
            os.close(parent)
