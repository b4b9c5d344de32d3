"""What other engines call their containers: asked at their sockets, or read in their state folders.

All of it is other people's: a socket may hang, a file may be anything. So this runs in a thread, one look at a time,
with a deadline for each socket and a size for each file; what does not answer leaves a container with its id.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import astuple

WITHIN = 2.0  # seconds for one socket
MOST = 16 << 20  # bytes of an answer or a file

DOCKER_SOCKETS = ("/run/docker.sock",)
DOCKER_DATA = ("/var/lib/docker",)
STORAGE = ("/var/lib/containers/storage",)
CONTAINERD = ("/run/containerd", "/run/k3s/containerd")
TASKS = "io.containerd.runtime.v2.task"
LXC = (
    ("incus", "/var/lib/incus/containers"),
    ("lxd", "/var/snap/lxd/common/lxd/containers"),
    ("lxd", "/var/lib/lxd/containers"),
    ("lxc", "/var/lib/lxc"),
)


class Unnamed(msgspec.Struct, frozen=True):
    """A container or pod of which only the id is known."""

    engine: str  # as its path tells, "" where that does not
    ref: str
    uid: int | None = None  # of a rootless engine's user
    instance: str = ""  # another tiffin's cgroup


class Named(msgspec.Struct, frozen=True):
    """What its engine says of it."""

    name: str
    image: str = ""
    engine: str = ""


Names = dict[str, Named]
"""By the container's or pod's id."""


def look(unnamed: Iterable[Unnamed], root: str = "") -> Names:
    """All that can be found out of these; blocks. `root` is a prefix of all paths, for made-up ones."""
    found = Names()
    wanted = list(unnamed)
    for source, engines in SOURCES:
        asked = [one for one in wanted if one.engine in engines and one.ref not in found]
        if asked:
            for ref, named in _tolerant(source(asked, root)):
                if all(isinstance(word, str) for word in (ref, *astuple(named))):
                    found.setdefault(ref, named)
    return found


def _tolerant(found: Iterator[tuple[str, Named]]) -> Iterator[tuple[str, Named]]:
    """As far as it goes: what was read may be of any shape."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        yield from found


# ── docker ──────────────────────────────────────────────────────────────────────────────────────────────────


def _docker(asked: list[Unnamed], root: str) -> Iterator[tuple[str, Named]]:
    sockets = dict.fromkeys(f"{root}{path}" for path in DOCKER_SOCKETS)
    data = dict.fromkeys(f"{root}{path}" for path in DOCKER_DATA)
    for uid, home in _homes(asked):
        sockets[f"{root}/run/user/{uid}/docker.sock"] = None
        data[f"{root}{home}/.local/share/docker"] = None
    for words in _running("dockerd"):
        sockets |= dict.fromkeys(
            path.removeprefix("unix://")
            for path in _options(words, "-H", "--host")
            if path.startswith("unix://")
        )
        data |= dict.fromkeys(_options(words, "-g", "--data-root"))
    left = {one.ref for one in asked}
    for path in sockets:
        for ref, named in _tolerant(_docker_socket(path)):
            left.discard(ref)
            yield ref, named
    for ref in left:
        for folder in data:
            state = _json(f"{folder}/containers/{ref}/config.v2.json")
            if isinstance(state, dict):
                labels = state["Config"].get("Labels") or {}
                yield from _docker_one(ref, state["Name"], state["Config"]["Image"], labels)


def _docker_socket(path: str) -> Iterator[tuple[str, Named]]:
    answer = get(path, "/containers/json")
    containers = json.loads(answer) if answer else []
    for one in containers if isinstance(containers, list) else []:
        yield from _docker_one(one["Id"], one["Names"][0], one["Image"], one.get("Labels") or {})


def _docker_one(ref: str, name: str, image: str, labels: dict[str, str]) -> Iterator[tuple[str, Named]]:
    container = labels.get("io.kubernetes.container.name", "")
    pod, uid = labels.get("io.kubernetes.pod.name"), labels.get("io.kubernetes.pod.uid")
    if pod and uid:
        yield uid, Named(f"{labels.get('io.kubernetes.pod.namespace', '')}/{pod}")
    yield ref, Named(container if pod else name.lstrip("/"), image, "docker")


def get(path: str, target: str) -> bytes:
    """The body that a unix socket answers to a GET; empty where it refuses, hangs or floods."""
    deadline = time.monotonic() + WITHIN
    answer = bytearray()
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(WITHIN)
        connection.connect(path)
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: tiffin\r\n\r\n".encode())
        while len(answer) <= MOST:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = connection.recv(1 << 16)
            if not piece:
                head, _, body = bytes(answer).partition(b"\r\n\r\n")
                return body if b" 200 " in head.split(b"\r\n")[0] else b""
            answer += piece
    return b""


# ── podman and CRI-O keep theirs in the same store ──────────────────────────────────────────────────────────


def _storage(asked: list[Unnamed], root: str) -> Iterator[tuple[str, Named]]:
    folders = [f"{root}{path}" for path in STORAGE]
    folders += [f"{root}{home}/.local/share/containers/storage" for _, home in _homes(asked)]
    engines = {one.ref: one.engine for one in asked}
    for folder in folders:
        for driver in ("overlay", "vfs", "btrfs", "zfs"):
            containers = _json(f"{folder}/{driver}-containers/containers.json")
            for one in containers if isinstance(containers, list) else []:
                yield from _tolerant(_stored(one, engines))


