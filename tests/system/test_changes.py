"""What a container changed, made by real programs through real overlays."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
from layered import Layers

from engine import rootfs
from engine.errors import Unsupported
from engine.kernel.paths import remove_tree
from engine.model import Change

pytestmark = pytest.mark.system


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    layers = Layers(tmp_path)
    for name, text in {
        "etc/passwd": "root",
        "etc/group": "g",
        "usr/bin/tool": "t",
        "var/log/old": "o",
    }.items():
        (layers.base / name).parent.mkdir(parents=True, exist_ok=True)
        (layers.base / name).write_text(text)
    (layers.base / "link").symlink_to("etc/passwd")
    (layers.middle / "etc").mkdir()
    (layers.middle / "etc/middle").write_text("m")
    (layers.middle / "gone").mkdir()
    os.mknod(layers.middle / "usr", stat.S_IFCHR, 0)  # a whiteout: /usr is not in the image
    past = (10**18, 10**18)
    for folder, folders, files in os.walk(tmp_path, topdown=False):
        for name in (*folders, *files):
            os.utime(Path(folder, name), ns=past, follow_symlinks=False)
    return layers


async def told(layers: Layers) -> dict[str, str]:
    """Docker's letters by path."""
    return {c.path: c.kind[0].upper() for c in await rootfs.diff(layers.upper, layers.lower)}


async def test_nothing_changed(layers: Layers) -> None:
    layers.change("os.listdir('etc'); open('etc/passwd').read()")
    assert await told(layers) == {}


async def test_added_modified_deleted(layers: Layers) -> None:
    layers.change(
        "open('etc/passwd', 'a').write('more'); open('new', 'w').write('12345'); os.unlink('var/log/old');"
        "os.makedirs('srv/a/b'); os.unlink('link'); os.symlink('elsewhere', 'link'); os.rmdir('gone')"
    )
    assert await rootfs.diff(layers.upper, layers.lower) == [
        Change(path="/etc", kind="modified", is_dir=True),
        Change(path="/etc/passwd", kind="modified", size=8),
        Change(path="/gone", kind="deleted", is_dir=True),
        Change(path="/link", kind="modified"),
        Change(path="/new", kind="added", size=5),
        Change(path="/srv", kind="added", is_dir=True),
        Change(path="/srv/a", kind="added", is_dir=True),
        Change(path="/srv/a/b", kind="added", is_dir=True),
        Change(path="/var", kind="modified", is_dir=True),
        Change(path="/var/log", kind="modified", is_dir=True),
        Change(path="/var/log/old", kind="deleted"),
    ]


async def test_copied_up_without_a_change_is_none(layers: Layers) -> None:
    layers.change("os.close(os.open('etc/passwd', os.O_RDWR)); os.utime('etc/group', ns=(5, 10**18))")
    assert (layers.upper / "etc/passwd").exists()
    assert await told(layers) == {}


async def test_a_write_that_keeps_the_size_is_seen(layers: Layers) -> None:
    layers.change("open('etc/passwd', 'w').write('toor')")
    assert await told(layers) == {"/etc": "M", "/etc/passwd": "M"}


async def test_metadata_alone(layers: Layers) -> None:
    layers.change("os.chmod('etc/passwd', 0o600); os.chown('var', 5, 5)")
    assert await told(layers) == {"/etc": "M", "/etc/passwd": "M", "/var": "M"}


async def test_made_and_deleted_again_is_nothing(layers: Layers) -> None:
    layers.change("open('var/x', 'w').close(); os.unlink('var/x'); os.utime('var', ns=(10**18, 10**18))")
    assert await told(layers) == {}


async def test_what_the_image_itself_hides_is_added_when_made(layers: Layers) -> None:
    layers.change("os.makedirs('usr/bin'); open('usr/bin/tool', 'w').close()")
    assert await told(layers) == {"/usr": "A", "/usr/bin": "A", "/usr/bin/tool": "A"}


async def test_a_folder_made_anew_hides_what_was_in_it(layers: Layers) -> None:
    layers.change("import shutil; shutil.rmtree('etc'); os.mkdir('etc'); open('etc/group', 'w').write('x')")
    assert await told(layers) == {"/etc": "M", "/etc/group": "M", "/etc/middle": "D", "/etc/passwd": "D"}


