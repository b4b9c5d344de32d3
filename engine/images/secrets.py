"""What of this machine a container from the `host` image must not see, and how it is hidden.

Three rules find secrets: well-known places; whatever an ordinary user of the host may not read, in the trees
that hold settings and data; and settings whose text is a private key or carries a password. Sockets and nodes
are hidden too: overlayfs hands the host's own through, and behind each is something of the host.

Runs with "/" being the root file system alone, without what is mounted below it (see hiding.py), because that
is what overlayfs will show.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

EMPTIED = (
    # people's
    "/root", "/home", "/srv", "/mnt", "/media", "/tmp", "/var/tmp", "/var/crash", "/lost+found",
    # this machine's, while it runs
    "/run", "/boot", "/var/lib/systemd/coredump", "/var/backups",
    # other containers'
    "/var/lib/tiffin", "/etc/tiffin", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers",
    "/var/lib/kubelet", "/var/lib/rancher", "/var/lib/lxc", "/var/lib/lxd", "/var/lib/incus",
    "/var/lib/machines", "/var/lib/libvirt", "/etc/kubernetes",
    # keys and credentials
    "/etc/ssl/private", "/etc/pki/tls/private", "/etc/letsencrypt", "/etc/wireguard", "/etc/openvpn",
    "/etc/ipsec.d/private", "/etc/credstore", "/etc/credstore.encrypted", "/etc/luks",
    "/etc/cryptsetup-keys.d",
    "/etc/NetworkManager/system-connections", "/var/lib/NetworkManager", "/var/lib/bluetooth", "/var/lib/iwd",
    "/var/lib/private", "/var/lib/cloud", "/var/lib/sss", "/var/lib/samba/private", "/var/lib/tailscale",
)  # fmt: skip
PRUNED = ("/var/log", "/var/mail", "/var/spool")  # programs want their folders there, not what is in them
GONE = (
    # Hidden before they exist, too: what the host writes later shows through in running containers.
    "/etc/passwd-", "/etc/shadow-", "/etc/group-", "/etc/gshadow-", "/etc/security/opasswd",
    "/etc/krb5.keytab",
    *(f"/etc/ssh/ssh_host_{kind}_key" for kind in ("rsa", "dsa", "ecdsa", "ed25519")),
    "/etc/docker/key.json", "/etc/netrc", "/etc/ppp/chap-secrets", "/etc/ppp/pap-secrets",
    "/etc/apt/auth.conf", "/etc/iscsi/initiatorname.iscsi", "/var/lib/dbus/machine-id",
    "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret", "/var/cache/debconf/passwords.dat",
)  # fmt: skip
PRIVATE_NAMES = re.compile(
    r"\.?\w+_history|\.(netrc|pgpass|my\.cnf|git-credentials|npmrc|pypirc|lesshst|viminfo|htpasswd)"
    r"|id_(rsa|dsa|ecdsa|ed25519)"
)
PRIVATE_TEXT = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"
    rb"|^[^#;\n]*(?:://[^/\s:@]+:[^/\s:@]+@|_authToken|_auth\s*=|\b_password\s*=)",
    re.MULTILINE,
)
TEXT_LIMIT = 1 << 20  # bytes; keys and settings are smaller
SEARCHED = ("/etc", "/usr/local", "/usr/etc", "/opt", "/var")
SEARCHED_FOR_TEXT = ("/etc/", "/usr/local/etc/", "/usr/etc/")
SEARCH_LIMIT = 400_000  # files looked at; a folder beyond is emptied
BOUND = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")  # the engine's own are mounted on these
SYSTEM = ("/bin", "/sbin", "/lib", "/usr", "/etc", "/var", "/opt", "/dev", "/proc", "/sys")

Kind = Literal["dir", "opaque", "whiteout", "file"]


class Entry(msgspec.Struct, frozen=True):
    """One entry of the hiding layer: a folder to pass through, an emptied one, a whiteout, a substitute."""

    path: str
    kind: Kind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    content: bytes = b""


class Plan(msgspec.Struct, frozen=True):
    """The whole layer, parents before children, and the folders that were too much to look through."""

    entries: list[Entry]
    unsearched: list[str]


def plan(own: Iterable[str]) -> Plan:
    """Everything to hide now; `own` are paths to hide besides, the instance's own. Raises OSError."""
    found = _Plan()
    for path in own:
        found.hide(path)
    for path in (*EMPTIED, *_private_homes()):
        found.empty(path)
    for path in PRUNED:
        found.prune(path)
    for path in GONE:
        found.hide(path)
    for path in ("/etc/passwd", "/etc/group"):
        found.substitute(path, _without_hashes)
    for path in ("/etc/shadow", "/etc/gshadow"):
        # Even without a hash in it today: the one that has it tomorrow would show through.
        found.substitute(path, _without_hashes, always=True)
    found.substitute("/etc/machine-id", lambda _: b"")
    for path in BOUND:
        if not os.path.isfile(path) or os.path.islink(path):
            found.entries[path] = Entry(path, "file", 0o644)
    found.search()
    return Plan(found.complete(), found.unsearched)


