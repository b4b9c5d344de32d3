"""The built-in `host` image: the machine's programs and settings are there, its secrets are not."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from engine import instance
from engine.images import Images, noticing
from engine.launch.plan import LaunchPlan, Overlay, Restart

pytestmark = pytest.mark.system

SETTINGS = Path(f"/etc/tiffin-test-{os.getpid()}.conf")  # runs beside each other share the machine

LOOK = """
import os, sys
from engine.kernel import mount, syscalls
layers, state = sys.argv[1], sys.argv[2]
for name in ("upper", "work"):
    os.makedirs(f"{state}/{name}", exist_ok=True)
options = {"lowerdir": layers, "upperdir": f"{state}/upper", "workdir": f"{state}/work"}
os.fchdir(mount.filesystem("overlay", options))
os.chroot(".")
exec(sys.stdin.read())
"""


def inside(lower: list[Path], scratch: Path, code: str) -> str:
    """What `code` prints in a process whose root is an overlay of the layers."""
    scratch.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, ":".join(map(str, lower)), str(scratch)],
        input=code, capture_output=True, text=True, env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    shutil.rmtree(scratch)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[Images]:
    images = Images(instance.find(tmp_path / "root"))
    await images.open()
    yield images
    await images.close()


@contextlib.contextmanager
def planted(path: Path, text: str, mode: int = 0o644) -> Iterator[Path]:
    """A file of the host's for the time of one test."""
    assert not path.exists()
    path.write_text(text)
    path.chmod(mode)
    try:
        yield path
    finally:
        path.unlink()


async def test_programs_and_settings_are_there(images: Images, tmp_path: Path) -> None:
    lower = await images.lower(images.get("host"))
    out = inside(
        lower,
        tmp_path / "c",
        """
print(open("/etc/passwd").read().startswith("root:x:0:0:"))
print(os.access("/bin/sh", os.X_OK), os.path.isdir("/usr/bin"), os.system("/bin/sh -c 'exit 3'") >> 8)
""",
    )
    assert out.split() == ["True", "True", "True", "3"]


async def test_no_secret_is_readable(images: Images, tmp_path: Path) -> None:
    lower = await images.lower(images.get("host"))
    out = inside(
        lower,
        tmp_path / "c",
        """
import stat
for path in ("/root", "/home", "/tmp", "/var/tmp", "/run", "/etc/ssl/private", "/srv", "/mnt", "/boot"):
    if os.path.isdir(path):
        left = [name for _, _, names in os.walk(path) for name in names]
        assert not left, (path, left)
for line in open("/etc/shadow"):
    assert line.split(":")[1] in ("*", "!", "!*"), line
assert os.stat("/etc/shadow").st_mode & 0o777 == 0o640
for path in ("/etc/shadow-", "/etc/gshadow-", "/etc/passwd-", "/etc/krb5.keytab", "/etc/security/opasswd"):
    assert not os.path.lexists(path), path
assert open("/etc/machine-id").read() == ""
for top in ("/etc", "/var", "/opt", "/usr/local"):
    for folder, folders, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            assert stat.S_ISREG(mode) or stat.S_ISLNK(mode), path
            if stat.S_ISREG(mode) and path not in ("/etc/shadow", "/etc/gshadow"):
                assert mode & 0o004, path
                if top == "/etc":
                    assert b"PRIVATE KEY" not in open(path, "rb").read(), path
for folder, folders, files in os.walk("/var/log"):
    assert not files, folder
print("clean")
""",
    )
    assert out == "clean\n"


async def test_the_state_of_the_instance_is_hidden(tmp_path: Path) -> None:
    home = Path(f"/opt/tiffin-test-{os.getpid()}")  # not below /tmp, which is emptied as a whole
    assert not home.exists()
    try:
        images = Images(instance.find(home))
        await images.open()
        lower = await images.lower(images.get("host"))
        assert inside(lower, tmp_path / "c", f"print(os.listdir({str(home)!r}))") == "[]\n"
        await images.close()
        assert not lower[0].exists()
    finally:
        shutil.rmtree(home)


async def test_a_new_key_is_hidden_from_the_next_container(images: Images, tmp_path: Path) -> None:
    before = await images.lower(images.get("host"))
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n"
    with planted(SETTINGS, key) as path:
        after = await images.lower(images.get("host"))
        assert after != before
        assert before[0].is_dir()  # running containers stand on it
        assert inside(after, tmp_path / "c", f"print(os.path.lexists({str(path)!r}))") == "False\n"
    await images._host.refresh(always=True)
    assert not os.path.lexists((await images.lower(images.get("host")))[0] / path.relative_to("/"))


