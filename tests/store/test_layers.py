"""Images of many layers: what overlayfs shows of them is what the image-spec says they hold."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from images_made import PACKING, entry, put, tar
from layered import INSIDE, ROOT

from engine.errors import Corrupt
from engine.images import Images
from engine.model import ImageSummary

pytestmark = pytest.mark.system

WALK = """
import json, stat
found = {}
for folder, _, _ in os.walk("."):
    for name in ["", *os.listdir(folder)]:
        path = os.path.join(folder, name)[2:].rstrip("/")
        s = os.lstat(path or ".")
        text = open(path).read() if stat.S_ISREG(s.st_mode) and s.st_size < 100 else ""
        found[path] = [stat.S_IFMT(s.st_mode), s.st_mode & 0o7777, s.st_uid, s.st_gid, int(s.st_mtime), text]
print(json.dumps(found))
"""


async def seen(
    images: Images, image: ImageSummary, folder: Path, code: str = WALK
) -> dict[str, list[object]]:
    """What a container of the image would see, by path, through a real overlay."""
    lower = await images.lower(image)
    for name in ("root", "work", "upper"):
        (folder / name).mkdir(parents=True)
    paths = [folder / "root", folder / "work", folder / "upper", *lower]
    done = subprocess.run(
        [sys.executable, "-sP", "-c", INSIDE, ROOT, code, *map(os.fspath, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def texts(found: dict[str, list[object]]) -> dict[str, object]:
    """Content of the regular files, by path."""
    return {path: facts[5] for path, facts in found.items() if facts[0] == stat.S_IFREG}


@pytest.mark.parametrize("packing", PACKING)
async def test_every_layer_changes_those_below(images: Images, tmp_path: Path, packing: str) -> None:
    layers = [
        tar(entry("etc"), entry("etc/a", b"1"), entry("etc/b", b"1"), entry("d"), entry("d/x", b"1")),
        tar(entry("etc"), entry("etc/b", b"2"), entry("etc/.wh.a", b""), entry(".wh.d", b"")),
        tar(entry("etc"), entry("etc/a", b"3"), entry("d"), entry("d/y", b"3")),
    ]
    image = await put(images, layers, "three", packing)
    assert texts(await seen(images, image, tmp_path / "m")) == {"etc/a": "3", "etc/b": "2", "d/y": "3"}


@pytest.mark.parametrize("first", [True, False], ids=["marker first", "marker last"])
@pytest.mark.parametrize("marker", ["opaque", "whiteout"])
async def test_a_hidden_folder_keeps_what_its_own_layer_brings(
    images: Images, tmp_path: Path, first: bool, marker: str
) -> None:
    hiding = entry("d/.wh..wh..opq", b"") if marker == "opaque" else entry(".wh.d", b"")
    new = [entry("d"), entry("d/new", b"new"), entry("d/sub"), entry("d/sub/new", b"new")]
    upper = [hiding, *new] if first else [*new, hiding]
    below = tar(entry("d"), entry("d/old", b"old"), entry("d/sub"), entry("d/sub/old", b"old"))
    image = await put(images, [below, tar(*upper)], "hiding")
    assert texts(await seen(images, image, tmp_path / "m")) == {"d/new": "new", "d/sub/new": "new"}


async def test_an_opaque_root_ends_the_stack(images: Images, tmp_path: Path) -> None:
    layers = [tar(entry("old", b"old")), tar(entry(".wh..wh..opq", b""), entry("new", b"new"))]
    image = await put(images, layers, "fresh")
    assert texts(await seen(images, image, tmp_path / "m")) == {"new": "new"}


async def test_file_folder_and_link_replace_each_other(images: Images, tmp_path: Path) -> None:
    link = {"type": tarfile.SYMTYPE, "linkname": "elsewhere"}
    layers = [
        tar(
            entry("a", b"file"), entry("b"), entry("b/in", b"in"), entry("c", b"", **link), entry("elsewhere")
        ),
        tar(entry("a"), entry("a/in", b"now"), entry("b", b"file"), entry("c"), entry("c/in", b"own")),
    ]
    found = await seen(images, await put(images, layers, "swapped"), tmp_path / "m")
    assert texts(found) == {"a/in": "now", "b": "file", "c/in": "own"}


async def test_a_folder_that_a_layer_only_implies_stays_as_it_was(images: Images, tmp_path: Path) -> None:
    layers = [
        tar(
            entry("srv", mode=0o750, uid=7, gid=8, mtime=77),
            entry("srv/data", mode=0o1777, uid=9, mtime=99),
            entry("srv/other", mode=0o700),
        ),
        tar(entry("srv/data/x", b"x"), entry("new/deep/y", b"y")),
        tar(entry("srv/other/z", b"z"), entry("srv/data", mode=0o711, mtime=5)),
    ]
    first = await put(images, layers[:2], "first")
    found = await seen(images, first, tmp_path / "m1")
    assert found["srv"][1:5] == [0o750, 7, 8, 77]
    assert found["srv/data"][1:5] == [0o1777, 9, 0, 99]
    assert found["new/deep"][1:4] == [0o755, 0, 0]
    whole = await put(images, layers, "whole")
    found = await seen(images, whole, tmp_path / "m2")
    assert found["srv"][1:5] == [0o750, 7, 8, 77]
    assert found["srv/data"][1:5] == [0o711, 0, 0, 5]
    assert found["srv/other"][1] == 0o700
    assert texts(found) == {"srv/data/x": "x", "new/deep/y": "y", "srv/other/z": "z"}
    # The layer itself is shared: on top of others it implies something else.
    alone = await put(images, [layers[1]], "alone")
    assert (await seen(images, alone, tmp_path / "m3"))["srv/data"][1:4] == [0o755, 0, 0]


async def test_a_hundred_and_twenty_layers(images: Images, tmp_path: Path) -> None:
    layers = [
        tar(entry("etc"), entry(f"etc/{n}", b"%d" % n), entry("etc/last", b"%d" % n)) for n in range(120)
    ]
    image = await put(images, layers, "tower")
    found = texts(await seen(images, image, tmp_path / "m"))
    assert found == {**{f"etc/{n}": str(n) for n in range(120)}, "etc/last": "119"}


async def test_devices_are_nodes_that_nobody_can_open(images: Images, tmp_path: Path) -> None:
    nodes = [
        entry("null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("disk", b"", type=tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o660, gid=6),
        entry("none", b"", type=tarfile.CHRTYPE, devmajor=0, devminor=0),
    ]
    image = await put(images, [tar(entry("none", b"below")), tar(*nodes)], "nodes")
    code = """
