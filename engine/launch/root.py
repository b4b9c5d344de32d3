"""A container's root: the overlay and the mounts in it, built inside the container's own mount namespace.

Every place in the image is found by openat2(RESOLVE_IN_ROOT) and mounted on by descriptor. So a symbolic link
in the image, or one that a running container swaps in through a shared volume, changes at most which place
*inside* the root gets the mount.
"""

from __future__ import annotations

import os
import stat

from engine.kernel import mount, paths, syscalls
from engine.launch import dev
from engine.launch.child import Channel, Failed, is_unified

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = {  # mount option: (MOUNT_ATTR_ to add, to remove)
    "ro": (mount.MOUNT_ATTR_RDONLY, 0),
    "rw": (0, mount.MOUNT_ATTR_RDONLY),
    "nosuid": (mount.MOUNT_ATTR_NOSUID, 0),
    "suid": (0, mount.MOUNT_ATTR_NOSUID),
    "nodev": (mount.MOUNT_ATTR_NODEV, 0),
    "dev": (0, mount.MOUNT_ATTR_NODEV),
    "noexec": (mount.MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, mount.MOUNT_ATTR_NOEXEC),
    "noatime": (mount.MOUNT_ATTR_NOATIME, 0),
    "strictatime": (mount.MOUNT_ATTR_STRICTATIME, 0),
    "nodiratime": (mount.MOUNT_ATTR_NODIRATIME, 0),
    "relatime": (0, 0),  # the kernel's default
}
BINDS = {"bind": False, "rbind": True}  # whether the mounts below come along
PROPAGATION = {"private", "rprivate"}  # all that is offered: nothing spreads between host and container
MS_RDONLY = 1
MS_NODEV = 4


