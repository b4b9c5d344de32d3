"""What every engine's cgroup paths say, and what other engines' state folders call them."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from engine.watch.groups import naming
from engine.watch.groups.naming import Named, Unnamed, look
from engine.watch.groups.recognise import recognise

ID = "3f2a9c1b04d2" + "0" * 52
POD = "0d8c1c0e-6d3c-4b0b-9d52-8f1c2a7b3e4f"
POD_ = POD.replace("-", "_")
ROOTLESS = "user.slice/user-1000.slice/user@1000.service"
BESTEFFORT = f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD_}.slice"

CONTAINERS = [
    # path, engine, ref, name
    (f"system.slice/docker-{ID}.scope", "docker", ID, "3f2a9c1b04d2"),
    (f"docker/{ID}", "docker", ID, "3f2a9c1b04d2"),
    (f"{ROOTLESS}/user.slice/docker-{ID}.scope", "docker", ID, "3f2a9c1b04d2"),
    (f"docker/{ID}/docker/{ID[::-1]}", "docker", ID[::-1], "000000000000"),
    (f"my-parent/{ID}", "", ID, "3f2a9c1b04d2"),
    (f"machine.slice/libpod-{ID}.scope", "podman", ID, "3f2a9c1b04d2"),
    (f"libpod_parent/libpod-{ID}", "podman", ID, "3f2a9c1b04d2"),
    (f"{ROOTLESS}/user.slice/libpod-{ID}.scope", "podman", ID, "3f2a9c1b04d2"),
    (f"system.slice/web.service/libpod-payload-{ID}", "podman", ID, "3f2a9c1b04d2"),
    (f"machine.slice/machine-libpod_pod_{ID[::-1]}.slice/libpod-{ID}.scope", "podman", ID, "3f2a9c1b04d2"),
    (f"{BESTEFFORT}/cri-containerd-{ID}.scope", "containerd", ID, "3f2a9c1b04d2"),
    (f"{BESTEFFORT}/crio-{ID}.scope", "cri-o", ID, "3f2a9c1b04d2"),
    (f"{BESTEFFORT}/docker-{ID}.scope", "docker", ID, "3f2a9c1b04d2"),
    (f"kubepods/burstable/pod{POD}/{ID}", "containerd", ID, "3f2a9c1b04d2"),
    (f"kubepods/pod{POD}/{ID}", "containerd", ID, "3f2a9c1b04d2"),
    (f"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{POD_}.slice/cri-containerd-{ID}.scope",
     "containerd", ID, "3f2a9c1b04d2"),
    (f"system.slice/containerd.service/kubepods-pod{POD_}.slice:cri-containerd:{ID}", "containerd", ID, "3f2a9c1b04d2"),
    (f"system.slice/nerdctl-{ID}.scope", "containerd", ID, "3f2a9c1b04d2"),
    ("lxc.payload.web", "lxc", "web", "web"),
    ("lxc/web", "lxc", "web", "web"),
    ("lxc.payload/web", "lxc", "web", "web"),
    (f"{ROOTLESS}/app.slice/lxc.payload.web", "lxc", "web", "web"),
    ("machine.slice/machine-web\\x2d1.scope", "nspawn", "web-1", "web-1"),
    ("machine.slice/systemd-nspawn@web.service", "nspawn", "web", "web"),
    ("machine.slice/machine-qemu\\x2d3\\x2ddebian.scope", "qemu", "qemu-3-debian", "debian"),
    (f"tiffin-1a2b3c4d/{ID}", "tiffin", ID, "3f2a9c1b04d2"),
    (f"tiffin/{ID}", "tiffin", ID, "3f2a9c1b04d2"),
]  # fmt: skip

OTHERS = [
    # path, kind, engine, name
    ("", "root", "", "/"),
    ("system.slice", "slice", "systemd", "system"),
    ("system.slice/ssh.service", "service", "systemd", "ssh"),
    ("system.slice/system-getty.slice/getty@tty1.service", "service", "systemd", "getty@tty1"),
    ("system.slice/dev-hugepages.mount", "service", "systemd", "dev-hugepages.mount"),
    ("init.scope", "scope", "systemd", "init"),
    ("user.slice/user-0.slice/session-3.scope", "session", "systemd", "session 3"),
    ("user.slice/user-0.slice", "user", "systemd", "root"),
    ("user.slice/user-987654.slice", "user", "systemd", "user 987654"),
    (f"kubepods/besteffort/pod{POD}", "pod", "kubernetes", POD[:8]),
    (BESTEFFORT, "pod", "kubernetes", POD[:8]),
    ("kubepods.slice/kubepods-burstable.slice", "slice", "kubernetes", "burstable"),
    ("kubepods/burstable", "slice", "kubernetes", "burstable"),
    (f"machine.slice/machine-libpod_pod_{ID}.slice", "pod", "podman", "3f2a9c1b04d2"),
    (f"machine.slice/libpod-conmon-{ID}.scope", "helper", "podman", "conmon 3f2a9c1b04d2"),
    (f"{BESTEFFORT}/crio-conmon-{ID}.scope", "helper", "cri-o", "conmon 3f2a9c1b04d2"),
    ("lxc.monitor.web", "helper", "lxc", "monitor web"),
    ("machine.slice/machine-web.scope/supervisor", "helper", "nspawn", "supervisor"),
    ("tiffin/engine", "helper", "tiffin", "engine"),
    ("tiffin", "slice", "tiffin", "tiffin"),
    ("openrc/sshd", "service", "openrc", "sshd"),
    ("docker", "slice", "docker", "docker"),
    ("whatever/it.is", "group", "", "it.is"),
    (f"tiffin/{ID}/system.slice/cron.service", "service", "systemd", "cron"),
]


@pytest.mark.parametrize(("path", "engine", "ref", "name"), CONTAINERS)
def test_containers(path: str, engine: str, ref: str, name: str) -> None:
    found = recognise(path)
    assert (found.kind, found.engine, found.ref, found.name) == ("container", engine, ref, name)
    assert found.uid == (1000 if path.startswith(ROOTLESS) else None)


@pytest.mark.parametrize(("path", "kind", "engine", "name"), OTHERS)
def test_others(path: str, kind: str, engine: str, name: str) -> None:
    found = recognise(path)
    assert (found.kind, found.engine, found.name) == (kind, engine, name)


ODD = json.dumps([{"id": ID, "names": [5], "metadata": '{"name": 5, "pod-name": [], "pod-uid": {}}'}])


def put(root: Path, path: str, content: object) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def named(root: Path, engine: str, ref: str = ID) -> Named | None:
    return look([Unnamed(engine, ref)], str(root)).get(ref)


def test_docker_from_its_state(tmp_path: Path) -> None:
    state = {"Name": "/web", "Config": {"Image": "nginx:1", "Labels": None}}
    put(tmp_path, f"/var/lib/docker/containers/{ID}/config.v2.json", state)
    assert named(tmp_path, "docker") == Named("web", "nginx:1", "docker")
    assert named(tmp_path, "") == Named("web", "nginx:1", "docker")  # a path with an id alone


def test_podman_and_crio_from_the_store(tmp_path: Path) -> None:
    podman = {"id": ID, "names": ["web"], "metadata": json.dumps({"image-name": "nginx", "name": "web"})}
    told = {"pod-name": "shop", "pod-uid": POD, "container-name": "cart", "image-name": "cart:2"}
    crio = {"id": ID[::-1], "names": ["k8s_cart"], "metadata": json.dumps(told)}
    broken = {"id": "x", "metadata": "{"}
    put(tmp_path, "/var/lib/containers/storage/overlay-containers/containers.json", [broken, podman, crio])
    assert named(tmp_path, "podman") == Named("web", "nginx", "podman")
    assert named(tmp_path, "cri-o", ID[::-1]) == Named("cart", "cart:2", "cri-o")
    assert look([Unnamed("kubernetes", POD)], str(tmp_path))[POD].name == "shop"


def test_containerd_from_its_tasks(tmp_path: Path) -> None:
    folder = "/run/containerd/io.containerd.runtime.v2.task"
    cri = "io.kubernetes.cri"
    told = {f"{cri}.container-name": "cart", f"{cri}.sandbox-name": "shop", f"{cri}.sandbox-uid": POD,
            f"{cri}.sandbox-namespace": "prod", f"{cri}.image-name": "cart:2"}  # fmt: skip
    put(tmp_path, f"{folder}/k8s.io/{ID}/config.json", {"annotations": told})
    found = look([Unnamed("containerd", ID), Unnamed("kubernetes", POD)], str(tmp_path))
    assert found == {ID: Named("cart", "cart:2", "containerd"), POD: Named("prod/shop")}
    put(tmp_path, f"{folder}/default/{ID}/config.json", {"annotations": {"nerdctl/name": "web"}})
    assert look([Unnamed("containerd", ID)], str(tmp_path))[ID].name in ("web", "cart")


def test_incus_lxd_and_lxc_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for engine, folder in naming.LXC:
        root = tmp_path / engine / folder.replace("/", "_")
        put(root, f"{folder}/web/config", "")
        assert named(root, "lxc", "web") == Named("web", "", engine)


@pytest.mark.parametrize(
    "content", ["", "[", "[1]", '{"Name": 3}', "null", "[" * 100_000, '[{"id": 4}]', ODD]
)
def test_files_of_any_content_name_nothing(tmp_path: Path, content: str) -> None:
    put(tmp_path, f"/var/lib/docker/containers/{ID}/config.v2.json", content)
    put(tmp_path, "/var/lib/containers/storage/overlay-containers/containers.json", content)
    put(tmp_path, f"/run/containerd/io.containerd.runtime.v2.task/default/{ID}/config.json", content)
    assert look([Unnamed("", ID), Unnamed("docker", ID)], str(tmp_path)) == {}


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 200 OK\r\n", b"nonsense", b"HTTP/1.0 500 No\r\n\r\n[]"])
def test_a_socket_that_hangs_or_fails_harms_nothing(
    tmp_path: Path, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "WITHIN", 0.2)
    (tmp_path / "run").mkdir()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "run/docker.sock"))
    listening.listen()
    held = list[socket.socket]()

    def serve() -> None:
        connection, _ = listening.accept()
        connection.sendall(answer)
        held.append(connection)  # kept open: nothing more comes, nor the end

    thread = threading.Thread(target=serve)
    thread.start()
    state = {"Name": "/web", "Config": {"Image": "nginx:1", "Labels": {}}}
    put(tmp_path, f"/var/lib/docker/containers/{ID}/config.v2.json", state)
    began = time.monotonic()
    assert named(tmp_path, "docker") == Named("web", "nginx:1", "docker")  # from its state then
    assert time.monotonic() - began < 30
    thread.join()
    for one in (listening, *held):
        one.close()
