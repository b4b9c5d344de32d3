"""What a private layer becomes: applied to its image, a committed layer is the container."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layered import INSIDE, ROOT, Layers

from engine.images import Images, oci
from engine.instance import find
from engine.model import ImageSummary

pytestmark = pytest.mark.system

# Every path with all that an archive carries; hard links as the first name of the same inode.
WALK = """
import json, os, stat
found, names = {}, {}
for folder, folders, files in os.walk("."):
    folders.sort()
    for name in sorted(folders + files):
        path = os.path.join(folder, name)[2:]
        s = os.lstat(path)
        kind = stat.S_IFMT(s.st_mode)
        content = os.readlink(path) if kind == stat.S_IFLNK else ""
        content = open(path, "rb").read().hex() if kind == stat.S_IFREG else content
        twin = names.setdefault(s.st_ino, path) if kind == stat.S_IFREG and s.st_nlink > 1 else ""
        xattrs = {} if kind == stat.S_IFLNK else {k: os.getxattr(path, k).hex() for k in os.listxattr(path)}
        found[path] = [kind, s.st_mode & 0o7777, s.st_uid, s.st_gid, s.st_mtime_ns, s.st_rdev, content, twin, xattrs]
print(json.dumps(found))
"""

BELOW = """
import os
for folder in ("d/sub", "e", "f/g/h"):
    os.makedirs(folder)
for name in ("a", "d/x", "d/sub/y", "e/z", "f/g/h/deep"):
    open(name, "w").write(name)
os.symlink("a", "link")
os.link("a", "twin")
os.utime("e", ns=(5, 1_234_567_890_123_456_789))
"""

PATHS = ["a", "b", "d", "d/x", "d/sub", "d/sub/y", "e", "e/z", "f", "f/g", "f/g/h/deep", "link", "twin"]
CHANGE = """
import os, shutil, stat
def remove(p):
    if os.path.isdir(p) and not os.path.islink(p): shutil.rmtree(p)
    else: os.remove(p)
for verb, path, other in steps:
    try:
        if verb == "write": open(path, "a").write(other)
        elif verb == "remove": remove(path)
        elif verb == "folder": os.makedirs(path)
        elif verb == "renew":
            remove(path); os.makedirs(path); open(path + "/" + os.path.basename(other), "w").write("new")
        elif verb == "mode": os.chmod(path, 0o711)
        elif verb == "owner": os.chown(path, 12, 34, follow_symlinks=False)
        elif verb == "xattr": os.setxattr(path, "user.note", other.encode())
        elif verb == "link": os.link(path, other)
        elif verb == "symlink": os.symlink(other, path)
        elif verb == "move": os.rename(path, other)
        elif verb == "fifo": os.mkfifo(path)
        elif verb == "node": os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except OSError: pass
"""
STEPS = st.lists(
    st.tuples(
        st.sampled_from("write remove folder renew mode owner xattr link symlink move fifo node".split()),
        st.sampled_from(PATHS),
        st.sampled_from([*PATHS, "new", "d/new"]),
    ),
    min_size=1,
    max_size=12,
)


async def committed(layers: Layers, images: Images, epoch: float | None = None) -> ImageSummary:
    """The image that the container's image and its private layer make."""
    stack = layers.all
    async with images.coming():
        packed = [await images.pack(stack[n], stack[n + 1 :], latest=epoch) for n in (2, 1, 0)]
        config = oci.Image(
            architecture="amd64", os="linux", rootfs=oci.RootFs(diff_ids=[one.diff_id for one in packed])
        )
        return await images.enter(config, [one.layer for one in packed], "made")


