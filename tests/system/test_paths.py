"""Deleting trees, whatever was made of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.kernel.paths import delete, open_in_root

pytestmark = pytest.mark.system


def test_delete(tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("keep")
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/link").symlink_to("../keep")
    (tmp_path / "tree/folder").symlink_to("..")
    (tmp_path / "tree/sub/file").touch()
    os.mkfifo(tmp_path / "tree/fifo")
    delete(tmp_path / "tree")
    delete(tmp_path / "tree")
    delete(tmp_path / "no/such")
    assert os.listdir(tmp_path) == ["keep"]
    (tmp_path / "link").symlink_to(".")
    delete(tmp_path / "link")
    delete(tmp_path / "keep")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "up/etc/passwd", "absolute/passwd", "chain/passwd", "etc/../../x"]
)
def test_nothing_outside_the_root_is_opened(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "up").symlink_to("../../../../../..")
    (root / "absolute").symlink_to("/etc")
    (root / "chain").symlink_to("up/etc")
    (tmp_path / "x").touch()
    fd = os.open(root, os.O_PATH)
    try:
        with pytest.raises(FileNotFoundError):
            open_in_root(fd, path, os.O_RDONLY)
        with pytest.raises(OSError, match="Invalid argument"):
            open_in_root(fd, "etc\0/../..", os.O_RDONLY)
        (root / "etc/passwd").write_text("inside")
        if path != "etc/../../x":
            with os.fdopen(open_in_root(fd, path, os.O_RDONLY)) as file:
                assert file.read() == "inside"
    finally:
        os.close(fd)
