"""Without root tiffin starts, watches what it may read, and says what needs root and why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.instance import Instance

pytestmark = pytest.mark.system

PROJECT = Path(__file__).parents[2]


def tiffin(instance: Instance, *words: str) -> subprocess.CompletedProcess[str]:
    """A command whose user is 1000, in a user namespace that gives it no power outside."""
    return subprocess.run(
        ["unshare", "--user", "--map-user=1000", "--", sys.executable, "-m", "tui.cli", *words],
        env={**os.environ, "TIFFIN_ROOT": str(instance.root), "PYTHONPATH": str(PROJECT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_watches_and_says_what_needs_root(instance: Instance) -> None:
    try:
        assert tiffin(instance, "ps", "-q").stdout == ""
        refused = tiffin(instance, "run", "host", "true")
        assert refused.returncode == 125
        assert "this engine runs as user 1000" in refused.stderr
        assert "run tiffin as root" in refused.stderr
        report = json.loads(tiffin(instance, "doctor", "--json").stdout)
        assert report["root"] is False
        assert "root" in {check["name"] for check in report["checks"] if check["verdict"] == "limited"}
        host = json.loads(tiffin(instance, "stats", "--once", "--json").stdout)
        assert host == []
        assert tiffin(instance, "ps", "-aq").stdout == ""  # nothing was half-made
    finally:
        assert tiffin(instance, "engine", "stop").returncode == 0
