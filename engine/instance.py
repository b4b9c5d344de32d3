"""Which tiffin this is: where its data lives and what its kernel objects are called.

An instance owns everything under one root folder plus one cgroup, one bridge prefix and one firewall table,
all named after it, so that several live on one machine and none touches another's things.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from engine.errors import BadRequest


class Instance(msgspec.Struct, frozen=True):
    """One tiffin on this machine.

    `state` survives a reboot, `run` need not; `tag` is empty for the machine's default instance and eight hex
    digits for one chosen by a root folder.
    """

    state: Path
    run: Path
    config: Path
    tag: str = ""
    root: Path | None = None  # as given by --root, to hand on to child processes

    @property
    def cgroup(self) -> str:
        """Name of the instance's own cgroup directly below each hierarchy's base."""
        return f"tiffin-{self.tag}" if self.tag else "tiffin"

    @property
    def table(self) -> str:
        """Name of its nftables table (family inet)."""
        return f"tiffin_{self.tag}" if self.tag else "tiffin"

    @property
    def bridge(self) -> str:
        """Interface name of the default network's bridge; at most 15 bytes."""
        return f"tf{self.tag}" if self.tag else "tiffin0"

    @property
    def socket(self) -> Path:
        """The unix socket on which the engine serves HTTP."""
        return self.run / "engine.sock"

    @property
    def log(self) -> Path:
        """What the engine and the launcher print."""
        return self.state / "engine.log"

    def container(self, id: str) -> Path:
        """Folder of one container: its bundle, private layer, log and state."""
        return self.state / "containers" / id


def find(root: str | os.PathLike[str] | None = None) -> Instance:
    """The instance chosen by `root`, by TIFFIN_ROOT, or else the machine's (root) or the user's own.

    Raises BadRequest where the root folder is not usable as one.
    """
    chosen = root or os.environ.get("TIFFIN_ROOT")
    if chosen:
        folder = Path(os.path.abspath(chosen))  # noqa: PTH100 - links in it are kept as given
        try:
            usable = folder.is_dir() or not folder.exists()
        except PermissionError:
            raise BadRequest(f"{folder} is not readable", "give --root a folder of your own") from None
        if not usable:
            raise BadRequest(
                f"{folder} is not a folder", "give --root a folder, which may be missing or empty"
            )
        if any(c in str(folder) for c in ":,\\\n"):  # they separate overlay's mount options
            raise BadRequest(
                f"{str(folder)!r} has a character overlay mounts cannot take", "use a plain path"
            )
        tag = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
        return Instance(folder / "state", folder / "run", folder / "config", tag, folder)
    if os.geteuid() == 0:
        return Instance(Path("/var/lib/tiffin"), Path("/run/tiffin"), Path("/etc/tiffin"))
    import platformdirs

    return Instance(
        Path(platformdirs.user_data_dir("tiffin")),
        Path(platformdirs.user_runtime_dir("tiffin")),
        Path(platformdirs.user_config_dir("tiffin")),
        hashlib.sha256(f"uid{os.geteuid()}".encode()).hexdigest()[:8],
    )