class Root:
    """The root being built; `fd` is its top folder."""

    def __init__(self, channel: Channel, config: dict[str, Any], plan: dict[str, Any], folder: str) -> None:
        self._channel = channel
        self._config = config
        self._plan = plan
        self._pts = -1
        self._dev = -1
        self._empty = -1  # a read-only, empty tmpfs, once something was masked by it
        channel.doing = "cutting the container's mounts off from the host's"
        mount.set_propagation("/", mount.MS_REC | mount.MS_PRIVATE)
        channel.doing = "mounting the overlay root"
        mount_overlay(plan["overlay"], folder)
        self.fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def build(self) -> None:
        """Make all mounts of the bundle, then mask and protect what it says."""
        for entry in self._config["mounts"]:
            self._channel.doing = f"mounting {entry.get('type', 'bind')} on {entry['destination']}"
            self._mount(entry)
        linux = self._config["linux"]
        for path in linux.get("maskedPaths", []):
            self._channel.doing = f"masking {path}"
            self._mask(path)
        for path in linux.get("readonlyPaths", []):
            self._channel.doing = f"making {path} read-only"
            self._protect(path)
        cwd = self._config["process"]["cwd"]
        self._channel.doing = f"making the working folder {cwd}"
        os.close(self._folder(cwd))

    def terminal(self) -> int:
        """Open the container's terminal, hand its master to the monitor, and return the slave."""
        self._channel.doing = "opening a terminal"
        if self._pts < 0 or self._dev < 0:
            raise Failed("a terminal needs mounts of tmpfs on /dev and devpts on /dev/pts")
        process = self._config["process"]
        master, slave = dev.open_terminal(self._pts, process.get("consoleSize"), process["user"]["uid"])
        self._channel.send_terminal(master)
        os.close(master)
        dev.bind_console(self._dev, slave)
        return slave

    def enter(self) -> None:
        """Make it this process's root and let go of the host's."""
        if self._config["root"].get("readonly"):
            self._channel.doing = "making the root read-only"
            mount.set_attributes(self.fd, mount.MOUNT_ATTR_RDONLY)
        self._channel.doing = "changing to the container's root"
        os.fchdir(self.fd)
        syscalls.pivot_root(".", ".")
        mount.detach(".")  # the host's root, which is now on top
        os.chdir("/")

    # One mount.

    def _mount(self, entry: dict[str, Any]) -> None:
        kind, options = entry.get("type", "bind"), entry.get("options", [])
        bind = next((BINDS[option] for option in options if option in BINDS), None)
        if bind is not None or kind == "bind":
            self._bind(entry, bool(bind))
        elif kind in ("cgroup", "cgroup2"):
            self._cgroups(entry)
        else:
            self._filesystem(kind, entry)

    def _filesystem(self, kind: str, entry: dict[str, Any]) -> None:
        destination = entry["destination"]
        add, _, data = _parse(entry.get("options", []))
        data.pop("newinstance", None)  # every devpts is one
        data.setdefault("source", entry.get("source", kind))
        tree = mount.filesystem(kind, data, add)
        if kind == "tmpfs" and destination == "/dev":
            console = self._config["process"].get("terminal", False)
            dev.populate(tree, self._config["linux"].get("devices", []), console)
            self._dev = tree
        # procfs and sysfs where an image says, by a link, would be procfs and sysfs unmasked.
        resolve = paths.RESOLVE_NO_SYMLINKS if kind in ("proc", "sysfs") else 0
        self._attach(tree, self._folder(destination, resolve))
        if kind == "devpts":
            self._pts = tree
        elif tree != self._dev:
            os.close(tree)

    def _bind(self, entry: dict[str, Any], recursive: bool) -> None:
        add, remove, data = _parse(entry.get("options", []))
        if data:
            raise Failed(f"{self._channel.doing}: a bind mount has no option {next(iter(data))!r}")
        source = os.open(entry["source"], os.O_PATH | os.O_CLOEXEC)
        tree = mount.clone_tree(source, recursive=recursive)
        if add or remove:
            mount.set_attributes(tree, add, remove, recursive=recursive)
        is_folder = stat.S_ISDIR(os.fstat(source).st_mode)
        os.close(source)
        destination = entry["destination"]
        self._attach(tree, self._folder(destination) if is_folder else self._file(destination))
        os.close(tree)

    def _cgroups(self, entry: dict[str, Any]) -> None:
        """Show the container its own cgroups.

        They are bound from the host's mounts, which costs less than new mounts and shows no hierarchy that the
        container is not in.
        """
        folders = self._plan["cgroups"]
        target = self._folder(entry["destination"])
        if len(folders) == 1 and is_unified(folders[0]):
            tree = mount.clone_tree(syscalls.AT_FDCWD, folders[0])
            self._attach(tree, target)
        else:
            tree = mount.filesystem("tmpfs", {"source": "cgroup", "mode": "755", "size": "64k"})
            self._attach(tree, target)
            for folder in folders:
                self._hierarchy(tree, folder)
        sealed = _SEALED if "ro" in entry.get("options", []) else _SEALED & ~mount.MOUNT_ATTR_RDONLY
        mount.set_attributes(tree, sealed, recursive=True)
        os.close(tree)

    def _hierarchy(self, above: int, folder: str) -> None:
        name = os.path.basename(_mount_point(folder))
        os.mkdir(name, 0o555, dir_fd=above)
        for controller in name.split(",") if "," in name else ():
            os.symlink(name, controller, dir_fd=above)
        tree = mount.clone_tree(syscalls.AT_FDCWD, folder)
        self._attach(tree, os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=above))
        os.close(tree)

    def _attach(self, tree: int, target: int) -> None:
        try:
            mount.attach(tree, target)
        finally:
            os.close(target)

    # Hiding and protecting.

    def _mask(self, path: str) -> None:
        target = self._find(path)
        if target < 0:
            return
        if stat.S_ISDIR(os.fstat(target).st_mode):
            if self._empty < 0:
                self._empty = tree = mount.filesystem("tmpfs", {"source": "tmpfs", "nr_inodes": "1"}, _SEALED)
            else:
                tree = mount.clone_tree(self._empty)
        else:
            # The host's own node, which no image can have put a link in the place of; read-only, as its mode
            # and owner are the host's too.
            tree = mount.clone_tree(syscalls.AT_FDCWD, "/dev/null")
            mount.set_attributes(tree, _SEALED & ~mount.MOUNT_ATTR_NODEV)
        self._attach(tree, target)
        if tree != self._empty:
            os.close(tree)

    def _protect(self, path: str) -> None:
        target = self._find(path)
        if target >= 0:
            tree = mount.clone_tree(target, recursive=True)
            mount.set_attributes(tree, mount.MOUNT_ATTR_RDONLY, recursive=True)
            self._attach(tree, target)
            os.close(tree)

    def _find(self, path: str) -> int:
        """What is at `path`, or -1; a link in its place would protect something else, so it is refused."""
        try:
            return paths.open_in_root(self.fd, path, os.O_PATH, resolve=paths.RESOLVE_NO_SYMLINKS)
        except (FileNotFoundError, NotADirectoryError):
            return -1

    # Places, made where they are missing.

    def _folder(self, path: str, resolve: int = 0) -> int:
        return self._place(path, os.O_PATH | os.O_DIRECTORY, resolve)

    def _file(self, path: str) -> int:
        return self._place(path, os.O_PATH, 0)

    def _place(self, path: str, flags: int, resolve: int, links: int = 40) -> int:
        try:
            return paths.open_in_root(self.fd, path, flags, resolve=resolve)
        except FileNotFoundError:
            pass
        parent, name = _split(path)
        above = self._place(parent, os.O_PATH | os.O_DIRECTORY, resolve, links)
        try:
            if flags & os.O_DIRECTORY:
                os.mkdir(name, 0o755, dir_fd=above)
            else:
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=above))
        except FileExistsError:
            # A link to what is missing, as /etc/resolv.conf often is: make what it leads to, inside the root.
            if not links:
                raise
            path = os.path.join(parent, os.readlink(name, dir_fd=above))
            return self._place(path, flags, resolve, links - 1)
        finally:
            os.close(above)
        return paths.open_in_root(self.fd, path, flags, resolve=resolve)


