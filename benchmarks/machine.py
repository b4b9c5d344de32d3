"""The machine the figures are from."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from engine.cgroups import detect

VERSIONS = {
    "crun": ["crun", "--version"],
    "runc": ["runc", "--version"],
    "docker": ["dockerd", "--version"],
}


def describe() -> str:
    """One paragraph: processor, memory, kernel, cgroups, load at the start, versions of the peers."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = found[1] if (found := re.search(r"model name\s*: (.*)", cpuinfo)) else platform.machine()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    peers = ", ".join(f"{name} {_version(words)}" for name, words in VERSIONS.items())
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB; Linux {platform.release()}; "
        f"cgroups {detect().mode}; Python {platform.python_version()}; {peers}; "
        f"load average when it began {os.getloadavg()[0]:.1f}."
    )


def _version(words: list[str]) -> str:
    if not shutil.which(words[0]):
        return "not installed"
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return found[0] if (found := re.search(r"\d+\.\d+[\w.+]*", told)) else "of unknown version"
