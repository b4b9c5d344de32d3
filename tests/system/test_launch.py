"""The life of a started program: record, streams, exit codes, stop, restart, and what survives whose death."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bundles import Bundle, busybox_root, config, execute, process, run, started, until

from engine.errors import Conflict, LaunchError, NotFound
from engine.kernel import mount, pidfd
from engine.launch import Launcher, Monitor, Restart

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busybox_root(tmp_path_factory.mktemp("image") / "root")


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[Launcher]:
    launcher = Launcher(tmp_path / "engine.log")
    await launcher.start()
    yield launcher
    await launcher.close()
    assert (tmp_path / "engine.log").read_text() == ""


def sh(tmp_path: Path, root: Path, script: str, **plan: object) -> Bundle:
    return Bundle(tmp_path / "box", [root], config(["sh", "-c", script]), **plan)


# ── how it begins and ends ──────────────────────────────────────────────────────────────────────────────────


async def test_record_goes_through_created_running_exited(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(tmp_path, root, "exit 3")
    monitor = await launcher.launch(bundle.folder)
    assert monitor.record.status == "created"
    assert monitor.record.pid_start == pidfd.start_time(monitor.record.pid)
    assert os.readlink(f"/proc/self/fd/{monitor.netns}").startswith("net:[")
    await monitor.command("go")
    seen = [record.status async for record in monitor.changes()]
    assert seen[-1] == "exited"
    last = monitor.record
    assert (last.exit_code, last.error, last.pid) == (3, "", 0)
    assert 0 < last.started_at <= last.finished_at
    assert bundle.record() == last
    assert not Path(bundle.plan.socket).exists()


async def test_death_by_signal_is_128_plus_its_number(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    async with started(launcher, sh(tmp_path, root, "sleep 100")) as monitor:
        kept = os.dup(monitor.pidfd)
        await monitor.command("kill", signal=9)
        assert (await monitor.wait()).exit_code == 137
        # A second holder of the pidfd can tell, too, where the kernel is new enough.
        assert pidfd.exit_code(kept) in (137, None)
        os.close(kept)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["no-such-program"], 127, "not found"),
        (["/bin/no-such-program"], 127, "no such file"),
        (["/etc"], 126, "Permission denied"),
        (["/tmp/data"], 126, "not a program"),
        (["/tmp/script"], 127, "interpreter"),
    ],
)
async def test_what_cannot_be_executed_is_told_as_a_shell_would(
    launcher: Launcher, tmp_path: Path, args: list[str], code: int, words: str
) -> None:
    image = busybox_root(tmp_path / "image")
    for name, text in (("data", "\x00\x01\x02"), ("script", "#!/no/such/interpreter\n")):
        (image / "tmp" / name).write_text(text)
        (image / "tmp" / name).chmod(0o755)
    bundle = Bundle(tmp_path / "box", [image], config(args))
    with pytest.raises(LaunchError, match=words) as caught:
        await run(launcher, bundle)
    assert caught.value.exit_code == code
    record = bundle.record()
    assert (record.status, record.exit_code, record.started_at) == ("exited", code, 0)


async def test_a_mount_that_fails_is_named_and_leaves_nothing(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    entry = {"destination": "/data", "type": "bind", "source": "/no/such/folder", "options": ["rbind"]}
    settings = config(["true"])
    settings["mounts"] = [*settings["mounts"], entry]
    bundle = Bundle(tmp_path / "box", [root], settings)
    with pytest.raises(LaunchError, match="mounting bind on /data: No such file") as caught:
        await run(launcher, bundle)
    assert caught.value.exit_code == 125
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


async def test_abort_undoes_a_start(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "echo never")
    monitor = await launcher.launch(bundle.folder)
    pid = monitor.record.pid
    await monitor.command("abort", error="no address was left")
    record = await monitor.wait()
    assert (record.status, record.error, record.exit_code) == ("created", "no address was left", None)
    assert not Path(f"/proc/{pid}").exists()
    assert bundle.output() == b""
    await monitor.close()


async def test_an_engine_that_dies_before_go_aborts(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "echo never")
    monitor = await launcher.launch(bundle.folder)
    other = await Monitor.adopt(Path(bundle.plan.socket))
    await monitor.close()
    record = await other.wait()
    assert record.status == "created"
    assert "before the container was started" in record.error
    await other.close()


async def test_abort_after_go_is_refused(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    async with started(launcher, sh(tmp_path, root, "sleep 100")) as monitor:
        with pytest.raises(Conflict, match="started already"):
            await monitor.command("abort")


async def test_malformed_commands_are_answered(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    async with started(launcher, sh(tmp_path, root, "sleep 100")) as monitor:
        for op, args in (
            ("fly", {}),
            ("kill", {"signal": 99}),
            ("kill", {"signal": "KILL"}),
            ("kill", {}),
            ("resize", {"rows": 1, "cols": 1, "depth": 1}),
            ("resize", {"rows": -1, "cols": 70000}),
            ("policy", {"name": "sometimes"}),
        ):
            with pytest.raises(Conflict):
                await monitor.command(op, **args)
        assert monitor.alive


# ── stop and restart ────────────────────────────────────────────────────────────────────────────────────────


async def test_stop_sends_the_signal_and_the_program_may_end_itself(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(tmp_path, root, "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done")
    async with started(launcher, bundle) as monitor:
        await until(lambda: b"up" in bundle.output(), "the trap is set")
        await monitor.command("stop")
        assert (await monitor.wait()).exit_code == 5
    assert bundle.output() == b"up\nbye\n"


async def test_stop_kills_after_the_grace_even_without_engine(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(
        tmp_path, root, "sleep 100", restart=Restart(name="always")
    )  # PID 1 without handler ignores TERM
    monitor = await launcher.launch(bundle.folder)
    await monitor.go()
    end = os.dup(monitor.pidfd)
    await monitor.command("stop", grace=0.2)
    await monitor.close()
    await launcher.close()
    await until(lambda: bundle.record().status == "exited", "the monitor kills")
    assert bundle.record().exit_code == 137
    os.close(end)


async def test_restart_keeps_the_network_namespace_and_counts(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(
        tmp_path,
        root,
        "readlink /proc/self/ns/net; exit 1",
        restart=Restart(name="on-failure", max_retries=2),
    )
    monitor = await launcher.launch(bundle.folder)
    await monitor.command("go")
    seen = []
    async for record in monitor.changes():
        if not seen or seen[-1] != (record.status, record.restart_count):
            seen.append((record.status, record.restart_count))
    assert seen[-1] == ("exited", 2)
    assert ("restarting", 0) in seen
    assert ("restarting", 1) in seen
    names = bundle.output().split()
    assert len(names) == 3
    assert len(set(names)) == 1
    assert (bundle.record().exit_code, bundle.record().restart_count) == (1, 2)
    await monitor.close()


async def test_a_good_end_is_not_a_failure(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    record = await run(launcher, sh(tmp_path, root, "true", restart=Restart(name="on-failure")))
    assert (record.status, record.exit_code, record.restart_count) == ("exited", 0, 0)


async def test_stop_while_waiting_to_restart(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "exit 1", restart=Restart(name="always"))
    async with started(launcher, bundle) as monitor:
        async for record in monitor.changes():
            if record.status == "restarting" and record.restart_count >= 2:
                break
        await monitor.command("stop")
        record = await monitor.wait()
    assert (record.status, record.exit_code) == ("exited", 1)


async def test_policy_can_change_while_it_runs(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "cat; exit 1", restart=Restart(name="always"), stdin=True)
    async with started(launcher, bundle) as monitor:
        await monitor.command("policy", name="no")
        attachment = await monitor.attach(input=True)
        await attachment.close_write()
        assert (await monitor.wait()).restart_count == 0
        attachment.close()


async def test_a_kill_that_means_the_end_is_not_restarted(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    async with started(launcher, sh(tmp_path, root, "sleep 100", restart=Restart(name="always"))) as monitor:
        await monitor.command("kill", signal=9)
        assert (await monitor.wait()).exit_code == 137


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_input_reaches_the_program_and_both_outputs_come_back(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(tmp_path, root, "echo oops >&2; cat; echo end", stdin=True)
    async with started(launcher, bundle) as monitor:
        late = await monitor.attach(output=False, input=True)
        reader = await monitor.attach()
        data = b"".join(b"%07d\n" % n for n in range(40_000))  # several times what the pipes hold

        async def collect() -> bytes:
            text = b""
            while got := await reader.read():
                if got[0] == "stdout":
                    text += got[1]
            return text

        collected = asyncio.create_task(collect())
        await late.write(data)
        await late.close_write()
        assert await collected == data + b"end\n"
        assert reader.dropped == 0
        assert (await monitor.wait()).exit_code == 0
        for attachment in (late, reader):
            attachment.close()
    assert bundle.output().replace(b"oops\n", b"") == data + b"end\n"


async def test_terminal(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    size = {"terminal": True, "consoleSize": {"height": 30, "width": 100}}
    script = "stty size; tty; test -c /dev/console && echo console; read line; stty size; echo got $line"
    settings = config(["sh", "-c", script], process=size)
    bundle = Bundle(tmp_path / "box", [root], settings, stdin=True)
    monitor = await launcher.launch(bundle.folder)
    attachment = await monitor.attach(input=True)
    await monitor.go()
    text = b""
    while b"console" not in text:
        piece = await attachment.read()
        assert piece, text
        text += piece[1]
    assert text.split() == [b"30", b"100", b"/dev/pts/0", b"console"]
    await attachment.resize(40, 120)
    await attachment.write(b"hello\n")
    while piece := await attachment.read():
        text += piece[1]
    assert b"40 120" in text
    assert b"got hello" in text
    assert (await monitor.wait()).exit_code == 0
    attachment.close()
    await monitor.close()


async def test_a_slow_client_blocks_nobody_and_is_told_what_it_missed(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(tmp_path, root, "read go; seq 1 300000; read go; echo more", stdin=True, log_max_size=8 << 20)
    async with started(launcher, bundle) as monitor:
        slow = await monitor.attach(input=True)
        await slow.write(b"\n")
        await until(lambda: bundle.log_ends_with(b"300000\n"), "the program is not held up", 50)
        received = 0
        await slow.write(b"\n")
        while piece := await slow.read():
            received += len(piece[1])
        everything = bundle.output()
        assert slow.dropped > 0
        assert received + slow.dropped == len(everything)
        slow.close()
    assert everything == b"".join(b"%d\n" % n for n in range(1, 300_001)) + b"more\n"


async def test_log_rotates_by_offset_and_continues_at_the_next_start(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(tmp_path, root, "seq 1 20000", log_max_size=64 << 10, log_max_files=3)
    for _ in range(2):
        await run(launcher, bundle)
    segments = sorted((bundle.folder / "log").iterdir())
    assert len(segments) == 3
    for one, following in itertools.pairwise(segments):
        assert int(one.name) + one.stat().st_size == int(following.name)
    assert bundle.output().endswith(b"\n19999\n20000\n")


async def test_output_of_a_program_that_ends_at_once_is_whole(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(tmp_path, root, "dd if=/dev/zero bs=60000 count=1 2>/dev/null | tr '\\0' x")
    await run(launcher, bundle)
    assert bundle.output() == b"x" * 60000


async def test_a_full_disk_costs_output_but_neither_monitor_nor_exit_code(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    disk = mount.filesystem("tmpfs", {"size": "64k"})
    place = f"/proc/{os.getpid()}/fd/{disk}"
    os.mkdir(f"{place}/log")
    bundle = sh(
        tmp_path, root, "read go; seq 1 30000; read go; echo last; exit 5", stdin=True,
        log_dir=f"{place}/log", state_file=f"{place}/state.json", log_max_files=2,
    )  # fmt: skip
    async with started(launcher, bundle) as monitor:
        feeder = await monitor.attach(output=True, input=True)
        await feeder.write(b"\n")
        seen = b""
        while not seen.endswith(b"\n30000\n"):
            piece = await feeder.read()
            assert piece
            seen += piece[1]
        segment = next(Path(f"{place}/log").iterdir())
        assert b"could not be logged" not in segment.read_bytes()
        os.truncate(segment, 10)  # somebody makes room
        await feeder.write(b"\n")
        assert (await monitor.wait()).exit_code == 5
        feeder.close()
    assert re.search(rb"stderr F \[tiffin: \d+ bytes of output could not be logged\]\n", segment.read_bytes())
    assert segment.read_bytes().endswith(b"stdout F last\n")
    assert json.loads(Path(f"{place}/state.json").read_text())["exit_code"] == 5
    os.close(disk)


# ── who may die ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_engine_and_launcher_killed_lose_no_line_and_no_exit_code(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(tmp_path, root, "seq 1 100000; exit 7", log_max_size=8 << 20)
    monitor = await launcher.launch(bundle.folder)
    await monitor.go()
    os.kill(launcher.pid, signal.SIGKILL)
    await monitor.close()
    await until(lambda: bundle.record().status == "exited", "the program ends", 60)
    assert bundle.record().exit_code == 7
    assert bundle.output() == b"".join(b"%d\n" % n for n in range(1, 100_001))


async def test_the_next_engine_adopts(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "sleep 100")
    async with started(launcher, bundle) as monitor:
        adopted = await Monitor.adopt(Path(bundle.plan.socket))
        assert adopted.record == monitor.record
        assert os.fstat(adopted.netns).st_ino == os.stat(f"/proc/{adopted.record.pid}/ns/net").st_ino
        await adopted.command("kill", signal=9)
        assert (await adopted.wait()).exit_code == 137
        await adopted.close()
    with pytest.raises(NotFound):
        await Monitor.adopt(Path(bundle.plan.socket))


async def test_monitor_ignores_what_ends_others(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    async with started(launcher, sh(tmp_path, root, "sleep 100")) as monitor:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE):
            os.kill(monitor.record.monitor, number)
        await monitor.command("resize", rows=1, cols=1)  # still answers
        assert os.getsid(monitor.record.monitor) == monitor.record.monitor


async def test_monitor_killed_is_seen(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "sleep 100")
    monitor = await launcher.launch(bundle.folder)
    await monitor.go()
    kept = os.dup(monitor.pidfd)
    os.kill(monitor.record.monitor, signal.SIGKILL)
    record = await monitor.wait()
    assert record.status == "running"
    assert not monitor.alive
    with pytest.raises(NotFound):
        await monitor.command("kill", signal=9)
    pidfd.send_signal(kept, 9)
    os.close(kept)
    await monitor.close()


async def test_a_killed_launcher_is_replaced(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    for n in range(3):
        await launcher.start()
        assert launcher.pid
        os.kill(launcher.pid, signal.SIGKILL)
        bundle = Bundle(tmp_path / f"box{n}", [root], config(["sh", "-c", f"exit {n}"]))
        assert (await run(launcher, bundle)).exit_code == n


async def test_launcher_ends_with_the_engine(tmp_path: Path) -> None:
    launcher = Launcher()
    await launcher.start()
    fd = os.pidfd_open(launcher.pid)
    await launcher.close()
    assert launcher.pid == 0
    assert pidfd.exit_code(fd) in (0, None)
    os.close(fd)


async def test_many_at_once(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundles = [Bundle(tmp_path / f"box{n}", [root], config(["sh", "-c", f"exit {n}"])) for n in range(20)]
    records = await asyncio.gather(*(run(launcher, bundle) for bundle in bundles))
    assert [record.exit_code for record in records] == list(range(20))


# ── exec ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_exec_runs_inside(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "echo secret > /tmp/mine; sleep 100")
    kinds = ("pid", "mnt", "net", "uts", "ipc", "cgroup")
    async with started(launcher, bundle) as monitor:
        await until(lambda: (bundle.folder / "upper/tmp/mine").exists(), "it has begun")
        script = f"cat /tmp/mine; cat; for n in {' '.join(kinds)}; do readlink /proc/self/ns/$n; done; exit 9"
        plan = bundle.exec_plan("probe", monitor.record, process(["sh", "-c", script]), stdin=True)
        namespaces = [os.readlink(f"/proc/{monitor.record.pid}/ns/{kind}") for kind in kinds]
        output, record = await execute(launcher, plan, b"given\n")
    assert record.exit_code == 9
    lines = output.decode().split()
    assert lines[:2] == ["secret", "given"]
    assert lines[2:] == namespaces
    assert json.loads((bundle.folder / "probe.json").read_text())["exit_code"] == 9


async def test_exec_with_a_terminal(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "sleep 100")
    async with started(launcher, bundle) as monitor:
        program = process(["sh", "-c", "tty; exit 4"], terminal=True)
        output, record = await execute(launcher, bundle.exec_plan("probe", monitor.record, program))
    assert output == b"/dev/pts/0\r\n"
    assert record.exit_code == 4


async def test_exec_that_fails_says_why(launcher: Launcher, tmp_path: Path, root: Path) -> None:
    bundle = sh(tmp_path, root, "sleep 100")
    async with started(launcher, bundle) as monitor:
        record = monitor.record
        with pytest.raises(LaunchError, match="not found") as caught:
            await execute(launcher, bundle.exec_plan("probe", record, process(["nothing"])))
        assert caught.value.exit_code == 127
        with pytest.raises(LaunchError, match="does not run"):
            plan = bundle.exec_plan("probe", record, process(["true"]), pid_start=record.pid_start + 1)
            await execute(launcher, plan)


async def test_exec_that_leaves_children_behind_ends_all_the_same(
    launcher: Launcher, tmp_path: Path, root: Path
) -> None:
    bundle = sh(tmp_path, root, "sleep 100")
    async with started(launcher, bundle) as monitor:
        program = process(["sh", "-c", "while :; do echo noise; done & echo done"])
        _, record = await execute(launcher, bundle.exec_plan("probe", monitor.record, program))
    assert record.exit_code == 0