async def test_a_change_of_type(layers: Layers) -> None:
    layers.change("import shutil; shutil.rmtree('etc'); open('etc', 'w').close()")
    layers.change("os.unlink('link'); os.mkdir('link')")
    assert await told(layers) == {"/etc": "M", "/link": "M"}


async def test_whiteouts_that_are_files(layers: Layers) -> None:
    (layers.upper / "etc").mkdir()
    (layers.upper / "etc/passwd").touch()
    (layers.upper / "etc/group").touch()
    os.setxattr(layers.upper / "etc/passwd", "trusted.overlay.whiteout", b"y")
    assert (await told(layers))["/etc/passwd"] == "M"  # means nothing in a folder that is not so marked
    os.setxattr(layers.upper / "etc", "trusted.overlay.opaque", b"x")
    assert await told(layers) == {"/etc": "M", "/etc/passwd": "D", "/etc/group": "M"}


async def test_names_that_are_no_text(layers: Layers) -> None:
    layers.change(r"open(b'\xff\n', 'w').close()")
    assert await told(layers) == {"/\\xff\n": "A"}


async def test_links_are_not_followed(layers: Layers) -> None:
    layers.change("os.symlink('/', 'out'); os.symlink('..', 'etc/up')")
    assert await told(layers) == {"/etc": "M", "/etc/up": "A", "/out": "A"}


async def test_a_tree_made_to_exhaust_is_refused_in_one_sentence(layers: Layers) -> None:
    layers.change("for _ in range(2000): os.mkdir('d'); os.chdir('d')")
    try:
        with pytest.raises(Unsupported, match="nested"):
            await rootfs.diff(layers.upper, layers.lower)
    finally:  # pytest's own removal would not get through
        folder = os.open(layers.folder, os.O_RDONLY)
        remove_tree(folder, layers.upper.name)
        os.close(folder)


async def test_many_files_are_quick(layers: Layers) -> None:
    count = 20_000
    layers.change(f"os.mkdir('many')\nfor n in range({count}): os.mknod(f'many/{{n}}')")
    began = time.monotonic()
    found = await rootfs.diff(layers.upper, layers.lower)
    elapsed = time.monotonic() - began
    assert len(found) == count + 1
    assert [c.path for c in found] == sorted(c.path for c in found)
    slow = 50 if "User Mode Linux" in Path("/proc/cpuinfo").read_text() else 1
    assert elapsed < 2 * slow


FILES = [
    *("etc/passwd", "/etc/middle", "usr/bin/tool", "abs", "up", "loop", "chain/passwd", "dangling", "etc"),
    *("empty", "fifo", "no/such", "etc/passwd/x", "over/file", "out/../abs"),
]


def test_reading_a_file_shows_what_the_overlay_shows(layers: Layers) -> None:
    (layers.base / "abs").symlink_to("/etc/passwd")
    (layers.base / "up").symlink_to("../../../../etc/middle")
    (layers.base / "loop").symlink_to("loop")
    (layers.base / "dangling").symlink_to("/nowhere")
    (layers.middle / "chain").symlink_to("var/../etc/./")
    (layers.base / "over").mkdir()
    (layers.base / "over/file").write_text("hidden")
    (layers.middle / "over").mkdir()
    os.setxattr(layers.middle / "over", "trusted.overlay.opaque", b"y")
    (layers.upper / "empty").touch()
    (layers.base / "empty").write_text("below")
    os.mkfifo(layers.base / "fifo")
    (layers.base / "out").symlink_to(layers.folder.parent)
    code = """
os.chroot('.')
for path in PATHS:
    import stat
    try: text = open(path).read() if stat.S_ISREG(os.stat('/' + path).st_mode) else ''
    except OSError: text = ''
    print(repr(text))
""".replace("PATHS", repr(FILES))
    expected = [eval(line) for line in layers.change("os.chdir(root)\n" + code).splitlines()]
    assert [rootfs.read_text(layers.all, path) for path in FILES] == expected
    assert expected[:5] == ["root", "m", "", "root", "m"]
