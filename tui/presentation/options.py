"""What a person typed, read strictly: the compound words of `run`, such as "8080:80/udp" or "/src:/dst:ro".

As in `entry`, messages lack their subject.
"""

from __future__ import annotations

import csv
import ipaddress
import os
import re
from collections.abc import Iterable

from engine.errors import BadRequest
from engine.model import Mount, Publish, RestartPolicy, Ulimit
from tui.presentation import entry

_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ULIMITS = frozenset(
    {"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss"}
    | {"rtprio", "rttime", "sigpending", "stack"}
)
_RESTART = ("no", "on-failure", "always", "unless-stopped")


def publish(text: str) -> list[Publish]:
    """Ports: "80", "8080:80", "127.0.0.1:8080:80/udp", "[::1]:8080:80", "8000-8002:80-82"."""
    remedy = "write HOST:CONTAINER, for instance 8080:80 or 127.0.0.1:53:53/udp"
    ports, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in ("tcp", "udp"):
        raise BadRequest(f"{protocol!r} is not a protocol that can be published", "write /tcp or /udp")
    host, _, container = ports.rpartition(":")
    address, bracket, port = host.rpartition("]:") if host.startswith("[") else host.rpartition(":")
    address = address.removeprefix("[") if bracket else address
    if address:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise BadRequest(f"{address!r} is not an IP address of this host", remedy) from None
    inner = _ports(container, remedy)
    outer = _ports(port, remedy) if port else [0] * len(inner)
    if len(outer) != len(inner):
        raise BadRequest("the two port ranges differ in length", "make both of the same length")
    return [
        Publish(
            container_port=to,
            host_port=at,
            host_ip=address or "0.0.0.0",
            protocol="udp" if protocol == "udp" else "tcp",
        )
        for at, to in zip(outer, inner, strict=True)
    ]


def _ports(text: str, remedy: str) -> list[int]:
    first, _, last = text.partition("-")
    try:
        low = entry.whole(first, 1, 65535)
        high = entry.whole(last, low, 65535) if last else low
    except BadRequest:
        raise BadRequest(f"{text!r} is not a port of 1 to 65535", remedy) from None
    return list(range(low, high + 1))


def volume(text: str) -> Mount:
    """Docker's -v: "/host:/in", "name:/in:ro", or "/in" alone for a volume without a name."""
    source, target, flags = _split_volume(text)
    read_only = False
    for flag in flags.split(",") if flags else []:
        if flag == "ro":
            read_only = True
        elif flag not in ("rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"):
            raise BadRequest(f"{flag!r} is not a mount option", "write :ro or :rw")
    if source.startswith(("/", ".", "~")):
        path = os.path.abspath(os.path.expanduser(source))  # noqa: PTH100, PTH111 - text in, text out
        return Mount(type="bind", source=path, target=_target(target), read_only=read_only)
    return Mount(type="volume", source=_volume_name(source), target=_target(target), read_only=read_only)


def _split_volume(text: str) -> tuple[str, str, str]:
    match text.split(":"):
        case [target]:
            return "", target, ""
        case [source, target] if source:
            return source, target, ""
        case [source, target, flags] if source:
            return source, target, flags
    raise BadRequest("not a volume", "write SOURCE:TARGET or SOURCE:TARGET:ro")


def _target(path: str) -> str:
    if not path.startswith("/"):
        raise BadRequest(f"{path!r} is not an absolute path inside the container", "begin it with /")
    target = os.path.normpath(path)
    if target in ("/", "//"):
        raise BadRequest("nothing can be mounted over the container's /", "name a folder below it")
    return target


def _volume_name(name: str) -> str:
    if name and not _VOLUME_NAME.fullmatch(name):
        raise BadRequest(
            f"{name!r} is not a volume's name", "use letters, digits, _ . and -, or a path with /"
        )
    return name


def tmpfs(text: str) -> Mount:
    """Docker's --tmpfs: "/run" or "/run:size=64m,mode=1777,ro"."""
    target, _, flags = text.partition(":")
    read_only, size, mode = False, None, None
    for flag in flags.split(",") if flags else []:
        name, _, value = flag.partition("=")
        if name == "size":
            size = entry.size(value)
        elif name == "mode":
            mode = _mode(value)
        elif flag == "ro":
            read_only = True
        elif flag not in ("rw", "noexec", "nosuid", "nodev"):  # the last two hold for every tmpfs here
            raise BadRequest(f"{flag!r} is not a tmpfs option", "write size=64m, mode=1777 or ro")
    return Mount(type="tmpfs", target=_target(target), read_only=read_only, size=size, mode=mode)


def _mode(text: str) -> int:
    if not re.fullmatch("[0-7]{1,5}", text):
        raise BadRequest(f"{text!r} is not a file mode", "write it in octal, such as 1777")
    return int(text, 8)


