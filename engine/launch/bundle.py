"""The OCI runtime-spec config.json of a container, from what the user asks and what the image says.

Defaults and precedence are Docker's; field names the runtime-spec's (1.2). Two things are stricter, so that
the host's devices do not depend on a cgroup controller alone: bind mounts and volumes are `nodev`, and the
seccomp filter lets nobody make a node of a device that is not in every /dev. Privileged containers have
neither.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Mapping
from typing import Any

from engine.errors import BadRequest
from engine.launch import defaults, users
from engine.launch.capabilities import granted
from engine.model import ContainerConfig, ExecConfig, ImageConfig
from engine.model import Mount as Wanted

UNLIMITED = 2**64 - 1  # RLIM_INFINITY

Json = dict[str, Any]


def bundle(
    config: ContainerConfig,
    image: ImageConfig,
    *,
    rootfs: str,
    hostname: str,
    passwd: str,
    group: str,
    files: Mapping[str, str] | None = None,
    volumes: Mapping[str, str] | None = None,
) -> Json:
    """The whole config.json as a JSON object.

    `rootfs` is the absolute path of the mount point; `passwd` and `group` are the texts of the container's
    own /etc/passwd and /etc/group; `files` are bind-mounted for it (host path by target: hosts, hostname,
    resolv.conf); `volumes` are host folders by the name of a volume. `config` has passed `validate`. Raises
    BadRequest where there is nothing to run, the user is unknown, or a bind's source is missing.
    """
    own_network = config.network != "host"
    linux: Json = {
        "namespaces": [{"type": kind} for kind in ("pid", "mount", "uts", "ipc", "cgroup")],
        "devices": _devices(config.privileged),
        "sysctl": dict(defaults.SYSCTL) if own_network else {},
        "rootfsPropagation": "private",
        "maskedPaths": [] if config.privileged else list(defaults.MASKED),
        "readonlyPaths": [] if config.privileged else list(defaults.READ_ONLY),
    }
    if own_network:
        linux["namespaces"].append({"type": "network"})
    return {
        "ociVersion": "1.2.0",
        "process": _process(config, image, hostname, users.resolve(config.user or image.user, passwd, group)),
        "root": {"path": rootfs, "readonly": config.read_only},
        "hostname": hostname,
        "mounts": _mounts(config, files or {}, volumes or {}),
        "linux": linux,
    }


def arguments(config: ContainerConfig, image: ImageConfig) -> list[str]:
    """What is executed: entrypoint and command, the user's own before the image's, as Docker merges them.

    An entrypoint of the user's, even none, takes the image's command away too, because that was written as
    arguments for the image's. Raises BadRequest where nothing is left.
    """
    entrypoint = image.entrypoint if config.entrypoint is None else config.entrypoint
    inherits = not config.command and config.entrypoint is None
    args = [*entrypoint, *(image.command if inherits else config.command)]
    if not args or not args[0]:
        raise BadRequest(
            f"there is no command to run: neither you nor {config.image!r} names one", "name a program"
        )
    return args


def environment(*layers: list[str]) -> list[str]:
    """NAME=value of all, a later one in the place of an earlier one's; what lacks "=" is left out."""
    merged: dict[str, str] = {}
    for layer in layers:
        for entry in layer:
            name, equals, value = entry.partition("=")
            if name and equals:
                merged[name] = value
    return [f"{name}={value}" for name, value in merged.items()]


def exec_process(config: ExecConfig, container: Json, passwd: str, group: str) -> Json:
    """The runtime-spec process object of a further program in a container whose own is `container`.

    It has the container's environment, folder, limits and capabilities unless `config` says otherwise, and
    without a user its ids. Raises BadRequest as `bundle` does.
    """
    if not config.command or not config.command[0]:
        raise BadRequest("exec: there is no command to run", "give one")
    check_workdir(config.workdir)
    process = dict(container)
    inherited = container["env"]
    if config.user:
        identity = users.resolve(config.user, passwd, group)
        process["user"] = _user(identity)
        inherited = environment(inherited, [f"HOME={identity.home}"])
    terminal = ["TERM=xterm"] if config.tty else []
    process |= {
        "args": list(config.command),
        "env": environment(terminal, inherited, config.env),
        "terminal": config.tty,
    }
    if config.workdir:
        process["cwd"] = config.workdir
    if config.privileged:
        process["capabilities"] = _capabilities(granted((), (), privileged=True))
        process["noNewPrivileges"] = False
    return process


def normal(target: str) -> str:
    """An absolute path with one slash between its parts."""
    return "/" + posixpath.normpath(target).lstrip("/")


def check_workdir(path: str) -> None:
    """Raise BadRequest for a working folder that is not absolute."""
    if path and (not path.startswith("/") or "\0" in path):
        raise BadRequest(f"workdir: {path!r} is not an absolute path", "begin it with a slash")


