"""A container's private layer: what a badly behaved program does stays in it, and can be taken back."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from roots import busybox_tar

from engine.client import EngineClient
from engine.errors import BadRequest, Conflict, NotFound, Unsupported
from engine.instance import Instance
from engine.model import ContainerConfig

pytestmark = pytest.mark.system

SETUP = """
set -e
echo 'broken=1' > /etc/passwd
echo evil > /etc/evil
rm /bin/stat
rm -r /tmp
"""


@pytest.fixture
def image(client: EngineClient, tmp_path: Path) -> str:
    """A small image."""
    (tmp_path / "root.tar").write_bytes(busybox_tar())
    client.image_import(tmp_path / "root.tar", "small")
    return "small"


def ran(client: EngineClient, name: str, code: str, image: str = "small") -> None:
    """Run a shell script in a new container to its end."""
    client.run(ContainerConfig(image=image, command=["sh", "-c", code], network="none"), name)
    assert client.wait(name).exit_code == 0, [line.text for line in client.logs(name)]


def changed(client: EngineClient, name: str) -> dict[str, str]:
    return {change.path: change.kind for change in client.diff(name)}


def test_a_bad_setup_harms_itself_alone_and_reset_brings_it_back(client: EngineClient, image: str) -> None:
    hosts = Path("/etc/passwd").read_bytes()
    ran(client, "bad", SETUP)
    ran(
        client, "other", "[ -x /bin/stat ] && [ -d /tmp ] && grep -q ^root: /etc/passwd && [ ! -e /etc/evil ]"
    )
    assert Path("/etc/passwd").read_bytes() == hosts
    assert not Path("/etc/evil").exists()
    assert changed(client, "other") == {}
    assert changed(client, "bad") == {
        "/bin": "modified",
        "/bin/stat": "deleted",
        "/etc": "modified",
        "/etc/evil": "added",
        "/etc/passwd": "modified",
        "/tmp": "deleted",
    }
    one = client.change("bad", "/etc/passwd")
    assert one.before is not None
    assert one.after is not None
    assert (one.before.text or "").startswith("root:")
    assert one.after.text == "broken=1\n"
    began = time.monotonic()
    client.reset("bad")
    assert time.monotonic() - began < 10  # 0.02 s on an idle machine
    assert changed(client, "bad") == {}
    client.start("bad")
    assert client.wait("bad").exit_code == 0
    assert "/etc/evil" in changed(client, "bad")


def test_a_running_container_is_reset_only_where_it_may_restart(client: EngineClient, image: str) -> None:
    code = "echo x >> /tmp/runs; exec sleep 1000"
    client.run(ContainerConfig(image=image, command=["sh", "-c", code], network="none"), "busy")
    with pytest.raises(Conflict, match="in use"):
        client.reset("busy")
    pid = client.inspect("busy")["State"]["Pid"]
    client.reset("busy", restart=True, grace=0)
    state = client.inspect("busy")["State"]
    assert state["Running"]
    assert state["Pid"] != pid


def test_snapshots_are_kept_rolled_back_to_and_forgotten(client: EngineClient, image: str) -> None:
    ran(client, "web", "echo one > /etc/one; rm /etc/group; mkdir /d; ln /etc/one /d/two")
    before = client.diff("web")
    made = client.snapshot_create("web", "good", note="as it should be")
    assert (made.size, made.note) == (4, "as it should be")  # hard links once
    client.reset("web")
    assert client.diff("web") == []
    assert client.rollback("web").name == "good"
    assert client.diff("web") == before
    assert client.snapshot_create("web").name == "2"
    assert [one.name for one in client.snapshots("web")] == ["good", "2"]
    with pytest.raises(Conflict, match="already"):
        client.snapshot_create("web", "good")
    for name in ("../evil", ".new-x", "a b"):
        with pytest.raises(BadRequest, match="name"):
            client.snapshot_create("web", name)
    client.snapshot_remove("web", "good")
    with pytest.raises(NotFound, match="no snapshot 'good'"):
        client.rollback("web", "good")
    [use] = client.disk_use().containers
    assert use.private > 0
    assert use.snapshots > 0


def test_an_interrupted_rollback_is_ended_by_the_next_engine(
    client: EngineClient, instance: Instance, image: str
) -> None:
    ran(client, "web", "echo one > /etc/one")
    before = client.diff("web")
    folder = instance.container(client.inspect("web")["Id"])
    client.shutdown()
    for moved, kept in ((".old-upper", None), (".new-upper", "old")):
        # The two moments between which the layer has no name: with and without the new one in place of it.
        (folder / "upper").rename(folder / moved)
        if kept:
            (folder / ".old-upper").mkdir()
        again = EngineClient.connect(instance)
        assert again.diff("web") == before
        assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []
        again.shutdown()


def test_a_commit_is_an_image_to_run_and_the_same_twice(client: EngineClient, image: str) -> None:
    ran(client, "made", "echo hello > /etc/greeting; rm /bin/wc")
    asked = {
        "changes": ['CMD ["cat", "/etc/greeting"]', "ENV A=b C='d e'", "LABEL x=y"],
        "epoch": 1_000_000.0,
    }
    first = client.commit("made", "mine", message="greets", author="me", **asked)
    assert client.commit("made", "again:1", message="greets", author="me", **asked).id == first.id
    assert first.config.command == ["cat", "/etc/greeting"]
    assert first.config.env[1:] == ["A=b", "C=d e"]
    assert first.created_at == 1_000_000
    assert first.shared > first.size - first.shared
    client.run(ContainerConfig(image="mine", network="none"), "new")
    assert client.wait("new").exit_code == 0
    assert [line.text for line in client.logs("new")] == ["hello"]
    steps = client.image_history("mine")
    assert [(step.comment, bool(step.layer)) for step in steps] == [
        ("greets", True),
        ("a root file system", True),
    ]
    assert client.images_verify().problems == []
    with pytest.raises(BadRequest, match="RUN is no instruction"):
        client.commit("made", changes=["RUN rm -rf /"])
    client.run(ContainerConfig(image="host", command=["true"], network="none"), "machine")
    with pytest.raises(Unsupported, match="this machine itself"):
        client.commit("machine", "machine")


def test_export_is_the_whole_root_without_what_is_mounted(client: EngineClient, image: str) -> None:
    config = ContainerConfig(
        image=image, command=["sh", "-c", "echo x > /etc/x; exec sleep 1000"], network="none"
    )
    client.run(config, "web")
    while "/etc/x" not in changed(client, "web"):
        pass
    with tarfile.open(fileobj=io.BytesIO(b"".join(client.export("web")))) as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
    assert {"bin/busybox", "etc/x", "etc/passwd"} <= names
    assert not any(name.startswith(("proc/", "sys/", "dev/")) for name in names)


def test_binary_large_and_missing_sides_of_a_change_are_told_apart(client: EngineClient, image: str) -> None:
    ran(
        client,
        "odd",
        "printf 'a\\000b' > /etc/binary; head -c 300000 /bin/busybox > /etc/large; rm /etc/group; ln -s /x /etc/link;"
        "i=0; while [ $i -lt 40000 ]; do echo line-$i; i=$((i+1)); done > /etc/text",
    )
    binary, link = client.change("odd", "/etc/binary").after, client.change("odd", "/etc/link").after
    text, gone = client.change("odd", "/etc/text").after, client.change("odd", "/etc/group")
    assert binary is not None
    assert (binary.binary, binary.text, binary.size) == (True, None, 3)
    assert text is not None
    assert text.cut
    assert len(text.text or "") == 256 << 10
    assert link is not None
    assert (link.kind, link.text) == ("link", "/x")
    assert gone.after is None
    assert gone.before is not None
    for path in ("/nowhere", "/etc/../etc/passwd/x", "/../../etc/shadow"):
        with pytest.raises(NotFound):
            client.change("odd", path)


def test_prune_leaves_what_is_in_use(client: EngineClient, image: str) -> None:
    ran(client, "made", "echo 1 > /one")
    client.commit("made", "spare")
    client.commit("made", "spare", message="takes the name away")
    nameless = [one for one in client.images() if not one.names]
    assert len(nameless) == 1
    planned = client.prune(dry=True)
    assert planned.images == [nameless[0].id]
    assert client.prune() == planned
    assert planned.reclaimed > 0
    client.remove("made")
    ran(client, "user", "true", "spare")
    assert client.prune(all_images=True).images == ["small:latest"]
    assert [one.names for one in client.images()] == [["host:latest"], ["spare:latest"]]
    everything = client.prune(all_images=True, containers=True)
    assert (everything.containers, everything.images) == (["user"], ["spare:latest"])
    assert client.images_verify().blobs == 0


def test_dockers_client_sees_history_tags_and_commits(
    client: EngineClient, instance: Instance, image: str, tmp_path: Path
) -> None:
    ran(client, "made", "echo 1 > /one")

    def docker(*words: str) -> str:
        done = subprocess.run(
            ["docker", "-H", f"unix://{instance.socket}", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    id = docker("commit", "-m", "by docker", "-c", "CMD true", "made", "theirs:2").strip()
    assert client.image("theirs:2").id == id
    docker("tag", "theirs:2", "theirs:3")
    assert client.image("theirs:3").id == id
    assert docker("history", "--format", "{{.Comment}}", "theirs:3").split("\n")[0] == "by docker"
    assert "SIZE" in docker("system", "df")
    docker("export", "-o", str(tmp_path / "out.tar"), "made")
    with tarfile.open(tmp_path / "out.tar") as tar:
        names = tar.getnames()
    assert "one" in {name.removeprefix("./") for name in names}
