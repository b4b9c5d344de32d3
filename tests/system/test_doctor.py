"""What the doctor finds on this very host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.cgroups import detect
from engine.instance import find
from engine.model import Check, DoctorReport
from engine.watch.doctor import doctor

pytestmark = pytest.mark.system
PROJECT = Path(__file__).parents[2]


def by_name(report: DoctorReport) -> dict[str, Check]:
    return {check.name: check for check in report.checks}


def test_every_finding_is_told_once_and_what_lacks_has_its_price(tmp_path: Path) -> None:
    report = doctor(find(tmp_path))
    assert len(by_name(report)) == len(report.checks)
    for check in report.checks:
        assert check.found, check
        assert bool(check.cost) == (check.verdict != "ok"), check
    assert list(tmp_path.iterdir()) == []


def test_findings_agree_with_what_the_engine_detects(tmp_path: Path) -> None:
    report, hierarchy = doctor(find(tmp_path)), detect()
    assert report.cgroup_mode == hierarchy.mode
    assert report.kernel == os.uname().release
    found = by_name(report)
    for name in ("memory", "cpu", "cpuset", "io", "pids"):
        assert (found[f"{name} controller"].verdict == "missing") == (hierarchy.version(name) is None)
    pressure = Path("/proc/pressure/cpu").exists()
    assert (found["pressure (PSI)"].verdict == "ok") == (pressure and bool(hierarchy.unified))
    assert found["layers"].verdict == "ok"


def test_folder_that_cannot_hold_layers_is_told_by_trying(tmp_path: Path) -> None:
    report = by_name(doctor(find("/proc/self/nowhere")))  # on no file system where anything can be made
    assert report["layers"].verdict == "limited"
    assert "/proc" in report["layers"].found


def test_path_too_long_for_other_clients(tmp_path: Path) -> None:
    found = by_name(doctor(find(tmp_path / ("x" * 100))))
    assert found["socket"].verdict == "limited"


def test_other_rooms_findings_are_among_them(tmp_path: Path) -> None:
    theirs = Check(name="theirs", verdict="ok", found="something")
    assert doctor(find(tmp_path), [theirs]).checks[-1] == theirs


def test_without_root_all_but_trials_is_told() -> None:
    script = (
        "import os, sys, msgspec; from engine.watch.doctor import doctor; from engine.instance import find;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "sys.stdout.buffer.write(msgspec.json.encode(doctor(find('/nonexistent/root'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    report = msgspec.json.decode(done.stdout, type=DoctorReport)
    assert not report.root
    found = by_name(report)
    assert found["root"].verdict == "limited"
    assert "root" in found["root"].cost
    assert found["layers"].verdict == "limited"