_SEALED = mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NODEV | mount.MOUNT_ATTR_NOEXEC


def _split(path: str) -> tuple[str, str]:
    parent, name = os.path.split(path.rstrip("/"))
    if name in ("", ".", ".."):
        raise Failed(f"{path!r} is not a place for a mount")
    return parent or "/", name


def _parse(options: list[str]) -> tuple[int, int, dict[str, str | None]]:
    """Mount options as (attributes to add, to remove, what the file system itself is told)."""
    add = remove = 0
    data: dict[str, str | None] = {}
    for option in options:
        if option in FLAGS:
            add |= FLAGS[option][0]
            remove |= FLAGS[option][1]
        elif option not in BINDS and option not in PROPAGATION:
            key, equals, value = option.partition("=")
            data[key] = value if equals else None
    return add & ~remove, remove, data


def mount_overlay(overlay: dict[str, Any], folder: str) -> None:
    """Mount the layers on `folder`, their paths given as descriptors.

    mount(2) takes one page of options, so many layers need short names; and the container's mountinfo shows
    these options. /proc/self/fd as working folder makes every layer's name its descriptor's number.
    """
    opened = [os.open(p, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for p in overlay["lower"]]
    upper, work = (os.open(overlay[k], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for k in ("upper", "work"))
    lower = ":".join(map(str, opened))
    options = f"lowerdir={lower},upperdir={upper},workdir={work},index=off,redirect_dir=off,metacopy=off"
    os.chdir("/proc/self/fd")
    # Device nodes in an image or made by a program are not devices; the real ones are in /dev.
    mount.mount_with_options("overlay", folder, MS_NODEV, options)
    os.chdir("/")
    for fd in (*opened, upper, work):
        os.close(fd)


def mount_lowers(layers: list[str], folder: str) -> None:
    """Mount two or more layers on `folder`, read-only, the topmost first; as `mount_overlay` does."""
    opened = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in layers]
    options = f"lowerdir={':'.join(map(str, opened))},index=off,redirect_dir=off,metacopy=off"
    os.chdir("/proc/self/fd")
    mount.mount_with_options("overlay", folder, MS_NODEV | MS_RDONLY, options)
    os.chdir("/")
    for fd in opened:
        os.close(fd)


def _mount_point(folder: str) -> str:
    """The mount that a cgroup's folder is in."""
    device = os.stat(folder).st_dev
    while os.stat(os.path.dirname(folder)).st_dev == device:
        folder = os.path.dirname(folder)
    return folder