async def test_a_change_is_noticed_on_file_systems_that_tell_nothing(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "HEARD", frozenset())  # as on nfs
    before = await images.lower(images.get("host"))
    assert await images.lower(images.get("host")) == before
    with planted(SETTINGS, "x", 0o600):
        assert await images.lower(images.get("host")) != before


OVERLAID = """
import asyncio, sys
from engine import instance
from engine.errors import Unsupported
from engine.images import Images

async def main(root):
    images = Images(instance.find(root))
    await images.open()
    try:
        print(len(await images.lower(images.get("host"))))
    except Unsupported as e:
        print(e)
    await images.close()

for root in sys.argv[1:]:
    asyncio.run(main(root))
"""


def test_a_machine_that_is_itself_an_overlay(tmp_path: Path) -> None:
    for name in ("upper", "work", "root"):
        (tmp_path / name).mkdir()
    script = f"""
        set -e
        mount -t overlay overlay -o lowerdir=/,upperdir=$1/upper,workdir=$1/work $1/root
        mount --rbind /proc $1/root/proc
        mount --rbind /dev $1/root/dev
        mount -t tmpfs tmpfs $1/root/mnt
        cat > $1/root/srv/script
        export PYTHONPATH={Path(__file__).parents[2]}
        exec chroot $1/root {sys.executable} /srv/script /srv/here /mnt/there
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path)],
        input=OVERLAID, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    refused, accepted = done.stdout.splitlines()
    assert refused.startswith(
        "mounting an overlay over this machine's root, with its files in /srv/here/state/layers: "
    )
    assert "use --root with a folder on a tmpfs" in refused
    assert accepted == "2"


@pytest.mark.parametrize(
    ("text", "mode", "hidden"),
    [
        ("//registry.example/:_authToken=abc\n", 0o644, True),
        ("index-url = https://me:secret@pypi.example/simple\n", 0o644, True),
        ("# like https://me:secret@pypi.example/simple\n", 0o644, False),
        ("index-url = https://pypi.example/simple\n", 0o644, False),
        ("harmless\n", 0o640, True),
    ],
)
async def test_settings_are_hidden_by_what_they_say(
    images: Images, tmp_path: Path, text: str, mode: int, hidden: bool
) -> None:
    with planted(SETTINGS, text, mode) as path:
        lower = await images.lower(images.get("host"))
        there = inside(lower, tmp_path / "c", f"print(os.path.lexists({str(path)!r}))")
    assert there == f"{not hidden}\n"


async def test_a_socket_of_the_host_cannot_be_reached(images: Images, tmp_path: Path) -> None:
    path = Path(f"/opt/tiffin-test-{os.getpid()}.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.listen()
        try:
            lower = await images.lower(images.get("host"))
            assert inside(lower, tmp_path / "c", f"print(os.path.lexists({str(path)!r}))") == "False\n"
        finally:
            path.unlink()


async def test_a_root_with_a_long_path(tmp_path: Path) -> None:
    images = Images(instance.find(tmp_path / ("a" * 200) / ("b" * 200)))
    await images.open()
    assert (await images.lower(images.get("host")))[0].is_dir()
    await images.close()


async def test_a_layer_that_a_container_stands_on_is_kept(tmp_path: Path) -> None:
    here = instance.find(tmp_path / "root")
    images = Images(here)
    await images.open()
    lower = await images.lower(images.get("host"))
    plan = LaunchPlan(
        id="c1", overlay=Overlay(lower=[str(path) for path in lower], upper="", work=""), cgroups=[],
        monitor_cgroups=[], oom_files=[], memory_limit_file="", state_file="", socket="", log_dir="",
        log_max_size=0, log_max_files=0, restart=Restart(), stop_signal=15, stop_grace=10, tty=False,
        stdin=False, init=False, seccomp="",
    )  # fmt: skip
    folder = here.container("c1")
    folder.mkdir(parents=True)
    (folder / "launch.json").write_bytes(msgspec.json.encode(plan))
    await images.close()
    assert lower[0].is_dir()
    shutil.rmtree(folder)
    await Images(here).open()
    assert not lower[0].exists()


async def test_only_one_look_for_many_at_once(images: Images) -> None:
    import asyncio

    image = images.get("host:latest")
    assert image.id == "host"
    assert image.config.command
    layers = await asyncio.gather(*(images.lower(image) for _ in range(20)))
    assert len({layer[0] for layer in layers}) == 1
    assert os.listdir(layers[0][0].parent) == [layers[0][0].name]
