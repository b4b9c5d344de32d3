"""The real docker engine's containers in the host's tree, and acting on one of them.

dockerd runs in this process's own network namespace, with folders and a cgroup of its own, and goes with the test.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import eventually

from benchmarks.dockerd import Docker, missing
from engine.cgroups import detect
from engine.client import EngineClient
from engine.model import Group, LimitsChange

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
BUSYBOX = "/bin/busybox"


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[Docker]:
    """A daemon in a folder of a short name: the path of a socket has 107 bytes at most."""
    assert not missing(), "make test installs docker.io"
    archive = tmp_path / "root.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(BUSYBOX, "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    with tempfile.TemporaryDirectory(prefix="tfd-", ignore_cleanup_errors=True) as folder:
        docker = Docker(Path(folder) / "d", archive)
        try:
            yield docker
        finally:
            docker.close()


def found(client: EngineClient, id: str) -> Group:
    """The group of one of docker's containers, once it is known by its name."""
    group = next((group for group in client.groups().groups if group.ref == id), None)
    assert group is not None
    return group


def test_dockers_containers_by_name_and_acting_on_one(client: EngineClient, docker: Docker) -> None:
    busy = docker(
        "run", "-d", "--network", "none", "--name", "hog", "bench", "/bin/sh", "-c", "while :; do :; done"
    )
    calm = docker(
        "run", "-d", "--network", "none", "--name", "calm", "--memory", "64m", "bench", "/bin/sleep", "99999"
    )

    def named() -> bool:
        names = {group.ref: group.name for group in client.groups().groups if group.kind == "container"}
        return names.get(busy) == "hog" and names.get(calm) == "calm"

    eventually(named, "docker was asked for the names")
    eventually(lambda: found(client, busy).command == "sh", "its program is known, after runc's own")
    hog = found(client, busy)
    assert (hog.engine, hog.image, hog.own, hog.command) == ("docker", "bench", False, "sh")
    assert hog.path == f"/{docker.cgroup}/{busy}"

    def sampled() -> bool:
        samples = client.groups().samples
        one, other = samples.get(hog.id), samples.get(found(client, calm).id)
        if one is None or other is None or one.net_rx is None:
            return False
        return (one.cpu or 0) > 0.05 and (one.memory or 0) > 0 and other.memory_limit == 64 << 20

    if detect().version("memory"):
        eventually(sampled, "CPU, memory, limit and network are shown")

    assert client.group_freeze("hog", hog.path).frozen
    assert docker("inspect", "-f", "{{.State.Running}}", "hog") == "true"
    client.group_update("calm", LimitsChange(pids=33), found(client, calm).path)
    assert {change.name for change in client.group_changes()} == {"hog", "calm"}
    backs = client.group_put_back()
    assert [one.problem for one in backs] == ["", ""]
    assert client.group_changes() == []

    docker.remove([busy, calm])
    eventually(lambda: busy not in {group.ref for group in client.groups().groups}, "it has left the tree")