def mount(text: str) -> Mount:
    """Docker's --mount: "type=bind,source=/host,target=/in,readonly"; volume and tmpfs alike."""
    given: dict[str, str] = {}
    try:
        fields = next(csv.reader([text]), [])
    except csv.Error:  # a line break
        raise BadRequest("a mount is one line", "write type=bind,source=/host,target=/in") from None
    for field in fields:
        key, equals, value = field.partition("=")
        name = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}.get(key, key)
        if name not in ("type", "source", "target", "readonly", "tmpfs-size", "tmpfs-mode"):
            raise BadRequest(
                f"{key!r} is not a mount option", "use type, source, target, readonly, tmpfs-size"
            )
        given[name] = value if equals else "true"
    kind = given.get("type", "volume")
    source, target = given.get("source", ""), _target(given.get("target", ""))
    if given.get("readonly", "false").lower() not in ("true", "1", "false", "0"):
        raise BadRequest("readonly takes true or false", "leave it out, or write readonly")
    read_only = given.get("readonly", "false").lower() in ("true", "1")
    if kind == "bind":
        if not source.startswith("/"):
            raise BadRequest("a bind mount needs an absolute source", "add source=/path/on/this/machine")
        return Mount(type="bind", source=source, target=target, read_only=read_only)
    if kind == "volume":
        return Mount(type="volume", source=_volume_name(source), target=target, read_only=read_only)
    if kind == "tmpfs":
        if source:
            raise BadRequest("a tmpfs has no source", "leave source= out")
        return Mount(
            type="tmpfs",
            target=target,
            read_only=read_only,
            size=entry.size(given["tmpfs-size"]) if "tmpfs-size" in given else None,
            mode=_mode(given["tmpfs-mode"]) if "tmpfs-mode" in given else None,
        )
    raise BadRequest(f"{kind!r} is not a type of mount", "use type=bind, volume or tmpfs")


def ulimit(text: str) -> Ulimit:
    """Docker's --ulimit: "nofile=1024" or "nofile=1024:4096"; -1 is unlimited."""
    name, _, values = text.partition("=")
    if name not in _ULIMITS:
        raise BadRequest(f"{name!r} is not a resource limit", "use nofile, nproc, core, stack and the like")
    soft_text, _, hard_text = values.partition(":")
    soft = entry.whole(soft_text, -1)
    hard = entry.whole(hard_text, -1) if hard_text else soft
    if hard != -1 and (soft == -1 or soft > hard):
        raise BadRequest("the soft limit is above the hard one", f"write {name}={hard}:{hard}")
    return Ulimit(name=name, soft=soft, hard=hard)


def restart(text: str) -> RestartPolicy:
    """Docker's --restart: no, on-failure[:n], always, unless-stopped."""
    name, colon, retries = text.partition(":")
    for known in _RESTART:
        if name == known and (not colon or known == "on-failure"):
            return RestartPolicy(name=known, max_retries=entry.whole(retries) if colon else 0)  # type: ignore[arg-type]
    raise BadRequest("not a restart policy", "write no, on-failure[:n], always or unless-stopped")


def env(text: str, environ: dict[str, str]) -> str:
    """NAME=value, or NAME alone to take its value from `environ`; empty where that has none."""
    name, equals, _ = text.partition("=")
    if not name or "\0" in text or any(c.isspace() for c in name):
        raise BadRequest(f"{text!r} is not a variable", "write NAME=value, the name without spaces")
    if equals:
        return text
    return f"{name}={environ[name]}" if name in environ else ""


def env_lines(lines: Iterable[str], environ: dict[str, str]) -> list[str]:
    """The variables of an --env-file: one a line as for `env`; blank lines and # comments are skipped."""
    words = (line.rstrip("\r\n").lstrip() for line in lines)
    return [found for word in words if word and not word.startswith("#") and (found := env(word, environ))]


def label(text: str) -> tuple[str, str]:
    """NAME=value, or NAME alone for an empty value."""
    name, _, value = text.partition("=")
    if not name:
        raise BadRequest("a label without a name", "write NAME=value")
    return name, value


def extra_host(text: str) -> str:
    """A line for /etc/hosts: "name:10.0.0.1", "name:::1" or "name=10.0.0.1"."""
    name, _, address = text.replace("=", ":", 1).partition(":")
    try:
        ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        raise BadRequest("not a host and its address", "write name:10.0.0.1") from None
    if not name or any(c.isspace() for c in name):
        raise BadRequest("a host without a usable name", "write name:10.0.0.1")
    return f"{name}:{address.strip('[]')}"


def ip_address(text: str) -> str:
    """An IPv4 or IPv6 address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise BadRequest("not an IP address", "write 10.0.0.1 or fd00::1") from None


def device_rate(text: str, bytes_each: bool) -> tuple[str, int | None]:
    """A device and its rate, "/dev/vda:10m" or "8:0:1000"; `max` takes the throttle away again."""
    device, _, rate = text.rpartition(":")
    if not (device.startswith("/dev/") or re.fullmatch(r"\d+:\d+", device)):
        raise BadRequest("not a device and its rate", "write /dev/vda:10m or 8:0:10m")
    if entry.is_no_limit(rate) or rate == "0":
        return device, None
    return device, entry.size(rate) if bytes_each else entry.whole(rate, 1)


def log_option(text: str) -> tuple[str, int]:
    """One of Docker's --log-opt as a field of LogOptions and its value: "max-size=10m" or "max-file=3"."""
    name, _, value = text.partition("=")
    if name == "max-size":
        size = entry.size(value)
        if size < 4096:
            raise BadRequest("too small to hold a line", "write max-size=4k or more")
        return "max_size", size
    if name == "max-file":
        return "max_files", entry.whole(value, 1, 1000)
    raise BadRequest("not a log option", "use max-size=10m or max-file=3")
