"""Hand-written bundles around a busybox root, for tests of launcher, monitor and init."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import Conflict, NotFound
from engine.launch import Launcher, Monitor
from engine.launch.plan import ExecPlan, LaunchPlan, MonitorRecord, Overlay, Restart

DEFAULT = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_SETFCAP",
]  # fmt: skip
MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {
        "destination": "/dev/pts",
        "type": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    {
        "destination": "/dev/shm",
        "type": "tmpfs",
        "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=64m"],
    },
    {"destination": "/dev/mqueue", "type": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/sys", "type": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"]},
]
MASKED = [
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
]  # fmt: skip
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


PROGRAMS = (
    *(
        "cat",
        "chmod",
        "dd",
        "echo",
        "false",
        "find",
        "grep",
        "head",
        "id",
        "kill",
        "ln",
        "ls",
        "mkdir",
        "mount",
    ),
    *("mv", "readlink", "rm", "seq", "sh", "sleep", "stty", "tr", "true", "tty", "wc"),
)


def busybox_root(folder: Path) -> Path:
    """A root file system of one static program and its names."""
    (folder / "bin").mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", folder / "bin" / "busybox")
    for name in PROGRAMS:
        (folder / "bin" / name).symlink_to("busybox")
    for name in ("etc", "tmp", "root"):
        (folder / name).mkdir()
    return folder


def process(args: list[str], **changes: Any) -> dict[str, Any]:
    """A process object with the usual defaults."""
    capabilities = dict.fromkeys(("bounding", "permitted", "effective"), DEFAULT)
    return {
        "args": args,
        "env": ["PATH=/bin:/usr/bin", "TERM=xterm"],
        "cwd": "/",
        "user": {"uid": 0, "gid": 0},
        "capabilities": capabilities,
        "noNewPrivileges": True,
        "terminal": False,
    } | changes


def config(args: list[str], **changes: Any) -> dict[str, Any]:
    """A config.json; what `changes` has for "process" and "linux" is merged into the defaults."""
    kinds = ("pid", "mount", "network", "uts", "ipc", "cgroup")
    linux = {
        "namespaces": [{"type": kind} for kind in kinds],
        "maskedPaths": MASKED,
        "readonlyPaths": READ_ONLY,
    }
    return {
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "box",
        "mounts": MOUNTS,
        **changes,
        "process": process(args, **changes.get("process", {})),
        "linux": linux | changes.get("linux", {}),
    }


class Bundle:
    """One container's folder, and what the engine would do with it."""

    def __init__(self, folder: Path, lower: list[Path], bundle: dict[str, Any], **plan: Any) -> None:
        self.folder = folder
        for name in ("rootfs", "upper", "work", "log", "run"):
            (folder / name).mkdir(parents=True)
        defaults: dict[str, Any] = {
            "id": folder.name,
            "overlay": Overlay(
                lower=[str(path) for path in lower], upper=str(folder / "upper"), work=str(folder / "work")
            ),
            "cgroups": [],
            "monitor_cgroups": [],
            "oom_files": [],
            "memory_limit_file": "",
            "state_file": str(folder / "state.json"),
            "socket": str(folder / "run" / folder.name),
            "log_dir": str(folder / "log"),
            "log_max_size": 1 << 20,
            "log_max_files": 4,
            "restart": Restart(),
            "stop_signal": 15,
            "stop_grace": 10.0,
            "tty": bundle["process"]["terminal"],
            "stdin": False,
            "init": False,
            "own_network": any(n["type"] == "network" for n in bundle["linux"]["namespaces"]),
            "seccomp": "",
        }
        self.plan = LaunchPlan(**defaults | plan)
        (folder / "config.json").write_text(json.dumps(bundle))
        (folder / "launch.json").write_bytes(msgspec.json.encode(self.plan))

    def record(self) -> MonitorRecord:
        """What state.json says."""
        return msgspec.json.decode((self.folder / "state.json").read_bytes(), type=MonitorRecord)

    def log_ends_with(self, text: bytes) -> bool:
        """Whether this is the last that was written."""
        segments = sorted((self.folder / "log").iterdir())
        return bool(segments) and segments[-1].read_bytes().endswith(text)

    def output(self) -> bytes:
        """All that the program wrote, both streams in order of reading."""
        pieces = []
        for segment in sorted((self.folder / "log").iterdir()):
            for record in segment.read_bytes().split(b"\n")[:-1]:
                _, _, tag, rest = record.split(b" ", 3)
                pieces.append(rest + (b"\n" if tag == b"F" else b""))
        return b"".join(pieces)

    def exec_plan(
        self, name: str, record: MonitorRecord, process: dict[str, Any], **changes: Any
    ) -> ExecPlan:
        """A plan to run a further program here."""
        defaults: dict[str, Any] = {
            "id": name,
            "pid": record.pid,
            "pid_start": record.pid_start,
            "process": process,
            "cgroups": self.plan.cgroups,
            "monitor_cgroups": [],
            "state_file": str(self.folder / f"{name}.json"),
            "socket": str(self.folder / "run" / name),
            "tty": process["terminal"],
            "stdin": False,
            "seccomp": "",
        }
        return ExecPlan(**defaults | changes)


async def run(launcher: Launcher, bundle: Bundle) -> MonitorRecord:
    """Start the container, wait for its end, and return how that was."""
    monitor = await launcher.launch(bundle.folder)
    try:
        await monitor.go()
        return await monitor.wait()
    finally:
        await monitor.close()


async def execute(launcher: Launcher, plan: ExecPlan, input: bytes = b"") -> tuple[bytes, MonitorRecord]:
    """Run a further program with `input` and return its output and how it ended."""
    monitor = await launcher.exec(plan)
    attachment = await monitor.attach(input=plan.stdin)
    try:
        await monitor.go()
        if plan.stdin:
            await attachment.write(input)
            await attachment.close_write()
        output = b""
        while piece := await attachment.read():
            output += piece[1]
        return output, await monitor.wait()
    finally:
        attachment.close()
        await monitor.close()


@contextlib.asynccontextmanager
async def started(launcher: Launcher, bundle: Bundle) -> AsyncIterator[Monitor]:
    """A running container, killed at the end."""
    monitor = await launcher.launch(bundle.folder)
    try:
        await monitor.go()
        yield monitor
    finally:
        with contextlib.suppress(NotFound, Conflict):
            await monitor.command("stop", signal=9, grace=0)
        await monitor.wait()
        await monitor.close()


async def until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Poll where the kernel has no event to wait for."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)
