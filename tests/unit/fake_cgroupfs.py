"""Made-up cgroup trees in a folder: what detection, readers and controllers see of hosts not at hand."""

from __future__ import annotations

from pathlib import Path

V1_ONLY = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio
35 31 0:32 / /sys/fs/cgroup/my\\040memory rw - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
"""
V2_ONLY = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
"""
HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct
34 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
35 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


def host(root: Path, mountinfo: str, controllers: str = "", release: str = "6.1.0-13-amd64") -> Path:
    """A host of these mounts; `controllers` are those of its v2 tree."""
    write(root, {"proc/self/mountinfo": mountinfo, "proc/sys/kernel/osrelease": release})
    for line in mountinfo.splitlines():
        if " - cgroup2 " in line:
            write(root / line.split()[4].lstrip("/"), {"cgroup.controllers": controllers})
    return root


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files, each with its line end."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.rstrip("\n") + "\n")
