"""Recording a real engine with the commands a person uses, whatever happens to the recorder, and reading it back."""

from __future__ import annotations

import csv
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Tiffin, eventually, tiffin_at
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from engine.errors import TiffinError
from engine.recording import Recording

HOG = "while :; do :; done"
OOM = "sleep 1; tail /dev/zero"


@pytest.fixture
def tiffin(tmp_path: Path) -> Iterator[Tiffin]:
    with tiffin_at(tmp_path / "tiffin") as tool:
        yield tool


def frames(path: Path) -> int:
    """How many can be read now."""
    try:
        return len(Recording(path))
    except TiffinError:
        return 0


def actions(path: Path) -> list[str]:
    """What has happened, as far as it is in a frame."""
    try:
        return [event.action for frame in Recording(path).frames() for event in frame.events]
    except TiffinError:
        return []


def test_a_run_with_a_change_and_a_kill(tiffin: Tiffin, tmp_path: Path) -> None:
    path = tmp_path / "run.tiffin"
    tiffin("run", "-d", "--name", "hog", "host", "sh", "-c", HOG)
    with tiffin.begin("record", str(path)) as recorder:
        eventually(lambda: frames(path) >= 2, "two frames")
        tiffin("update", "--cpus", "0.2", "hog")
        tiffin("run", "-d", "--name", "eater", "--memory", "16m", "host", "sh", "-c", OOM)
        eventually(lambda: {"update", "oom"} <= set(actions(path)), "both events are recorded")
        recorder.process.kill()  # as hard as it gets
        recorder.process.wait()
    before = frames(path)
    assert before >= 2

    with tiffin.begin("record", str(path)) as recorder:  # the same file goes on
        eventually(lambda: frames(path) >= before + 2, "frames after the kill")
        recorder.process.terminate()
        _, told, status = recorder.end()
        assert status == 0
        assert "recorded" in told

    text = tiffin("replay", str(path), "--summary")
    assert "hog: cpus max → 0.2" in text
    assert "eater ran out of memory at 16M" in text
    worst = json.loads(tiffin("replay", str(path), "--summary", "--json"))["worst"]
    assert any(one["kind"] == "oom" and one["name"] == "eater" for one in worst)

    rows = list(csv.DictReader(tiffin("replay", str(path), "--csv").splitlines()))
    hog = [row for row in rows if row["name"] == "hog"]
    assert {"", "0.2"} <= {row["cpu_limit_cores"] for row in hog}
    assert all(0 <= float(row["cpu_cores"]) < 64 for row in hog if row["cpu_cores"])
    lines = tiffin("replay", str(path), "--json").splitlines()
    assert len(lines) == frames(path)
    assert {c["name"] for c in json.loads(lines[-1])["containers"]} == {"hog", "eater"}


def test_the_recorder_waits_for_an_engine_that_is_restarted(tiffin: Tiffin, tmp_path: Path) -> None:
    path = tmp_path / "r"
    with tiffin.begin("record", str(path)) as recorder:
        eventually(lambda: frames(path) >= 1, "a frame")
        before = frames(path)
        tiffin("engine", "stop")
        tiffin("engine", "start")
        eventually(lambda: frames(path) >= before + 2, "frames of the next engine")
        recorder.process.terminate()
        assert recorder.end()[2] == 0


REFUSED = (
    (("replay", "{tmp}/none"), "there is no recording"),
    (("replay", "/etc/hostname"), "is not a recording"),
    (("record", "/etc/hostname"), "is not a recording, and is left as it is"),
    (("record", "{tmp}/none/r"), "No such file or directory"),
    (("record", "--max-size", "1k", "{tmp}/r"), "a megabyte at least"),
    (("record", "--interval", "0", "{tmp}/r"), "not between a second and an hour"),
    (("replay", "--csv", "--json", "{tmp}/r"), "a format of its own"),
    (("metrics", "--listen", "here:there"), "not an address and a port"),
)


def test_what_cannot_be_is_said_in_a_sentence(tiffin: Tiffin, tmp_path: Path) -> None:
    for words, told in REFUSED:
        done = tiffin.process(*(word.format(tmp=tmp_path) for word in words))
        assert done.returncode != 0
        assert told in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()
        assert not (tmp_path / "r").exists()


def test_csv_of_now_has_the_same_columns(tiffin: Tiffin) -> None:
    tiffin("run", "-d", "--name", "one", "host", "sleep", "1000")
    (row,) = csv.DictReader(tiffin("stats", "--csv", "--once").splitlines())
    assert row["name"] == "one"
    assert int(row["memory_bytes"]) > 0


def test_metrics_are_served_on_loopback(tiffin: Tiffin) -> None:
    tiffin("run", "-d", "--name", "one", "host", "sleep", "1000")
    with tiffin.begin("metrics", "--listen", "0") as server:
        address = server.stderr.readline().split("serving ")[1].split(";")[0]
        assert address.startswith("http://127.0.0.1:")
        asked = urllib.request.Request(address, headers={"Accept": "application/openmetrics-text"})

        def scraped() -> set[str]:
            with urllib.request.urlopen(asked) as answer:
                assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
                found = text_string_to_metric_families(answer.read().decode())
                return {
                    s.labels.get("name", "")
                    for f in found
                    for s in f.samples
                    if f.name.endswith("cpu_seconds")
                }

        eventually(lambda: "one" in scraped(), "the container's metrics")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address.replace("/metrics", "/other"))
        tiffin("engine", "stop")
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(address)
