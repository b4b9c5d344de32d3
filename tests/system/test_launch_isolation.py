"""What a started program can see and do, and the attacks that have worked on other engines."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import signal
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from bundles import DEFAULT, MOUNTS, Bundle, busybox_root, config, execute, process, run, started, until
from inside import group, new

from engine.errors import LaunchError
from engine.kernel import syscalls
from engine.launch import Launcher
from engine.model import LimitsChange

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busybox_root(tmp_path_factory.mktemp("image") / "root")


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[Launcher]:
    before = Path("/proc/self/mountinfo").read_text()
    launcher = Launcher(tmp_path / "engine.log")
    await launcher.start()
    yield launcher
    await launcher.close()
    assert (tmp_path / "engine.log").read_text() == ""
    assert Path("/proc/self/mountinfo").read_text() == before


async def output(launcher: Launcher, tmp_path: Path, image: Path, script: str, **changes: Any) -> str:
    """What a shell script prints in a container whose config has these changes."""
    bundle = Bundle(tmp_path / "box", [image], config(["sh", "-c", script], **changes))
    record = await run(launcher, bundle)
    text = bundle.output().decode()
    assert record.exit_code == 0, text
    return text


def bind(source: Path, destination: str, *options: str) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": "bind",
        "source": str(source),
        "options": ["rbind", "nodev", *options],
    }


# ── what it is given ────────────────────────────────────────────────────────────────────────────────────────


async def test_it_is_alone_with_its_streams(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    script = "echo $$; cat /proc/sys/kernel/hostname; ls /proc/self/fd | wc -l; echo /proc/[0-9]*; pwd"
    text = await output(launcher, tmp_path, root, script, process={"cwd": "/new/place"})
    # ls has 0, 1, 2 and the folder that it lists
    assert text.split() == ["1", "box", "4", "/proc/1", "/new/place"]


async def test_mounts_tell_nothing_of_the_host(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    text = await output(launcher, tmp_path, root, "cat /proc/self/mountinfo")
    assert str(tmp_path) not in text
    assert str(root) not in text
    places = {line.split()[4]: line.split()[5] for line in text.splitlines()}
    assert {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys"} <= places.keys()
    assert "ro" in places["/sys"].split(",")
    assert "nodev" in places["/"].split(",")


async def test_devices(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    extra = {
        "path": "/dev/net/tun",
        "type": "c",
        "major": 10,
        "minor": 200,
        "fileMode": 0o600,
        "uid": 5,
        "gid": 6,
    }
    script = "for d in null zero full random urandom tty net/tun; do test -c /dev/$d || echo no $d; done;"
    script += "ls -n /dev/net/tun; readlink /dev/fd; readlink /dev/ptmx; echo x > /dev/null && echo y >> /dev/stdout"
    text = await output(launcher, tmp_path, root, script, linux={"devices": [extra]})
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["crw-------", "1", "5", "6"]
    assert lines[1:] == ["/proc/self/fd", "pts/ptmx", "y"]


async def test_masks_and_read_only_paths(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    script = "wc -c < /proc/timer_list; ls /sys/firmware | wc -l; (echo 1 > /proc/sys/vm/swappiness) 2>&1;"
    script += "mkdir /sys/x 2>&1; true"
    text = await output(launcher, tmp_path, root, script)
    lines = text.splitlines()
    assert lines[:2] == ["0", "0"]
    assert len(lines) == 4
    assert all("Read-only file system" in line for line in lines[2:])


async def test_read_only_root_with_a_writable_mount(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    volume, shown = tmp_path / "volume", tmp_path / "shown"
    volume.mkdir()
    shown.write_text("given\n")
    mounts = [*MOUNTS, bind(volume, "/data"), bind(shown, "/etc/shown", "ro")]
    script = "cat /etc/shown; echo x > /data/x; (echo y > /y) 2>&1; (echo z > /etc/shown) 2>&1; true"
    read_only = {"path": "rootfs", "readonly": True}
    text = await output(launcher, tmp_path, root, script, mounts=mounts, root=read_only)
    assert text.count("Read-only file system") == 2
    assert text.startswith("given\n")
    assert (volume / "x").read_text() == "x\n"
    assert shown.read_text() == "given\n"


async def test_changes_go_to_the_private_layer_only(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    await output(launcher, tmp_path, root, "echo mine > /tmp/mine; rm /bin/tty")
    assert (tmp_path / "box/upper/tmp/mine").read_text() == "mine\n"
    assert not (root / "tmp/mine").exists()
    assert (root / "bin/tty").is_symlink()


async def test_many_layers_topmost_first(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    layers = []
    for n in range(120):
        layer = tmp_path / f"{'layer' * 10}{n}"
        layer.mkdir()
        (layer / "name").write_text(f"{n}\n")
        layers.append(layer)
    bundle = Bundle(tmp_path / "box", [*layers, root], config(["cat", "/name"]))
    await run(launcher, bundle)
    assert bundle.output() == b"0\n"


async def test_user_groups_and_capabilities(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    user = {"uid": 1000, "gid": 1001, "additionalGids": [7, 8], "umask": 0o027}
    given = {
        "bounding": ["CAP_CHOWN", "CAP_NET_RAW"],
        "permitted": ["CAP_NET_RAW"],
        "effective": ["CAP_NET_RAW"],
        "inheritable": ["CAP_NET_RAW"],
        "ambient": ["CAP_NET_RAW"],
    }
    script = "id; grep -e Cap -e NoNew /proc/self/status; cat /proc/self/oom_score_adj;"
    script += "echo > /dev/shm/x; ls -l /dev/shm/x"
    changes = {"user": user, "capabilities": given, "oomScoreAdj": 321}
    text = await output(launcher, tmp_path, root, script, process=changes)
    assert "uid=1000 gid=1001 groups=7,8" in text
    raw, both = f"{1 << 13:016x}", f"{1 << 13 | 1:016x}"
    for name, value in {"Inh": raw, "Prm": raw, "Eff": raw, "Bnd": both, "Amb": raw}.items():
        assert f"Cap{name}:\t{value}" in text
    assert "NoNewPrivs:\t1" in text
    assert "\n321\n" in text
    assert "-rw-r-----" in text


async def test_resource_limits(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    limits = [
        {"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1},
    ]
    text = await output(
        launcher, tmp_path, root, "ulimit -n; ulimit -Hn; ulimit -Hc", process={"rlimits": limits}
    )
    assert text.split() == ["64", "128", "unlimited"]


async def test_a_resource_limit_that_is_refused_is_named(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    limit = {"type": "RLIMIT_NOFILE", "soft": 10, "hard": 5}
    with pytest.raises(LaunchError, match="RLIMIT_NOFILE"):
        await output(launcher, tmp_path, root, "true", process={"rlimits": [limit]})


@pytest.fixture
def odd_signals() -> Iterator[None]:
    """This process as some starters leave theirs: signals ignored and blocked that the C library hides."""
    ignore = struct.pack("QQQQ", signal.SIG_IGN, 0, 0, 0)
    before, blocked = ctypes.create_string_buffer(32), ctypes.create_string_buffer(8)
    syscalls.syscall("rt_sigaction", 32, ignore, before, 8)
    syscalls.syscall("rt_sigprocmask", 0, struct.pack("Q", 1 << 32), blocked, 8)  # SIG_BLOCK of signal 33
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    syscalls.syscall("rt_sigprocmask", 2, blocked, None, 8)
    syscalls.syscall("rt_sigaction", 32, before, None, 8)


async def test_signals_are_as_a_program_expects_them(
    odd_signals: None, launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = Bundle(tmp_path / "box", [root], config(["cat", "/proc/self/status"]))
    await run(launcher, bundle)
    status = dict(line.split(":\t", 1) for line in bundle.output().decode().splitlines() if ":\t" in line)
    assert int(status["SigIgn"], 16) == 0
    assert int(status["SigBlk"], 16) == 0


async def test_own_sysctls_are_set_and_the_hosts_refused(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    key = "net.ipv4.ip_unprivileged_port_start"
    path = f"/proc/sys/{key.replace('.', '/')}"
    text = await output(launcher, tmp_path, root, f"cat {path}", linux={"sysctl": {key: "7"}})
    assert text == "7\n"
    assert Path(path).read_text() != "7\n"
    for foreign in ("kernel.panic", "net.../../kernel/panic", "vm.swappiness"):
        bundle = Bundle(
            tmp_path / foreign.replace("/", "_"), [root], config(["true"], linux={"sysctl": {foreign: "1"}})
        )
        with pytest.raises(LaunchError, match="would change the host"):
            await run(launcher, bundle)


async def test_host_network(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    kinds = [{"type": kind} for kind in ("pid", "mount", "uts", "ipc", "cgroup")]
    text = await output(launcher, tmp_path, root, "readlink /proc/self/ns/net", linux={"namespaces": kinds})
    assert text.strip() == os.readlink("/proc/self/ns/net")


async def test_own_network_has_only_loopback_up(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    script = "readlink /proc/self/ns/net; ls /sys/class/net; cat /sys/class/net/lo/flags"
    text = await output(launcher, tmp_path, root, script)
    name, *links, flags = text.split()
    assert name != os.readlink("/proc/self/ns/net")
    assert links == ["lo"]
    assert int(flags, 16) & 1


async def test_seccomp_filter_is_loaded(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    number = {"x86_64": 83, "aarch64": 34}[os.uname().machine]  # mkdir, mkdirat
    program = b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (0x20, 0, 0, 0),  # load the system call's number
            (0x15, 0, 1, number),  # if it is mkdir
            (0x06, 0, 0, 0x50000 | errno.EXDEV),  # answer EXDEV
            (0x06, 0, 0, 0x7FFF0000),  # else allow
        )
    )
    (tmp_path / "filter").write_bytes(program)
    for nnp in (True, False):
        settings = config(["mkdir", "/x"], process={"noNewPrivileges": nnp})
        bundle = Bundle(tmp_path / f"box{nnp}", [root], settings, seccomp=str(tmp_path / "filter"))
        assert (await run(launcher, bundle)).exit_code == 1
        assert os.strerror(errno.EXDEV).encode() in bundle.output()


async def test_cgroups_are_joined_and_shown_read_only(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    with group(tmp_path) as parent:
        cgroup = new(parent)
        script = "cat /proc/self/cgroup; ls /sys/fs/cgroup; find /sys/fs/cgroup -name cgroup.procs | head -1;"
        script += "mkdir /sys/fs/cgroup/x 2>&1;"
        settings = config(["sh", "-c", script + "read wait"])
        monitors = cgroup.folders
        bundle = Bundle(
            tmp_path / "box", [root], settings, cgroups=cgroup.folders, monitor_cgroups=monitors, stdin=True
        )
        async with started(launcher, bundle) as monitor:
            await until(lambda: b"Read-only" in bundle.output(), "it has looked around")
            assert monitor.record.pid in cgroup.pids()
            await until(lambda: monitor.record.monitor in cgroup.pids(), "the monitor has moved")
        text = bundle.output().decode()
        # within its cgroup namespace each of its cgroups is the root
        assert cgroup.path not in text
        assert "Read-only file system" in text


async def test_oom_kill_is_told_with_the_limit(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    with group(tmp_path) as parent:
        cgroup = new(parent)
        cgroup.apply(LimitsChange(memory=32 << 20, swap=0))
        settings = config(
            [
                "sh",
                "-c",
                "dd if=/dev/zero of=/dev/shm/x bs=1M count=60; dd if=/dev/zero of=/dev/null bs=60M count=1",
            ]
        )
        bundle = Bundle(
            tmp_path / "box",
            [root],
            settings,
            cgroups=cgroup.folders,
            oom_files=cgroup.oom_files,
            memory_limit_file=cgroup.memory_limit_file,
        )
        record = await run(launcher, bundle)
        assert record.oom_killed
        assert record.oom_limit == 32 << 20
        assert record.exit_code


# ── a small init ────────────────────────────────────────────────────────────────────────────────────────────


async def test_small_init_reaps_forwards_and_ends_as_the_program_does(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    script = "trap 'exit 9' USR1; echo pid $$; (sh -c 'sleep 0.05 & echo left $!' &) ; while :; do sleep 0.01; done"
    bundle = Bundle(tmp_path / "box", [root], config(["sh", "-c", script]), init=True)
    async with started(launcher, bundle) as monitor:
        await until(lambda: b"left" in bundle.output(), "an orphan was left")
        orphan = bundle.output().split()[-1].decode()
        inside = f"/proc/{monitor.record.pid}/root/proc/{orphan}"
        await until(lambda: not Path(inside).exists(), "the orphan is reaped")
        await monitor.command("kill", signal=10)
        assert (await monitor.wait()).exit_code == 9
    assert b"pid 2\n" in bundle.output()


async def test_small_init_with_a_terminal(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    script = "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.01; done"
    settings = config(["sh", "-c", script], process={"terminal": True})
    bundle = Bundle(tmp_path / "box", [root], settings, init=True, stdin=True)
    async with started(launcher, bundle) as monitor:
        await until(lambda: b"ready" in bundle.output(), "the trap is set")
        attachment = await monitor.attach(input=True)
        await attachment.write(b"\x03")
        assert (await monitor.wait()).exit_code == 3
        attachment.close()
    assert b"interrupted" in bundle.output()


async def test_nothing_of_the_interpreter_is_within_reach(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    """CVE-2019-5736: /proc/1/exe and /proc/PID/exe of who enters lead to the host's binary."""
    script = "cd /proc/1; for f in environ maps mem; do (head -c1 $f >/dev/null) 2>&1; done;"
    script += "ls fd 2>&1; readlink exe || echo closed; cat cmdline; (echo >> exe) 2>&1; true"
    bundle = Bundle(
        tmp_path / "box", [root], config(["sh", "-c", script + "; read x"]), init=True, stdin=True
    )
    async with started(launcher, bundle) as monitor:
        await until(lambda: bundle.output().count(b"denied") == 4, "all is refused")
        assert b"closed" in bundle.output()
        assert b"python" not in bundle.output()
        # Even who may follow the link, as root on the host, meets a read-only mount.
        for pid in (monitor.record.pid, monitor.record.monitor, launcher.pid):
            with pytest.raises(OSError, match="Read-only") as caught:
                os.chmod(f"/proc/{pid}/exe", 0o755)
            assert caught.value.errno == errno.EROFS


