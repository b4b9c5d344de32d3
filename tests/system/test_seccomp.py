"""The seccomp filter, loaded into real processes."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pyseccomp
import pytest

from engine.launch.capabilities import DEFAULT
from engine.launch.seccomp import program

pytestmark = pytest.mark.system

ROOT = str(Path(__file__).parents[2])

# Loads the filter of argv[1] (unless empty) and makes the system calls of argv[2], each [number, arguments…];
# prints the errno of each. Strings become pointers. A negative number is made by the 32-bit entry, int 0x80.
CHILD = """
import ctypes, json, mmap, os, sys
sys.path.insert(0, sys.argv[1])
from engine.kernel import syscalls
calls = json.loads(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
page = mmap.mmap(-1, 4096, prot=7)
# push rbx; mov eax,edi; mov ebx,esi; mov ecx,edx; int 0x80; pop rbx; ret
page.write(bytes.fromhex("53 89f8 89f3 89d1 cd80 5b c3"))
entry = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int] * 3)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
if sys.argv[2]:
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.load_seccomp(open(sys.argv[2], "rb").read())
found = []
for number, *arguments in calls:
    if number < 0:
        found.append(-min(0, entry(-number, *(arguments + [0, 0])[:2])))
        continue
    given = [ctypes.c_char_p(a.encode()) if isinstance(a, str) else ctypes.c_ulong(a) for a in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *given, *[ctypes.c_ulong(0)] * (6 - len(given)))
    found.append(ctypes.get_errno() if result == -1 else 0)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seccomp")


@pytest.fixture(scope="module")
def default(cache: Path) -> Path:
    return program(DEFAULT, cache)


def run(filter: Path | None, *calls: tuple[str | int, *tuple[int | str, ...]]) -> list[str]:
    numbered = [
        [pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) if isinstance(name, str) else name, *rest]
        for name, *rest in calls
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-c", CHILD, ROOT, str(filter or ""), json.dumps(numbered)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [errno.errorcode.get(code, "ok") for code in json.loads(done.stdout)]


NEWUSER, NEWNS, NEWUTS, FS = 0x10000000, 0x00020000, 0x04000000, 0x200

REFUSED: list[tuple[str, tuple[int | str, ...]]] = [
    ("unshare", (NEWUSER,)),
    ("unshare", (0,)),
    ("setns", (0, 0)),
    ("clone", (NEWNS | FS,)),
    ("clone", (NEWUSER | FS,)),
    ("keyctl", (0, 0)),
    ("add_key", ("user", "x", "x", 1, 0)),
    ("request_key", ("user", "x", "x", 0)),
    ("mount", ("x", "/nowhere", "tmpfs", 0)),
    ("umount2", ("/nowhere", 0)),
    ("pivot_root", ("/", "/")),
    ("open_tree", (0, "x", 0)),
    ("fsopen", ("tmpfs", 0)),
    ("bpf", (0, 0, 0)),
    ("perf_event_open", (0, 0, 0, 0, 0)),
    ("userfaultfd", (0,)),
    ("io_uring_setup", (0, 0)),
    ("kexec_load", (0, 0, 0, 0)),
    ("init_module", (0, 0, 0)),
    ("reboot", (0, 0, 0)),
    ("swapon", ("x", 0)),
    ("settimeofday", (0, 0)),
    ("open_by_handle_at", (0, 0, 0)),
    ("syslog", (10, 0, 0)),
    ("acct", ("x",)),
    ("mbind", (0, 0, 0, 0, 0, 0)),
    ("kcmp", (0, 0, 0, 0, 0)),
    ("socket", (40, 1, 0)),  # AF_VSOCK
    ("socket", (38, 5, 0)),  # AF_ALG
    ("personality", (0x0040000,)),  # ADDR_NO_RANDOMIZE
]


def test_what_could_reach_out_is_refused(default: Path) -> None:
    found = run(default, *[(name, *arguments) for name, arguments in REFUSED])
    answers = dict(zip(REFUSED, found, strict=True))
    assert {call: answer for call, answer in answers.items() if answer != "EPERM"} == {}
    assert "EPERM" not in run(None, ("unshare", 0), ("bpf", 0, 0, 0), ("clone", NEWNS | FS), ("setns", 0, 0))


def test_clone3_does_not_exist(default: Path) -> None:
    assert run(default, ("clone3", 0, 0)) == ["ENOSYS"]
    assert run(None, ("clone3", 0, 0)) == ["EINVAL"]


def test_what_is_newer_than_the_profile_does_not_exist(default: Path) -> None:
    """mseal came with 6.10: a kernel that has it answers 0 without the filter."""
    known = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, "mseal") != -1  # to this libseccomp
    assert run(default, (462, 0, 0, 0)) == (run(None, (462, 0, 0, 0)) if known else ["ENOSYS"])
    assert run(default, (600, 0, 0, 0)) == ["ENOSYS"]