import json, stat
def opened(path):
    try: os.close(os.open(path, os.O_RDONLY)); return "opened"
    except PermissionError: return "refused"
print(json.dumps({n: [os.lstat(n).st_rdev, os.lstat(n).st_gid, opened(n)] for n in ("null", "disk", "none")}))
"""
    found = await seen(images, image, tmp_path / "m", code)
    assert found == {
        "null": [os.makedev(1, 3), 0, "refused"],
        "disk": [os.makedev(8, 0), 6, "refused"],
        "none": [0, 0, "opened"],  # a device 0:0 would be a whiteout, which has another form in archives
    }


async def test_a_layer_that_is_not_what_the_config_says_is_never_used(images: Images, tmp_path: Path) -> None:
    good, bad = tar(entry("a", b"a")), tar(entry("a", b"evil"))
    image = await put(images, [good], "swapped")
    stored = images._store.images()[0]
    images._store.path(stored.manifest.layers[0].digest).write_bytes(PACKING["+gzip"](bad))
    with pytest.raises(Corrupt, match="its blob holds"):
        await images.lower(image)
    assert [name for name in os.listdir(tmp_path / "root/state/layers") if not name.startswith("host-")] == []
    assert (await images.verify()).problems


async def test_layers_are_shared_between_images(images: Images) -> None:
    base = tar(entry("base", bytes(5000)))
    one = await put(images, [base, tar(entry("one", bytes(100)))], "one")
    two = await put(images, [base, tar(entry("two", bytes(200)))], "two", "+zstd")
    lowers = [await images.lower(image) for image in (one, two)]
    assert lowers[0][-1] == lowers[1][-1]
    assert (images.get("one").size, images.get("one").shared) == (5100, 5000)
    assert [(use.own, use.shared) for use in images.keeping.uses({})] == [(200, 5000), (100, 5000)]
    steps = images.keeping.history("two")
    assert [(step.size, step.shared_with) for step in steps] == [(200, []), (5000, ["one:latest"])]
    await images.remove("one", {})
    assert lowers[1][0].is_dir()
    assert lowers[1][-1].is_dir()
    assert not lowers[0][0].exists()
    assert images.get("two").shared == 0
