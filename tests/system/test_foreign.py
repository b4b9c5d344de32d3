"""Acting on a cgroup that is not tiffin's, one that the test makes itself; and putting it back whatever happens."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import eventually, tiffin_at

from engine.cgroups import Cgroup, Hierarchy, detect
from engine.client import EngineClient
from engine.errors import BadRequest, Conflict, NotFound, NotPermitted, TiffinError, Unsupported
from engine.instance import Instance
from engine.model import LimitReading, LimitsChange

pytestmark = pytest.mark.system


class Theirs:
    """A cgroup in every hierarchy, with a busy process in it, made without tiffin."""

    def __init__(self, hierarchy: Hierarchy, name: str) -> None:
        self.name = name
        self.path = f"/{name}"
        self.id = f"cgroup:/{name}"
        self.hierarchy = hierarchy
        self.folders = hierarchy.folders(name)
        for folder in self.folders:
            os.mkdir(folder)
            if hierarchy.unified and folder.startswith(hierarchy.unified):
                for controller in ("cpu", "memory", "io", "pids"):
                    with contextlib.suppress(OSError):
                        Path(hierarchy.unified, "cgroup.subtree_control").write_text(f"+{controller}")
        for file in ("cpuset.cpus", "cpuset.mems"):  # v1 takes no process without
            for folder in self.folders:
                if Path(folder, file).exists() and not Path(folder, file).read_text().strip():
                    with contextlib.suppress(OSError):
                        Path(folder, file).write_text(Path(folder).parent.joinpath(file).read_text())
        self.process = subprocess.Popen(["sh", "-c", "while :; do :; done"])
        for folder in self.folders:
            Path(folder, "cgroup.procs").write_text(str(self.process.pid))

    def value(self, controller: str, v1: str, v2: str) -> str:
        """What the kernel has in a file."""
        place = self.hierarchy.place(controller, self.name)
        assert place is not None
        return Path(place.folder, v1 if place.version == 1 else v2).read_text().strip()

    def put(self, controller: str, v1: str, v2: str, value: str) -> None:
        """Write a file as somebody else would."""
        place = self.hierarchy.place(controller, self.name)
        assert place is not None
        Path(place.folder, v1 if place.version == 1 else v2).write_text(value)

    @property
    def cgroup(self) -> Cgroup:
        return Cgroup(self.hierarchy, self.name, all_devices=True)

    def remove(self) -> None:
        """The process and the cgroups."""
        with contextlib.suppress(TiffinError):
            self.cgroup.thaw()
        self.process.kill()
        self.process.wait()
        self.cgroup.remove()


@pytest.fixture
def theirs() -> Iterator[Theirs]:
    theirs = Theirs(detect(), f"foreign-{secrets.token_hex(4)}")
    try:
        yield theirs
    finally:
        theirs.remove()


def known(client: EngineClient, theirs: Theirs) -> None:
    """Wait until the engine has seen it."""

    def seen() -> bool:
        with contextlib.suppress(NotFound):
            return client.group(theirs.path).pid == theirs.process.pid
        return False

    eventually(seen, "the cgroup is in the tree")


def test_it_is_in_the_tree_with_what_it_uses(client: EngineClient, theirs: Theirs) -> None:
    known(client, theirs)
    group = client.group(theirs.name)
    assert (group.id, group.path, group.kind, group.own) == (theirs.id, theirs.path, "group", False)
    assert (group.command, group.processes) == ("sh", 1)

    def busy() -> bool:
        sample = client.groups().samples.get(theirs.id)
        return sample is not None and (sample.cpu or 0) > 0.05

    eventually(busy, "its CPU use is shown")
    snapshots = client.groups_live()
    first, second = next(snapshots), next(snapshots)
    assert theirs.id in second.samples
    assert second.seq > first.seq
    assert [process.pid for process in client.group_top(theirs.id)] == [theirs.process.pid]
    eventually(lambda: any(client.history(theirs.id, 30).fields["cpu"]), "it has a history")


def test_nothing_without_a_consent_that_names_it(client: EngineClient, theirs: Theirs) -> None:
    known(client, theirs)
    for consent in ("", "/", "yes", f"{theirs.path}x"):
        with pytest.raises(BadRequest, match="not tiffin's"):
            client.group_update(theirs.id, LimitsChange(cpus=0.5), consent)
        with pytest.raises(BadRequest, match="not tiffin's"):
            client.group_freeze(theirs.id, consent)
    assert client.group_changes() == []
    assert not theirs.cgroup.frozen()


def test_limits_are_taken_undone_and_put_back_to_the_letter(client: EngineClient, theirs: Theirs) -> None:
    theirs.put("cpu", "cpu.shares", "cpu.weight", "777")  # v1: no whole weight
    theirs.put("pids", "pids.max", "pids.max", "4000")
    weight, quota = (
        theirs.value("cpu", "cpu.shares", "cpu.weight"),
        theirs.value("cpu", "cpu.cfs_quota_us", "cpu.max"),
    )
    known(client, theirs)
    change = LimitsChange(cpus=0.5, cpu_weight=33, memory=256 << 20, pids=50)
    applied = client.group_update(theirs.id, change, theirs.path)
    assert (applied.before.cpus, applied.before.pids) == (None, 4000)
    assert (applied.after.cpus, applied.after.cpu_weight, applied.after.pids) == (0.5, 33, 50)
    assert applied.after.memory == 256 << 20
    assert theirs.value("pids", "pids.max", "pids.max") == "50"
    readings = {one.name: one for one in client.group_limits(theirs.id)}
    assert isinstance(readings["cpus"], LimitReading)
    assert readings["cpus"].value == 0.5

    client.group_update(theirs.id, LimitsChange(pids=20), theirs.path)
    assert client.group_undo(theirs.id).after.pids == 50
    [changed] = client.group_changes()
    assert (changed.path, changed.before.pids, changed.after.pids, changed.undo_left) == (
        theirs.path,
        4000,
        50,
        1,
    )
    eventually(lambda: client.group(theirs.id).changed, "it is marked as changed")

    [back] = client.group_put_back()
    assert (back.path, back.problem, back.after.pids) == (theirs.path, "", 4000)
    assert theirs.value("cpu", "cpu.shares", "cpu.weight") == weight
    assert theirs.value("cpu", "cpu.cfs_quota_us", "cpu.max") == quota
    assert theirs.value("pids", "pids.max", "pids.max") == "4000"
    assert client.group_changes() == []
    told = [
        event
        for event in client.events(since=1, until=time.time())
        if event.id == theirs.id and "stall" not in event.action
    ]
    assert [event.action for event in told] == ["update", "update", "undo", "put-back"]
    assert told[0].attributes["pids"] == "4000 → 50"
    assert told[0].id == theirs.id


def test_what_cannot_be_set_is_refused_whole(client: EngineClient, theirs: Theirs) -> None:
    known(client, theirs)
    for change in (LimitsChange(cpus=-1), LimitsChange(pids=10, memory=1), LimitsChange(cpuset="999999")):
        with pytest.raises((BadRequest, Unsupported)):
            client.group_update(theirs.id, change, theirs.path)
    assert theirs.value("pids", "pids.max", "pids.max") == "max"
    assert client.group_changes() == []
    with pytest.raises(Conflict):
        client.group_undo(theirs.id)


def test_freezing_and_thawing(client: EngineClient, theirs: Theirs) -> None:
    known(client, theirs)
    assert client.group_freeze(theirs.id, theirs.path).frozen
    assert theirs.cgroup.frozen()
    with pytest.raises(Conflict, match="frozen already"):
        client.group_freeze(theirs.id, theirs.path)
    eventually(lambda: client.group(theirs.id).frozen, "it is shown as frozen")
    done = client.group_thaw(theirs.id, theirs.path)
    assert (done.was_frozen, done.frozen) == (True, False)
    assert not theirs.cgroup.frozen()
    assert client.group_changes() == []  # it is as it was
    with pytest.raises(Conflict, match="not frozen"):
        client.group_thaw(theirs.id, theirs.path)


def test_what_would_stop_the_machine_tiffin_or_the_one_who_asks_is_refused(
    client: EngineClient, theirs: Theirs, instance: Instance
) -> None:
    known(client, theirs)
    with pytest.raises(NotPermitted, match="whole machine"):
        client.group_freeze("/", "/")
    own = f"/{instance.cgroup}"
    for path in (own, f"{own}/engine"):
        with pytest.raises(NotPermitted, match="tiffin's own"):
            client.group_freeze(path, path)
        with pytest.raises(NotPermitted, match="tiffin's own"):
            client.group_update(path, LimitsChange(cpus=0.1), path)
    # A child of this process that lives in their cgroup asks to freeze it.
    script = (
        "import os, sys\n"
        f"for folder in {theirs.folders!r}: open(folder + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "from engine.client import EngineClient\nfrom engine.instance import find\n"
        f"client = EngineClient(find({str(instance.root)!r}))\n"
        f"try: client.group_freeze({theirs.id!r}, {theirs.path!r})\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=_python(), check=False
    )
    assert "your own python" in done.stdout, done.stdout + done.stderr
    assert not theirs.cgroup.frozen()


def test_a_killed_engine_knows_what_it_changed_and_puts_it_back(
    client: EngineClient, theirs: Theirs, instance: Instance
) -> None:
    known(client, theirs)
    client.group_update(theirs.id, LimitsChange(pids=50), theirs.path)
    client.group_freeze(theirs.id, theirs.path)
    engine = os.pidfd_open(client.status().pid)
    signal.pidfd_send_signal(engine, signal.SIGKILL)
    select.select([engine], [], [])
    os.close(engine)
    client = EngineClient.connect(instance)
    [changed] = client.group_changes()
    assert (changed.path, changed.frozen, changed.before.pids, changed.after.pids) == (
        theirs.path,
        True,
        None,
        50,
    )
    assert [one.problem for one in client.group_put_back(theirs.path)] == [""]
    assert not theirs.cgroup.frozen()
    assert theirs.value("pids", "pids.max", "pids.max") == "max"


def test_one_that_ended_takes_its_changes_with_it(client: EngineClient, theirs: Theirs) -> None:
    known(client, theirs)
    client.group_update(theirs.id, LimitsChange(pids=50), theirs.path)
    theirs.process.kill()
    theirs.process.wait()
    theirs.cgroup.remove()
    assert client.group_changes() == []
    for folder in theirs.folders:  # another of the same name is not what was changed
        os.mkdir(folder)
    assert client.group_put_back() == []

    def gone() -> bool:
        return theirs.id not in {group.id for group in client.groups().groups if group.processes}

    eventually(gone, "it has left the tree")


def test_the_verbs_ask_and_name_it(tmp_path: Path, theirs: Theirs) -> None:
    with tiffin_at(tmp_path / "tiffin") as tiffin:
        eventually(lambda: theirs.path in tiffin("tree", "--flat"), "it is in the tree")
        denied = tiffin.process("groups", "freeze", theirs.name)
        assert denied.returncode == 1
        assert f"({theirs.path})" in denied.stderr.decode()
        assert b"--yes" in denied.stderr
        asked = tiffin.terminal("groups", "freeze", theirs.name)
        asked.expect_exact("Freeze the cgroup")
        asked.expect_exact(theirs.path)
        asked.sendline("n")
        asked.expect_exact("nothing was changed")
        asked.wait()
        assert not theirs.cgroup.frozen()
        assert "frozen" in tiffin("groups", "freeze", "--yes", theirs.name)
        assert theirs.cgroup.frozen()
        assert "frozen" in tiffin("groups", "changes")
        assert "thawed" in tiffin("groups", "put-back", "--all")
        assert not theirs.cgroup.frozen()
        assert "pids ∞ → 40" in tiffin("groups", "update", "-y", "--pids-limit", "40", theirs.path)
        assert "pids 40 → ∞" in tiffin("groups", "undo", theirs.id)
        assert "no cgroup" in tiffin.process("groups", "limits", "nosuch").stderr.decode()
        assert "whole machine" in tiffin.process("groups", "freeze", "-y", "/").stderr.decode()
        assert tiffin("groups", "update", "-y", theirs.path, status=125) == ""
        [usage] = [one for one in tiffin.json("tree", "--json") if one["group"]["path"] == theirs.path]
        assert usage["group"]["processes"] == 1


def _python() -> dict[str, str]:
    project = str(Path(__file__).parents[2])
    packages = [path for path in sys.path if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([project, *packages])}