class _Plan:
    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.unsearched: list[str] = []

    def hide(self, path: str) -> None:
        """Take one file or folder away; one that does not exist yet, too."""
        folder, name = os.path.split(path)
        for found in {
            os.path.join(os.path.realpath(folder), name),
            os.path.realpath(path),
        }:  # link and target
            if os.path.isdir(os.path.dirname(found)):
                self.entries[found] = Entry(found, "whiteout")

    def empty(self, path: str) -> None:
        """Leave a folder as it is, with nothing in it."""
        path = os.path.realpath(path)
        if path != "/" and os.path.isdir(path):
            self._keep(path, "opaque")

    def prune(self, path: str) -> None:
        """Leave a folder and the folders below it, without their files."""
        path = os.path.realpath(path)
        self.empty(path)
        for folder, folders, _ in os.walk(path):
            for name in folders:
                child = os.path.join(folder, name)
                if not os.path.islink(child):
                    self._keep(child, "opaque")

    def substitute(self, path: str, change: Callable[[bytes], bytes], *, always: bool = False) -> None:
        """Put a changed copy in a file's place, unless it is no different."""
        try:
            with open(path, "rb") as file:
                status, content = os.fstat(file.fileno()), file.read(TEXT_LIMIT)
        except (FileNotFoundError, IsADirectoryError):
            return
        changed = change(content)
        path = os.path.realpath(path)
        if always or changed != content:
            mode = stat.S_IMODE(status.st_mode)
            self.entries[path] = Entry(path, "file", mode, status.st_uid, status.st_gid, changed)

    def search(self) -> None:
        """Hide what only its owner may read, keys and passwords in settings, sockets and nodes."""
        queue = deque(["/"])
        left = SEARCH_LIMIT
        while queue:
            folder = queue.popleft()
            if left <= 0:
                self.unsearched.append(folder)
                self.empty(folder)
                continue
            with os.scandir(folder) as children:
                for child in children:
                    left -= 1
                    if child.path in self.entries or child.is_symlink():
                        continue
                    try:
                        status = child.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if not stat.S_ISDIR(status.st_mode):
                        if _is_private(child.path, status):
                            self.entries[child.path] = Entry(child.path, "whiteout")
                    elif not status.st_mode & stat.S_IXOTH:
                        self._keep(child.path, "opaque")
                    elif folder != "/":
                        queue.append(child.path)
            if folder == "/":
                queue.extend(root for root in SEARCHED if os.path.isdir(root) and not os.path.islink(root))

    def complete(self) -> list[Entry]:
        """The entries that show, with all their parents, parents first."""
        wanted, self.entries = self.entries, {}
        for path in sorted(wanted):
            missing: list[str] = []
            above = os.path.dirname(path)
            while above not in self.entries and above != os.path.dirname(above):
                missing.append(above)
                above = os.path.dirname(above)
            hidden = above in self.entries and self.entries[above].kind != "dir"
            # In an emptied folder only empty folders can be kept: those of a pruned tree, people's homes.
            if hidden and (missing or wanted[path].kind != "opaque"):
                continue
            for folder in reversed(missing):
                self._keep(folder, "dir")
            self.entries[path] = wanted[path]
        if "/" not in self.entries:
            self._keep("/", "dir")
        return [self.entries[path] for path in sorted(self.entries)]

    def _keep(self, path: str, kind: Kind) -> None:
        status = os.stat(path)
        self.entries[path] = Entry(path, kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def _private_homes() -> Iterator[str]:
    """Homes of people, wherever they are; those of system users are data, which the search looks through."""
    try:
        with open("/etc/passwd", encoding="utf-8", errors="surrogateescape") as file:
            users = [line.rstrip("\n").split(":") for line in file]
    except FileNotFoundError:
        return
    for user in users:
        if len(user) < 7 or not user[2].isdigit() or 0 < int(user[2]) < 1000:
            continue
        home = os.path.normpath(user[5])
        if home.startswith("/") and not any(f"{part}/".startswith(f"{home}/") for part in ("", *SYSTEM)):
            yield home


def _is_private(path: str, status: os.stat_result) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return stat.S_ISSOCK(status.st_mode) or stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    if not status.st_mode & stat.S_IROTH or PRIVATE_NAMES.fullmatch(os.path.basename(path)):
        return True
    if not path.startswith(SEARCHED_FOR_TEXT) or not 0 < status.st_size <= TEXT_LIMIT:
        return False
    with open(path, "rb", buffering=0) as file:
        return PRIVATE_TEXT.search(file.read(TEXT_LIMIT)) is not None


def _without_hashes(accounts: bytes) -> bytes:
    """A passwd, group, shadow or gshadow file in which no password can be used or guessed (shadow(5))."""
    lines = []
    for line in accounts.split(b"\n"):
        fields = line.split(b":")
        if len(fields) > 1 and fields[1] not in (b"x", b"*", b"!", b"!*"):
            fields[1] = b"*"
        lines.append(b":".join(fields))
    return b"\n".join(lines)
