"""An OCI runtime-spec `process` object applied to the calling process, which then becomes the program."""

from __future__ import annotations

import errno
import os
import resource
import stat

from engine.kernel import syscalls
from engine.launch import reaper
from engine.launch.child import NOT_EXECUTABLE, NOT_FOUND, Channel, Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

CAPABILITIES = (  # by number, include/uapi/linux/capability.h
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
    "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL "
    "SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
_NUMBERS = {f"CAP_{name}": number for number, name in enumerate(CAPABILITIES)}
LAST_CAPABILITY = syscalls.last_capability()


def mask(names: list[str]) -> int:
    """The capability set of OCI's names, without those that this kernel does not know."""
    unknown = [name for name in names if name not in _NUMBERS]
    if unknown:
        raise Failed(f"there is no capability {unknown[0]!r}")
    return sum(1 << _NUMBERS[name] for name in set(names) if _NUMBERS[name] <= LAST_CAPABILITY)


def become(process: dict[str, Any], seccomp: bytes, small_init: bool, channel: Channel) -> NoReturn:
    """Give up privileges, wait for the monitor's word, and exec; `seccomp` is a BPF program or empty."""
    user = process["user"]
    wanted = process.get("capabilities", {})
    permitted = mask(wanted.get("permitted", []))
    inheritable = mask(wanted.get("inheritable", []))
    no_new_privs = process.get("noNewPrivileges", False)
    channel.doing = "leaving the engine's session keyring"
    try:
        syscalls.new_session_keyring()
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EDQUOT):  # a kernel without keyrings, or too many of them
            raise
    _limit_resources(process.get("rlimits", []), channel)
    if not no_new_privs:  # then only who still has CAP_SYS_ADMIN may load a filter
        _filter(seccomp, channel)
    _enter(process["cwd"], channel)  # as root: the user need not be allowed to
    channel.doing = "dropping capabilities"
    bounding = mask(wanted.get("bounding", []))
    for number in range(LAST_CAPABILITY + 1):
        if not bounding >> number & 1:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)
    channel.doing = f"becoming user {user['uid']}:{user['gid']}"
    syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    os.setgroups(user.get("additionalGids", []))
    os.setresgid(user["gid"], user["gid"], user["gid"])
    os.setresuid(user["uid"], user["uid"], user["uid"])
    syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 0)
    channel.doing = "setting capabilities"
    syscalls.capset(mask(wanted.get("effective", [])), permitted, inheritable)
    for name in wanted.get("ambient", []):
        if mask([name]) & permitted & inheritable:  # the kernel refuses others
            syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_RAISE, _NUMBERS[name])
    os.umask(user.get("umask", 0o022))
    if no_new_privs:
        channel.doing = "setting no_new_privs"
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        _filter(seccomp, channel)
    # A change of user or capabilities may have made this process, which still is our interpreter, readable again.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    channel.ready()
    if small_init:
        reaper.fork()
    _execute(process["args"], process.get("env", []), channel)


def _limit_resources(limits: list[dict[str, Any]], channel: Channel) -> None:
    for limit in limits:
        name = limit["type"]
        channel.doing = f"setting {name} to {limit['soft']}:{limit['hard']}"
        number = getattr(resource, name, None)
        if number is None:
            raise Failed(f"there is no resource limit {name!r}")
        # The kernel's RLIM_INFINITY is all ones, Python's -1.
        soft, hard = (-1 if value >= 1 << 63 else value for value in (limit["soft"], limit["hard"]))
        try:
            resource.setrlimit(number, (soft, hard))
        except (ValueError, OSError):  # Python hides the kernel's EPERM and EINVAL behind ValueError
            allowed = resource.getrlimit(number)[1]
            raise Failed(f"{channel.doing}: refused; the highest allowed here is {allowed}") from None


def _filter(program: bytes, channel: Channel) -> None:
    channel.doing = "loading the seccomp filter"
    if program:
        syscalls.load_seccomp(program)


def _enter(folder: str, channel: Channel) -> None:
    channel.doing = f"entering the working folder {folder}"
    os.chdir(folder)
    # A path through somebody's descriptor would lead out of the root; the kernel then gives no path from "/".
    if not os.getcwd().startswith("/"):
        raise Failed(f"the working folder {folder} is outside the container's root")


def _execute(args: list[str], env: list[str], channel: Channel) -> NoReturn:
    environment = dict(entry.split("=", 1) for entry in env if "=" in entry)
    name = args[0]
    channel.doing = f"executing {name}"
    if "/" in name:
        candidates = [name]
    else:
        folders = environment.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
        candidates = [f"{folder or '.'}/{name}" for folder in folders]
    worst: tuple[str, OSError] | None = None
    for path in candidates:
        try:
            os.execve(path, args, environment)
        except OSError as error:
            # As execvp: a file that is there but cannot be run says more than one that is not.
            if worst is None or error.errno not in (errno.ENOENT, errno.ENOTDIR):
                worst = (path, error)
    assert worst
    raise _explain(name, *worst)


def _explain(name: str, path: str, error: OSError) -> Failed:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if "/" not in name:
            return Failed(f"executing {name}: not found in the container's PATH", NOT_FOUND)
        try:
            if stat.S_ISREG(os.stat(path).st_mode):
                return Failed(
                    f"executing {path}: its interpreter or loader is missing in the image", NOT_FOUND
                )
        except OSError:
            pass
        return Failed(f"executing {path}: no such file in the container", NOT_FOUND)
    if error.errno == errno.ENOEXEC:
        return Failed(f"executing {path}: not a program this kernel and CPU can run", NOT_EXECUTABLE)
    return Failed(f"executing {path}: {error.strerror}", NOT_EXECUTABLE)
