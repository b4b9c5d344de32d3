"""Pulling from a registry on this machine: the blobs alone against `skopeo copy`, to the end with `umoci` unpacking."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from benchmarks.figures import Figure, Row
from benchmarks.world import World

ROUNDS = 7
LAYERS = 4
FILES = 200  # in each layer
SIZE = 100_000  # bytes of each file, of which half compresses
WHAT = f"{LAYERS} layers of {FILES * SIZE // 10**6} MB, gzip"
LIMIT = "not slower than skopeo"


def measure(world: World) -> Iterator[Row]:
    """Two rows; nothing where docker-registry or a peer is missing."""
    if missing := [name for name in ("docker-registry", "skopeo", "umoci") if not shutil.which(name)]:
        yield Row(f"pull {WHAT}", LIMIT, [], notes=[f"{', '.join(missing)} not installed"])
        return
    folder = world.folder / "pulling"
    packed, plain = folder / "packed", folder / "plain"
    for layout, compress in ((packed, True), (plain, False)):
        _layout(layout, compress)
    with _registry(folder) as host:
        for name, layout in (("packed", packed), ("plain", plain)):
            _run(
                "skopeo",
                "copy",
                "-q",
                "--preserve-digests",
                "--dest-tls-verify=false",
                f"oci:{layout}:1",
                f"docker://{host}/{name}:1",
            )
        yield _compare(world, folder, host, unpack=False)
        yield _compare(world, folder, host, unpack=True)


def _compare(world: World, folder: Path, host: str, unpack: bool) -> Row:
    """In turns. The same layers, stored otherwise, are here already where the unpacking is not to be measured."""
    tiffin, client = [], world.tiffin.client
    peer = []
    if not unpack:
        list(client.image_pull(f"{host}/plain:1"))
    for number in range(ROUNDS):
        began = time.monotonic()
        list(client.image_pull(f"{host}/packed:1"))
        tiffin.append(time.monotonic() - began)
        client.image_remove(f"{host}/packed:1")
        began = time.monotonic()
        target = folder / f"copy-{number}"
        _run("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{host}/packed:1", f"oci:{target}:1")
        if unpack:
            _run("umoci", "raw", "unpack", "--image", f"{target}:1", str(folder / f"root-{number}"))
        peer.append(time.monotonic() - began)
        shutil.rmtree(target)
        shutil.rmtree(folder / f"root-{number}", ignore_errors=True)
    if not unpack:
        client.image_remove(f"{host}/plain:1")
    ours = Figure("tiffin pull", tiffin, "s")
    theirs = Figure("skopeo copy, umoci unpack" if unpack else "skopeo copy", peer, "s")
    what = f"pull {WHAT}, " + ("ready to start" if unpack else "blobs only")
    return Row(what, LIMIT, [ours, theirs], ours.median <= theirs.median)


def _layout(folder: Path, compress: bool) -> None:
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    layers, diff_ids = [], []
    for number in range(LAYERS):
        data = _layer(number)
        diff_ids.append(f"sha256:{hashlib.sha256(data).hexdigest()}")
        kind = "application/vnd.oci.image.layer.v1.tar"
        layers.append(
            {"mediaType": f"{kind}+gzip", **put(gzip.compress(data, 6, mtime=0))}
            if compress
            else {"mediaType": kind, **put(data)}
        )
    config = {"architecture": "amd64", "os": "linux", "config": {"Env": [f"PACKED={compress}"]}}
    config["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", **put(json.dumps(config).encode())}
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": described, "layers": layers}
    top = {"mediaType": kind, **put(json.dumps(manifest).encode())}
    top["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def _layer(number: int) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for file in range(FILES):
            info = tarfile.TarInfo(f"usr/lib/{number}/{file}")
            noise = hashlib.shake_256(f"{number}/{file}".encode()).digest(SIZE // 2)
            info.size = SIZE
            archive.addfile(info, BytesIO(noise + bytes(SIZE - len(noise))))
    return out.getvalue()


@contextmanager
def _registry(folder: Path) -> Iterator[str]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    storage = {"filesystem": {"rootdirectory": str(folder / "registry")}}
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": storage,
    }
    config["http"] = {"addr": f"127.0.0.1:{port}"}
    (folder / "registry.yml").write_text(json.dumps(config))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(folder / "registry.yml")], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError("docker-registry does not listen") from None
                time.sleep(0.05)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait()


def _run(*words: str) -> None:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