def test_what_programs_need_is_allowed(default: Path) -> None:
    calls: list[tuple[str, tuple[int | str, ...]]] = [
        ("getpid", ()),
        ("personality", (0xFFFFFFFF,)),
        ("personality", (0,)),
        ("ptrace", (0, 0, 0, 0)),  # PTRACE_TRACEME
        ("socket", (1, 1, 0)),
        ("socket", (2, 1, 0)),
        ("socket", (10, 2, 0)),
        ("socket", (16, 3, 0)),  # AF_NETLINK
        ("memfd_create", ("x", 0)),
        ("getrandom", ("123456", 6, 0)),
        ("prctl", (16, "0123456789abcdef")),
        ("close_range", (50, 60, 0)),
        ("chroot", ("/",)),
    ]
    numbered = [(name, *arguments) for name, arguments in calls]
    answers = run(default, *numbered)
    assert answers == run(None, *numbered)  # a kernel may lack some, IPv6 for instance
    assert answers[0] == "ok"
    assert "EPERM" not in answers


def test_device_nodes(default: Path, tmp_path: Path) -> None:
    character, block = 0o020666, 0o060666

    def make(name: str, mode: int, device: int) -> tuple[str, int, str, int, int]:
        return ("mknodat", -100 % 2**64, str(tmp_path / name), mode, device)

    found = run(
        default,
        make("null", character, os.makedev(1, 3)),
        make("whiteout", character, 0),
        make("pipe", 0o010666, 0),
        make("file", 0o100666, 0),
        make("socket", 0o140666, 0),
        make("mem", character, os.makedev(1, 1)),
        make("disk", block, os.makedev(8, 0)),
        make("nothing", block, 0),
        make("input", character, os.makedev(13, 64)),
    )
    assert found == ["ok"] * 5 + ["EPERM"] * 4
    assert sorted(os.listdir(tmp_path)) == ["file", "null", "pipe", "socket", "whiteout"]


def test_capabilities_open_what_they_are_for(cache: Path) -> None:
    admin = program(DEFAULT | {"CAP_SYS_ADMIN"}, cache)
    calls = (("unshare", 0), ("clone3", 0, 0), ("clone", NEWNS | FS), ("mount", "x", "/nowhere", "tmpfs", 0))
    assert run(admin, *calls) == run(None, *calls) == ["ok", "EINVAL", "EINVAL", "ENOENT"]
    without = program(DEFAULT - {"SYS_CHROOT"}, cache)
    assert run(without, ("chroot", "/nowhere"), ("getpid",)) == ["EPERM", "ok"]
    nice = program({"CAP_SYS_NICE"}, cache)
    assert run(nice, ("get_mempolicy", 0, 0, 0, 0, 0))[0] != "EPERM"
    clock = program({"CAP_SYS_TIME"}, cache)
    assert run(clock, ("settimeofday", 0, 0), ("reboot", 0, 0, 0)) == ["ok", "EPERM"]


def test_one_program_for_each_set_that_makes_a_difference(cache: Path, default: Path) -> None:
    began = default.stat()
    assert program({f"CAP_{name}" for name in DEFAULT}, cache) == default
    assert program(DEFAULT - {"CHOWN"}, cache) == default
    assert program(DEFAULT | {"SYS_ADMIN"}, cache) != default
    assert default.stat() == began
    assert default.stat().st_size % 8 == 0
    assert [f for f in os.listdir(cache) if not f.endswith(".bpf")] == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="int 0x80 is x86's")
def test_the_32_bit_entry_is_filtered_too(default: Path) -> None:
    getpid, mount, unshare, keyctl, clone3, newer = 20, 21, 310, 288, 435, 600
    try:
        supported = run(None, (-getpid,)) == ["ok"]
    except AssertionError:  # no 32-bit emulation: the instruction is a fault
        supported = False
    if not supported:
        with pytest.raises(AssertionError):
            assert run(default, (-getpid,)) == ["ok"]
        return
    found = run(default, (-getpid,), (-mount,), (-unshare, NEWUSER), (-keyctl,), (-clone3,), (-newer,))
    assert found == ["ok", "EPERM", "EPERM", "EPERM", "ENOSYS", "ENOSYS"]


ORDINARY = """
import asyncio, os, socket, subprocess, tempfile, threading, time
thread = threading.Thread(target=time.sleep, args=(0.001,)); thread.start(); thread.join()
with tempfile.TemporaryDirectory() as folder:
    open(folder + "/x", "w").write("x"); os.chmod(folder + "/x", 0o4755)
    os.rename(folder + "/x", folder + "/y")
async def main():
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await reader.read(); writer.close(); server.close()
    process = await asyncio.create_subprocess_exec("sh", "-c", "ls / | sort | wc -l", stdout=-1)
    assert int((await process.communicate())[0]) > 3
asyncio.run(main())
print(subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout)
"""


def test_ordinary_programs_do_not_notice(default: Path) -> None:
    loader = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from engine.kernel import syscalls as s;"
        "s.prctl(s.PR_SET_NO_NEW_PRIVS, 1); s.load_seccomp(open(sys.argv[2], 'rb').read());"
        "os.execv(sys.executable, [sys.executable, '-I', '-c', sys.argv[3]])"
    )
    command = [sys.executable, "-I", "-c", loader, ROOT, default, ORDINARY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Seccomp:\t2" in done.stdout


def test_the_module_does_not_load_libseccomp() -> None:
    code = "import sys; import engine.launch.seccomp, engine.launch.bundle; print('pyseccomp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