def _process(config: ContainerConfig, image: ImageConfig, hostname: str, identity: users.Identity) -> Json:
    workdir = config.workdir or image.workdir or "/"
    check_workdir(workdir)
    given = [f"PATH={defaults.PATH}", f"HOSTNAME={hostname}", f"HOME={identity.home}"]
    if config.tty:
        given.append("TERM=xterm")
    return {
        "terminal": config.tty,
        "user": _user(identity),
        "args": arguments(config, image),
        "env": environment(given, image.env, config.env),
        "cwd": workdir,
        "capabilities": _capabilities(granted(config.cap_add, config.cap_drop, privileged=config.privileged)),
        "rlimits": [
            {"type": f"RLIMIT_{u.name.upper()}", "soft": _rlimit(u.soft), "hard": _rlimit(u.hard)}
            for u in config.ulimits
        ],
        "noNewPrivileges": not config.privileged,
        "oomScoreAdj": _oom_score_adj(),
    }


def _user(identity: users.Identity) -> Json:
    return {"uid": identity.uid, "gid": identity.gid, "additionalGids": identity.groups}


def _capabilities(names: list[str]) -> Json:
    # Nothing inheritable: programs with inheritable file capabilities would gain by it (CVE-2022-24769).
    return {"bounding": names, "effective": names, "permitted": names, "inheritable": [], "ambient": []}


def _rlimit(value: int) -> int:
    return UNLIMITED if value == -1 else value


def _oom_score_adj() -> int:
    """0: a protected engine hands no protection on. Its own where that is higher: lowering is a privilege."""
    with open("/proc/self/oom_score_adj") as file:
        return max(0, int(file.read()))


def _mounts(config: ContainerConfig, files: Mapping[str, str], volumes: Mapping[str, str]) -> list[Json]:
    wanted = {normal(mount.target): mount for mount in config.mounts}
    replaced = {*wanted, *(d for d, *_ in defaults.MOUNTS if d.startswith("/dev/") and "/dev" in wanted)}
    writable = {"/sys", "/sys/fs/cgroup"} if config.privileged else set()
    mounts = [
        _mount(path, kind, source, [o for o in options if not (o == "ro" and path in writable)])
        for path, kind, source, options in defaults.MOUNTS
        if path not in replaced
    ]
    own = [_wanted(mount, volumes, config.privileged) for mount in wanted.values()]
    own += [
        _mount(target, "bind", source, ["rbind", "rprivate", "nosuid", "nodev", "noexec"])
        for target, source in files.items()
        if target not in wanted
    ]
    # A mount hides what is below its target: parents come first, whatever order the user wrote.
    return mounts + sorted(own, key=lambda mount: mount["destination"].count("/"))


def _wanted(mount: Wanted, volumes: Mapping[str, str], privileged: bool) -> Json:
    access = "ro" if mount.read_only else "rw"
    target = normal(mount.target)
    if mount.type == "tmpfs":
        options = [
            "nosuid",
            "nodev",
            "noexec",
            access,
            f"mode={mount.mode if mount.mode is not None else 0o1777:o}",
        ]
        return _mount(
            target, "tmpfs", "tmpfs", options + ([f"size={mount.size}"] if mount.size is not None else [])
        )
    source = volumes[mount.source] if mount.type == "volume" else mount.source
    if mount.type == "bind" and not os.path.lexists(source):
        raise BadRequest(
            f"mounts: the bind source {source} does not exist", "create it first, or use a volume"
        )
    return _mount(target, "bind", source, ["rbind", "rprivate", access, *([] if privileged else ["nodev"])])


def _mount(destination: str, kind: str, source: str, options: list[str]) -> Json:
    return {"destination": destination, "type": kind, "source": source, "options": options}


def _devices(privileged: bool) -> list[Json]:
    devices = [defaults.device(f"/dev/{name}", "c", major, minor) for name, major, minor in defaults.DEVICES]
    if privileged:
        known = {device["path"] for device in devices}
        devices += [device for device in _host_devices("/dev") if device["path"] not in known]
    return devices


def _host_devices(folder: str) -> list[Json]:
    """The host's device nodes, but for terminals and what is mounted below /dev."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in ("pts", "shm", "fd", "mqueue", "console", "ptmx", "hugepages"):
                continue
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                found += _host_devices(entry.path)
            elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                kind = "c" if stat.S_ISCHR(status.st_mode) else "b"
                device = status.st_rdev
                mode = stat.S_IMODE(status.st_mode)
                found.append(
                    defaults.device(
                        entry.path,
                        kind,
                        os.major(device),
                        os.minor(device),
                        mode,
                        status.st_uid,
                        status.st_gid,
                    )
                )
    return found