async def test_who_enters_cannot_be_looked_at(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    """A program inside that races to open what an entering process still has of the host."""
    script = """
        while :; do
            for p in /proc/[0-9]*; do
                test $p = /proc/1 && continue
                for f in exe cwd root; do
                    l=$(readlink $p/$f) || continue
                    case $l in *python*|*launcher*) echo "reached $p $f $l";; esac
                done
            done
            echo round
        done
    """
    bundle = Bundle(tmp_path / "box", [root], config(["sh", "-c", script]), log_max_size=8 << 20)
    async with started(launcher, bundle) as monitor:
        await until(lambda: b"round" in bundle.output(), "it looks")
        for n in range(20):
            plan = bundle.exec_plan(f"probe{n}", monitor.record, process(["true"]))
            _, record = await execute(launcher, plan)
            assert record.exit_code == 0
    assert b"reached" not in bundle.output()


# ── images and neighbours that lay traps ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cwd", ["/proc/self/fd/7", "/proc/self/fd/9/../../..", "/proc/1/cwd/../.."])
async def test_working_folder_through_a_leaked_descriptor(
    launcher: Launcher, tmp_path: Path, root: Path, cwd: str
) -> None:
    """CVE-2024-21626."""
    bundle = Bundle(tmp_path / "box", [root], config(["ls", "/proc/self/cwd/"], process={"cwd": cwd}))
    try:
        await run(launcher, bundle)
    except LaunchError:
        assert bundle.output() == b""
    else:
        assert b"usr" not in bundle.output()  # the image has no such folder, the host does


@pytest.mark.parametrize("name", ["proc", "sys"])
async def test_image_with_a_link_for_proc_or_sys(launcher: Launcher, tmp_path: Path, name: str) -> None:
    image = busybox_root(tmp_path / "image")
    (image / name).symlink_to("tmp")
    with pytest.raises(LaunchError, match=f"mounting {name}"):
        await output(launcher, tmp_path, image, "true")


async def test_image_whose_places_are_links_that_lead_out(launcher: Launcher, tmp_path: Path) -> None:
    victim, volume = tmp_path / "victim", tmp_path / "volume"
    victim.mkdir()
    volume.mkdir()
    (volume / "marker").write_text("volume\n")
    image = busybox_root(tmp_path / "image")
    (image / "dev").symlink_to(victim)
    (image / "abs").symlink_to(victim)
    (image / "rel").symlink_to(f"../../../../../../../..{victim}")
    Path(f"{image}{victim}").mkdir(parents=True)
    mounts = [*MOUNTS, bind(volume, "/abs/inner"), bind(volume, "/rel/other")]
    text = await output(launcher, tmp_path, image, "cat /abs/inner/marker /rel/other/marker", mounts=mounts)
    assert text == "volume\nvolume\n"
    assert list(victim.iterdir()) == []


async def test_what_a_dangling_link_means_is_made_inside(launcher: Launcher, tmp_path: Path) -> None:
    """Many images have /etc/resolv.conf lead to where systemd would write it."""
    image = busybox_root(tmp_path / "image")
    (image / "etc/resolv.conf").symlink_to("../run/resolve/stub.conf")
    (image / "data").symlink_to(tmp_path / "victim")
    given = tmp_path / "given"
    given.write_text("nameserver\n")
    mounts = [*MOUNTS, bind(given, "/etc/resolv.conf"), bind(tmp_path / "image", "/data/inner")]
    text = await output(
        launcher, tmp_path, image, "cat /etc/resolv.conf /run/resolve/stub.conf", mounts=mounts
    )
    assert text == "nameserver\n" * 2
    assert not (tmp_path / "victim").exists()


async def test_a_loop_of_links_is_refused(launcher: Launcher, tmp_path: Path) -> None:
    image = busybox_root(tmp_path / "image")
    (image / "data").symlink_to("/data")
    with pytest.raises(LaunchError, match="mounting bind on /data"):
        await output(launcher, tmp_path, image, "true", mounts=[*MOUNTS, bind(tmp_path, "/data")])


async def test_a_link_in_the_place_of_what_shall_be_masked(launcher: Launcher, tmp_path: Path) -> None:
    image = busybox_root(tmp_path / "image")
    (image / "etc/secret").symlink_to("/etc/other")
    (image / "etc/other").write_text("other\n")
    with pytest.raises(LaunchError, match="masking /etc/secret"):
        await output(launcher, tmp_path, image, "true", linux={"maskedPaths": ["/etc/secret"]})


async def test_a_neighbour_swapping_links_in_a_shared_volume(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    """The race that RESOLVE_IN_ROOT is for: what is made for a mount never lands outside the root."""
    volume, victim, given = tmp_path / "volume", tmp_path / "victim", tmp_path / "given"
    for folder in (volume, victim, given, volume / "real"):
        folder.mkdir()
    swap = f"cd /data; ln -s {victim} link; while :; do mv real kept; mv link real; mv real link; mv kept real; done"
    swapper = Bundle(
        tmp_path / "swapper", [root], config(["sh", "-c", swap], mounts=[*MOUNTS, bind(volume, "/data")])
    )
    async with started(launcher, swapper):
        for n in range(15):
            mounts = [*MOUNTS, bind(volume, "/data"), bind(given, f"/data/real/spot{n}")]
            bundle = Bundle(tmp_path / f"box{n}", [root], config(["true"], mounts=mounts))
            try:
                await run(launcher, bundle)
            except LaunchError as error:
                assert "mounting bind" in error.message or "dangling" in error.message
    assert list(victim.iterdir()) == []


async def test_exec_where_the_container_replaced_its_null_device(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    script = "echo stolen > /tmp/x; rm /dev/null; ln -s /tmp/x /dev/null; echo ready; sleep 100"
    bundle = Bundle(tmp_path / "box", [root], config(["sh", "-c", script]))
    async with started(launcher, bundle) as monitor:
        await until(lambda: b"ready" in bundle.output(), "it is replaced")
        with pytest.raises(LaunchError, match="/dev/null"):
            await execute(launcher, bundle.exec_plan("probe", monitor.record, process(["cat"])))


async def test_exec_terminal_where_the_container_replaced_its_pts(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    names = [*DEFAULT, "CAP_SYS_ADMIN"]
    mighty = {"capabilities": dict.fromkeys(("bounding", "permitted", "effective"), names)}
    script = (
        "mkdir /tmp/pts && echo > /tmp/pts/ptmx && mount --bind /tmp/pts /dev/pts && echo ready; sleep 100"
    )
    bundle = Bundle(tmp_path / "box", [root], config(["sh", "-c", script], process=mighty))
    async with started(launcher, bundle) as monitor:
        await until(lambda: b"ready" in bundle.output(), "it is replaced")
        with pytest.raises(LaunchError, match="no longer a devpts"):
            program = process(["true"], terminal=True)
            await execute(launcher, bundle.exec_plan("probe", monitor.record, program))


async def test_nobody_else_is_slowed_by_a_container_that_never_starts(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    waiting = await launcher.launch(Bundle(tmp_path / "waiting", [root], config(["true"])).folder)
    await asyncio.wait_for(run(launcher, Bundle(tmp_path / "box", [root], config(["true"]))), 20)
    await waiting.command("abort")
    await waiting.wait()
    await waiting.close()
