"""A tar stream from a stranger, put into a folder without ever leaving it.

Every path is resolved by openat2(RESOLVE_IN_ROOT) below the folder's descriptor, every last component is
acted on relative to its parent's descriptor and never followed. So neither the archive nor somebody who
renames things meanwhile (a running container) can lead a write out. For single-threaded workers only: setting
an extended attribute of a symbolic link takes the process's working directory, and modes its umask.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping

from engine.errors import BadRequest, KernelError
from engine.kernel.paths import open_in_root, remove_tree
from engine.rootfs.tar import Input, Member, Reader

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
OPAQUE_XATTR = "trusted.overlay.opaque"
NOBODY = 2**32 - 1  # chown takes it for "leave as it is"

_FOLDER = os.O_PATH | os.O_DIRECTORY
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_XATTRS = (errno.EOPNOTSUPP, errno.EPERM)  # the file system has none, or none on this type of file


class TooLarge(BadRequest):
    """The archive unpacks to more than was allowed."""


def kept_xattr(name: str) -> bool:
    """Whether an extended attribute travels in archives: the user's, file capabilities and ACLs.

    Never overlayfs's own (`trusted.overlay.*`, `user.overlay.*`): in an upper or lower layer they redirect
    a path to any other.
    """
    if name.startswith("user."):
        return not name.startswith("user.overlay.")
    return name in ("security.capability", "system.posix_acl_access", "system.posix_acl_default")


def unpack(
    stream: Input,
    dirfd: int,
    *,
    whiteouts: bool,
    limit: int | None = None,
    implied: set[str] | None = None,
) -> int:
    """Put the members of an uncompressed tar stream below the folder `dirfd`; returns their bytes of content.

    With `whiteouts` the folder is to become an overlay layer: `.wh.` members turn into overlayfs's whiteouts
    and opaque folders, and a member replaces whatever an earlier one left in its place. Device nodes are made,
    which no container can open: its root is mounted `nodev`. Without, a folder and something else never
    replace each other, and device nodes are left out. `implied` is given the folders that members are in and
    that no member describes. `limit` is in bytes, each member counting 512 besides its content. Raises
    BadRequest (TooLarge beyond the limit) and KernelError.
    """
    unpacker = _Unpacker(dirfd, whiteouts)
    reader = Reader(stream)
    total = spent = 0
    umask = os.umask(0)
    try:
        for member in reader:
            total += member.size
            spent += 512 + member.size
            if limit is not None and spent > limit:
                raise TooLarge(f"unpacking the archive: it holds more than {limit} bytes")
            try:
                unpacker.put(member, reader)
            except OSError as e:
                if e.errno is None:  # not the kernel's: the decompressor's
                    raise
                remedy = "free some space there" if e.errno in (errno.ENOSPC, errno.EDQUOT) else ""
                raise KernelError.of(f"unpacking {member.name!r}", e, remedy) from e
        unpacker.finish()
        if implied is not None:
            implied |= unpacker.implied
    finally:
        os.umask(umask)
        unpacker.close()
    return total


class _Unpacker:
    def __init__(self, root: int, whiteouts: bool) -> None:
        self._root = root
        self._whiteouts = whiteouts
        self._parent: tuple[str, int] | None = None  # the last one, opened: the next is often the same
        self.implied: set[str] = set()  # folders made because something is in them
        self._folders: dict[str, int] = {}  # mtimes, set last because filling a folder changes its own

    def put(self, member: Member, reader: Reader) -> None:
        path = _inner(member.name, member.name)
        if not path:
            if member.kind == "dir" and self._whiteouts:  # copying into a folder does not change itself
                self._folder_metadata(os.dup(self._root), "", member)
            return
        folder, _, name = path.rpartition("/")
        if self._whiteouts and name.startswith(WHITEOUT):
            self._white_out(folder, name, member)
            return
        if member.kind in ("char", "block") and (not self._whiteouts or member.device == (0, 0)):
            return  # 0:0 would be a whiteout, which has another form in archives
        parent = self._open_parent(folder)
        if member.kind == "dir":
            self._folder_metadata(self._make_folder(parent, name), path, member)
            self.implied.discard(path)
            return
        self._clear(parent, name, path)
        if member.kind == "file":
            fd = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
            try:
                for offset, piece in reader.content():
                    _write(fd, piece, offset)
                os.ftruncate(fd, member.size)
                _metadata(fd, member)
            finally:
                os.close(fd)
        elif member.kind == "link":
            self._link(member, parent, name)
        else:
            self._special(member, parent, name)

    def finish(self) -> None:
        """Set the folders' times, now that nothing more is put into them."""
        for path, mtime in self._folders.items():
            try:
                fd = open_in_root(self._root, path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError:  # replaced by a later member, or by the container
                continue
            try:
                os.utime(fd, ns=(mtime, mtime))
            finally:
                os.close(fd)

    def close(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None

    def _open_parent(self, folder: str) -> int:
        if self._parent is not None:
            if self._parent[0] == folder:
                return self._parent[1]
            self.close()
        try:
            fd = open_in_root(self._root, folder or ".", _FOLDER)
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            fd = self._make_parents(folder)
        self._parent = (folder, fd)
        return fd

    def _make_parents(self, folder: str) -> int:
        """Open a folder after making what is missing of its path, as root's with mode 0755."""
        path = ""
        parent = os.dup(self._root)
        for name in folder.split("/"):
            path = f"{path}/{name}" if path else name
            try:
                try:
                    fd = open_in_root(self._root, path, _FOLDER)
                except OSError as e:
                    if e.errno not in (errno.ENOENT, errno.ENOTDIR):
                        raise
                    fd = self._make_folder(parent, name)
                    self.implied.add(path)
            finally:
                os.close(parent)
            parent = fd
        return parent

    def _make_folder(self, parent: int, name: str) -> int:
        """Open the folder `name`, made where it is missing; in a layer it replaces what is not one."""
        for _ in range(2):
            try:
                return os.open(name, _READ_FOLDER, dir_fd=parent)
            except FileNotFoundError:
                os.mkdir(name, 0o755, dir_fd=parent)
            except NotADirectoryError:
                opaque = self._is_whiteout(parent, name)  # it hides the folder of the same name below
                if not self._whiteouts:
                    raise BadRequest(
                        f"unpacking {name!r}: a folder cannot replace what is not one", "remove it first"
                    ) from None
                os.unlink(name, dir_fd=parent)
                os.mkdir(name, 0o755, dir_fd=parent)
                if opaque:
                    _make_opaque(parent, name)
        return os.open(name, _READ_FOLDER, dir_fd=parent)

    def _folder_metadata(self, fd: int, path: str, member: Member) -> None:
        try:
            _metadata(fd, member)
        finally:
            os.close(fd)
        self._folders[path] = _clamped(member.mtime_ns)

    def _clear(self, parent: int, name: str, path: str) -> None:
        """Take away what is in a member's place."""
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            if not self._whiteouts:
                raise BadRequest(
                    f"unpacking {path!r}: it cannot replace a folder", "remove the folder first"
                ) from None
            remove_tree(parent, name)

    def _link(self, member: Member, parent: int, name: str) -> None:
        source = _inner(member.target, member.name)
        folder, _, source_name = source.rpartition("/")
        if not source_name:
            raise BadRequest(
                f"unpacking {member.name!r}: it is a hard link to a folder", "make the archive anew"
            )
        fd = open_in_root(self._root, folder or ".", _FOLDER)
        try:
            if self._whiteouts and self._is_whiteout(fd, source_name):
                raise BadRequest(
                    f"unpacking {member.name!r}: it is a hard link to {source!r}, which this layer deletes",
                    "make the archive anew",
                )
            os.link(source_name, name, src_dir_fd=fd, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(fd)

    def _special(self, member: Member, parent: int, name: str) -> None:
        if member.kind == "symlink":
            os.symlink(member.target, name, dir_fd=parent)
        elif member.kind in ("char", "block"):
            major, minor = member.device
            if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):
                raise BadRequest(
                    f"unpacking {member.name!r}: {major}:{minor} is no device", "make the archive anew"
                )
            kind = stat.S_IFCHR if member.kind == "char" else stat.S_IFBLK
            os.mknod(name, kind | member.mode & 0o1777, os.makedev(major, minor), dir_fd=parent)
        else:
            # No chmod after it: that would follow a link put in its place meanwhile.
            os.mkfifo(name, member.mode & 0o1777, dir_fd=parent)
        os.chown(name, _owner(member.uid), _owner(member.gid), dir_fd=parent, follow_symlinks=False)
        if any(kept_xattr(key) for key in member.xattrs):
            os.fchdir(parent)
            _set_xattrs(name, member.xattrs)
        mtime = _clamped(member.mtime_ns)
        os.utime(name, ns=(mtime, mtime), dir_fd=parent, follow_symlinks=False)

    def _white_out(self, folder: str, name: str, member: Member) -> None:
        hidden = name[len(WHITEOUT) :]
        if name == OPAQUE:
            # On the layer's own root overlayfs ignores it: who stacks the layers has to end the stack there.
            _make_opaque(self._open_parent(folder), ".")
            return
        if hidden.startswith(WHITEOUT):  # aufs's own bookkeeping
            return
        if hidden in ("", ".", ".."):
            raise BadRequest(
                f"unpacking {member.name!r}: this whiteout hides nothing", "make the archive anew"
            )
        parent = self._open_parent(folder)
        try:
            os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
        except FileExistsError:
            # A whiteout hides what lower layers have, never what its own layer brings (image-spec, layer.md).
            if stat.S_ISDIR(os.stat(hidden, dir_fd=parent, follow_symlinks=False).st_mode):
                _make_opaque(parent, hidden)

    def _is_whiteout(self, parent: int, name: str) -> bool:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _make_opaque(parent: int, name: str) -> None:
    fd = os.open(name, _READ_FOLDER, dir_fd=parent)
    try:
        os.setxattr(fd, OPAQUE_XATTR, b"y")
    finally:
        os.close(fd)


def _inner(path: str, member: str) -> str:
    """A member's path without leading slash, empty or "." parts; `..` is refused."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadRequest(
            f"unpacking {member!r}: the path {path!r} leads upwards", "make the archive without `..`"
        )
    return "/".join(parts)


def _owner(id: int) -> int:
    if not 0 <= id < NOBODY:
        raise BadRequest(f"unpacking the archive: {id} is no user or group id", "make the archive anew")
    return id


def _clamped(mtime_ns: int) -> int:
    return max(-(2**62), min(mtime_ns, 2**62))


def _metadata(fd: int, member: Member) -> None:
    """Owner first: changing it clears setuid and capabilities; time last."""
    os.fchown(fd, _owner(member.uid), _owner(member.gid))
    os.fchmod(fd, member.mode)
    _set_xattrs(fd, member.xattrs)
    mtime = _clamped(member.mtime_ns)
    os.utime(fd, ns=(mtime, mtime))


def _set_xattrs(target: int | str, xattrs: Mapping[str, bytes]) -> None:
    for key, value in xattrs.items():
        if kept_xattr(key):
            try:
                if isinstance(target, int):
                    os.setxattr(target, key, value)
                else:
                    os.setxattr(target, key, value, follow_symlinks=False)
            except OSError as e:
                if e.errno not in _NO_XATTRS:
                    raise


def _write(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written
