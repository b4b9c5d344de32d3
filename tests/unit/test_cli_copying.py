"""Local trees to tar streams and back; strangers' archives stay in their folder."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client.packing import packed
from engine.errors import BadRequest, TiffinError
from tui.cli.copying.unpacking import unpack


def tree(at: Path) -> Path:
    (at / "sub" / "deep").mkdir(parents=True)
    (at / "file").write_bytes(b"hello")
    (at / "sub" / "big").write_bytes(os.urandom(700_001))
    (at / "sub" / "deep" / "näme").write_text("x")
    (at / "link").symlink_to("sub/big")
    (at / "sub").chmod(0o750)
    (at / "file").chmod(0o4755)
    os.utime(at / "file", (1, 1_000_000))
    return at


def seen(at: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(at.rglob("*")):
        name = str(path.relative_to(at))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = path.stat().st_mode & 0o777
        else:
            found[name] = path.read_bytes()
    return found


def read_back(tar: Iterator[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(b"".join(tar)))


def test_a_tree_survives_the_way_through_an_archive(tmp_path: Path) -> None:
    source = tree(tmp_path / "source")
    (tmp_path / "target").mkdir()
    assert unpack(packed(source, ""), tmp_path / "target", "copy", contents=True) == []
    assert seen(tmp_path / "target" / "copy") == seen(source)
    copied = (tmp_path / "target" / "copy" / "file").stat()
    assert copied.st_mode & 0o7777 == 0o755  # without the set-user-id bit
    assert copied.st_mtime == 1_000_000


def test_only_what_is_below(tmp_path: Path) -> None:
    source = tree(tmp_path / "source")
    (tmp_path / "target").mkdir()
    unpack(packed(source, ""), tmp_path / "target", "", contents=True)
    assert seen(tmp_path / "target") == seen(source)
    assert sorted(read_back(packed(source, "")).getnames()) == [
        "file",
        "link",
        "sub",
        "sub/big",
        "sub/deep",
        "sub/deep/näme",
    ]


def test_a_copy_replaces_files_but_never_folders(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    (tmp_path / "folder").mkdir()
    unpack(packed(tmp_path / "new", "any"), tmp_path, "old", contents=False)
    assert (tmp_path / "old").read_text() == "new"
    with pytest.raises(BadRequest, match="replace a folder"):
        unpack(packed(tmp_path / "new", "any"), tmp_path, "folder", contents=False)


def test_owners_become_root_unless_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    owner = (tmp_path / "file").stat().st_uid
    for keep, expected in ((False, 0), (True, owner)):
        tar = read_back(packed(tmp_path / "file", "file", keep_owner=keep))
        assert tar.getmember("file").uid == expected


def test_a_missing_file_is_an_error_of_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TiffinError, match="No such file"):
        list(packed(tmp_path / "none", "none"))


def archive(*members: tuple[str, bytes, str]) -> Iterator[bytes]:
    """Members as (name, type, link target or content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, text in members:
            head = tarfile.TarInfo(name)
            head.type = kind
            head.mode = 0o755
            if kind == tarfile.REGTYPE:
                head.size = len(text)
                tar.addfile(head, io.BytesIO(text.encode()))
            else:
                head.linkname = text
                tar.addfile(head)
    yield buffer.getvalue()


REG, DIR, SYM, LNK, CHR = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE


@pytest.mark.parametrize(
    "members",
    [
        [("x/../../outside/owned", REG, "!")],
        [("/outside/owned", REG, "!")],
        [("x", DIR, ""), ("x/out", SYM, "../../outside"), ("x/out/owned", REG, "!")],
        [("x", SYM, "../outside"), ("x/owned", REG, "!")],
        [("x", SYM, "../outside"), ("x", DIR, ""), ("x/owned", REG, "!")],
        [("x", DIR, ""), ("x/hard", LNK, "x/../../outside/secret")],
        [("x", DIR, ""), ("x/out", SYM, "../../outside"), ("x/hard", LNK, "x/out/secret")],
    ],
)
def test_no_archive_leads_out_of_its_folder(tmp_path: Path, members: list[tuple[str, bytes, str]]) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret").write_text("secret")
    with pytest.raises(TiffinError):
        unpack(archive(*members), inside, "x", contents=False)
    assert {path.name for path in outside.iterdir()} == {"secret"}
    with pytest.raises(TiffinError):
        unpack(archive(*members), inside, "", contents=True)
    assert {path.name for path in outside.iterdir()} == {"secret"}
    assert (outside / "secret").stat().st_nlink == 1


def test_a_link_in_the_way_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "x").symlink_to("../secret")
    unpack(archive(("x", REG, "new")), tmp_path / "inside", "x", contents=False)
    assert (tmp_path / "secret").read_text() == "secret"
    assert (tmp_path / "inside" / "x").read_text() == "new"


def test_hard_links_and_devices(tmp_path: Path) -> None:
    members = [("x", DIR, ""), ("x/a", REG, "!"), ("x/b", LNK, "x/a"), ("x/null", CHR, "")]
    assert unpack(archive(*members), tmp_path, "y", contents=False) == ["x/null"]
    assert (tmp_path / "y" / "a").samefile(tmp_path / "y" / "b")
    assert not (tmp_path / "y" / "null").exists()


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    whole = b"".join(archive(("x", REG, "a" * 5000)))
    with pytest.raises(BadRequest):
        unpack(iter([whole[:2000]]), tmp_path, "x", contents=False)