def run_in(paths: list[Path], code: str) -> str:
    """What Python code prints in a real overlay: root, work, upper and lower folders."""
    done = subprocess.run(
        [sys.executable, "-sP", "-c", INSIDE, ROOT, code, *map(os.fspath, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def compare(steps: list[tuple[str, str, str]]) -> None:
    """Commit what the steps make of a small image, and look at both through a real overlay."""
    folder = Path(tempfile.mkdtemp(prefix="tiffin-test-", dir="/dev/shm"))
    try:
        layers = Layers(folder)
        layers.change(BELOW)
        layers.base.rmdir()
        layers.upper.rename(layers.base)  # what was made first is the image
        layers.upper.mkdir()
        layers.change(f"steps = {steps!r}\n" + CHANGE)
        wanted = json.loads(layers.change(WALK))

        async def make() -> list[Path]:
            images = Images(find(folder / "instance"))
            await images.open()
            lower = await images.lower(await committed(layers, images))
            await images.close()
            return lower

        lower = asyncio.run(make())
        again = [folder / "root2", folder / "work2", folder / "upper2"]
        for path in again:
            path.mkdir()
        assert json.loads(run_in([*again, *lower], WALK)) == wanted
    finally:
        shutil.rmtree(folder)


def test_a_commit_of_everything_at_once_is_the_container() -> None:
    compare(
        [
            ("write", "a", "more"),
            ("renew", "d", "new"),
            ("remove", "e/z", ""),
            ("mode", "f/g", ""),
            ("owner", "link", ""),
            ("xattr", "f", "text"),
            ("folder", "b", ""),
            ("node", "b/node", ""),
            ("fifo", "b/fifo", ""),
            ("write", "b/one", "one"),
            ("link", "b/one", "b/two"),
            ("remove", "twin", ""),
            ("folder", "twin", ""),
            ("renew", "f/g/h", "sub"),
        ]
    )


@given(STEPS)
@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
def test_a_commit_is_the_container(steps: list[tuple[str, str, str]]) -> None:
    compare(steps)


async def test_the_same_changes_make_the_same_image(images: Images, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        layers = Layers(tmp_path / name)
        layers.change(BELOW)
        made.append(await committed(layers, images, epoch=1000))
    assert made[0].id == made[1].id
    assert made[0].digest == made[1].digest


async def test_places_made_for_mounts_are_left_out(images: Images, tmp_path: Path) -> None:
    (tmp_path / "layers").mkdir()
    layers = Layers(tmp_path / "layers")
    (layers.base / "etc").mkdir()
    layers.change(
        "import os\n"
        "for name in ('proc', 'data', 'data/in', 'kept'): os.mkdir(name)\n"
        "open('etc/hosts', 'w')\nopen('etc/full', 'w')"
    )
    stubs = ["/proc", "/etc/hosts", "/data/in", "/kept"]
    packed = await images.pack(layers.upper, layers.lower, stubs=stubs)
    listed = subprocess.run(
        ["tar", "tzf", images._store.path(packed.layer.digest)], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == ["etc/", "etc/full"]
    (layers.upper / "proc/x").write_text("not empty any more")
    (layers.upper / "etc/hosts").write_text("written by somebody")
    packed = await images.pack(layers.upper, layers.lower, stubs=stubs)
    listed = subprocess.run(
        ["tar", "tzf", images._store.path(packed.layer.digest)], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == ["etc/", "etc/full", "etc/hosts", "proc/", "proc/x"]


async def test_umoci_and_skopeo_read_what_commit_makes(images: Images, tmp_path: Path) -> None:
    (tmp_path / "layers").mkdir()
    layers = Layers(tmp_path / "layers")
    layers.change(BELOW)
    layers.base.rmdir()
    layers.upper.rename(layers.base)
    layers.upper.mkdir()
    steps = [("renew", "d", "new"), ("remove", "a", ""), ("write", "e/z", "more")]
    layers.change(f"steps = {steps!r}\n" + CHANGE)
    image = await committed(layers, images)
    copy = tmp_path / "copy"
    subprocess.run(
        [
            "skopeo",
            "--insecure-policy",
            "copy",
            "-q",
            f"oci:{images._store.folder}:made:latest",
            f"oci:{copy}:x",
        ],
        check=True,
    )
    manifest = json.loads((copy / "index.json").read_bytes())["manifests"][0]
    assert manifest["digest"] == image.digest
    subprocess.run(
        ["umoci", "unpack", "--image", f"{copy}:x", tmp_path / "bundle"], check=True, capture_output=True
    )
    root = tmp_path / "bundle/rootfs"
    assert {str(path.relative_to(root)) for path in root.rglob("*")} == {
        "d", "d/new", "e", "e/z", "f", "f/g", "f/g/h", "f/g/h/deep", "link", "twin",
    }  # fmt: skip
    assert (root / "e/z").read_text() == "e/zmore"