def _stored(one: dict[str, Any], engines: dict[str, str]) -> Iterator[tuple[str, Named]]:
    told = json.loads(one.get("metadata") or "{}")
    name = told.get("name") or (one.get("names") or [""])[0]
    pod = told.get("pod-name")
    if one["id"] in engines and name:
        engine = engines[one["id"]] or ("cri-o" if pod else "podman")
        yield (
            one["id"],
            Named((pod and told.get("container-name")) or name, told.get("image-name", ""), engine),
        )
    if pod and (uid := told.get("pod-uid") or _uid_in(name)):
        yield uid, Named(pod)


def _uid_in(name: str) -> str:
    """CRI-O names a sandbox k8s_POD_NAMESPACE_UID_N."""
    match = re.search(r"_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_", name)
    return match[1] if match else ""


# ── containerd ──────────────────────────────────────────────────────────────────────────────────────────────


def _containerd(asked: list[Unnamed], root: str) -> Iterator[tuple[str, Named]]:
    folders = [f"{root}{path}/{TASKS}" for path in CONTAINERD]
    folders += [f"{root}/run/user/{uid}/containerd/{TASKS}" for uid, _ in _homes(asked)]
    for folder in folders:
        namespaces = []
        with contextlib.suppress(OSError):
            namespaces = os.listdir(folder)
        for namespace in namespaces:
            for one in asked:
                config = _json(f"{folder}/{namespace}/{one.ref}/config.json")
                if not isinstance(config, dict):
                    continue
                told = config.get("annotations") or {}
                name = told.get("io.kubernetes.cri.container-name") or told.get("nerdctl/name")
                pod = told.get("io.kubernetes.cri.sandbox-name")
                if told.get("io.kubernetes.cri.container-type") == "sandbox":
                    name = "sandbox"
                if pod and (uid := told.get("io.kubernetes.cri.sandbox-uid")):
                    yield uid, Named(f"{told.get('io.kubernetes.cri.sandbox-namespace', '')}/{pod}")
                if name:
                    yield one.ref, Named(name, told.get("io.kubernetes.cri.image-name", ""), "containerd")


# ── what has its name in its path: only whose it is ─────────────────────────────────────────────────────────


def _lxc(asked: list[Unnamed], root: str) -> Iterator[tuple[str, Named]]:
    for one in asked:
        for engine, folder in LXC:
            if os.path.lexists(f"{root}{folder}/{one.ref}"):
                yield one.ref, Named(one.ref, "", engine)
                break


# ── another tiffin ──────────────────────────────────────────────────────────────────────────────────────────


def _tiffin(asked: list[Unnamed], root: str) -> Iterator[tuple[str, Named]]:
    folders = {"tiffin": f"{root}/var/lib/tiffin"}
    for words in _running("python", "engine"):
        for folder in _options(words, "--root"):
            folders[_instance_of(folder)] = f"{folder}/state"
    for one in asked:
        if one.instance in folders:
            record = _json(f"{folders[one.instance]}/containers/{one.ref}/container.json")
            if isinstance(record, dict):
                yield one.ref, Named(record["name"], record["image"], "tiffin")


def _instance_of(folder: str) -> str:
    from engine.instance import find

    return find(folder).cgroup


# ── looking about ───────────────────────────────────────────────────────────────────────────────────────────


def _homes(asked: list[Unnamed]) -> Iterator[tuple[int, str]]:
    for uid in dict.fromkeys(one.uid for one in asked if one.uid):
        with contextlib.suppress(KeyError):
            yield uid, pwd.getpwuid(uid).pw_dir


def _running(program: str, module: str = "") -> Iterator[list[str]]:
    """The command lines of all processes of a program (or of python with -m `module`)."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = os.fsdecode(file.read(1 << 16)).split("\0")
                if os.path.basename(words[0]).startswith(program) and (
                    not module or words[1:3] == ["-m", module]
                ):
                    yield words


def _options(words: list[str], *names: str) -> Iterator[str]:
    """The values of an option, given as "--name value" or "--name=value"."""
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            if equals:
                yield value
            elif index + 1 < len(words):
                yield words[index + 1]


def _json(path: str) -> Any:
    """A regular file's content, no longer than MOST; None where it is something else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        try:
            return json.loads(file.read(MOST + 1))
        except (OSError, ValueError):
            return None


SOURCES: tuple[tuple[Callable[[list[Unnamed], str], Iterator[tuple[str, Named]]], tuple[str, ...]], ...] = (
    (_docker, ("docker", "containerd", "kubernetes", "runc", "crun", "")),
    (_storage, ("podman", "cri-o", "buildah", "kubernetes", "runc", "crun", "")),
    (_containerd, ("containerd", "kubernetes", "runc", "crun", "")),
    (_lxc, ("lxc",)),
    (_tiffin, ("tiffin",)),
)
"""Who is asked for which engine's; a path with an id alone may be anybody's, and pods are named by their containers."""
