"""Images made by hand, right ones to begin with, so that a test can make one thing of them wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar(files: dict[str, bytes]) -> bytes:
    """An archive of files; a value that is a TarInfo's type and target makes a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def layer(marker: str, size: int = 0) -> bytes:
    """A layer with one file; `size` bytes that do not compress make it large."""
    noise = hashlib.shake_256(marker.encode()).digest(size) if size else b""
    return tar({f"etc/{marker}": marker.encode() + noise})


class Made:
    """One image: its blobs by digest, its manifest as data to change, and as bytes."""

    def __init__(self, *layers: bytes, compress: bool = True, **config: Any) -> None:
        layers = layers or (layer("one"), layer("two"))
        stored = [gzip.compress(data, 1, mtime=0) if compress else data for data in layers]
        self.config: dict[str, Any] = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]},
            "config": {"Cmd": ["/bin/sh"]},
            **config,
        }
        self.layers = stored
        data = json.dumps(self.config).encode()
        self.manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(data), "size": len(data)},
            "layers": [
                {
                    "mediaType": LAYER + ("+gzip" if compress else ""),
                    "digest": digest(blob),
                    "size": len(blob),
                }
                for blob in stored
            ],
        }
        self.blobs = {digest(blob): blob for blob in (data, *stored)}

    @property
    def id(self) -> str:
        found: str = self.manifest["config"]["digest"]
        return found

    @property
    def data(self) -> bytes:
        return json.dumps(self.manifest).encode()

    @property
    def digest(self) -> str:
        return digest(self.data)

    def layout(self, folder: Path, name: str = "latest") -> Path:
        """Written as an OCI layout."""
        write_layout(folder, {name: self})
        return folder

    def docker_files(self, *names: str) -> dict[str, bytes]:
        """What `docker save` puts into an archive, before Docker 25."""
        config = json.dumps(self.config).encode()
        files = {f"{digest(config)[7:]}.json": config}
        paths = []
        for number, blob in enumerate(self.layers):
            paths.append(f"{number}/layer.tar")
            files[paths[-1]] = gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob
        entry = {"Config": f"{digest(config)[7:]}.json", "RepoTags": list(names) or None, "Layers": paths}
        return {**files, "manifest.json": json.dumps([entry]).encode()}

    def layout_files(self, name: str = "") -> dict[str, bytes]:
        """What an OCI archive holds."""
        descriptor = {"mediaType": MANIFEST, "digest": self.digest, "size": len(self.data)}
        if name:
            descriptor["annotations"] = {"org.opencontainers.image.ref.name": name}
        index = {"schemaVersion": 2, "manifests": [descriptor]}
        blobs = {**self.blobs, self.digest: self.data}
        return {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps(index).encode(),
            **{f"blobs/sha256/{name[7:]}": blob for name, blob in blobs.items()},
        }


def write_layout(folder: Path, images: dict[str, Made]) -> None:
    """Several images in one layout."""
    manifests = []
    for name, image in images.items():
        for path, data in image.layout_files(name).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        manifests += json.loads((folder / "index.json").read_bytes())["manifests"]
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))


def index_of(images: dict[str, Made]) -> bytes:
    """An index of images by platform: "linux/amd64"."""
    manifests = []
    for platform, image in images.items():
        os, architecture, *variant = platform.split("/")
        found = {"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        manifests.append(
            {"mediaType": MANIFEST, "digest": image.digest, "size": len(image.data), "platform": found}
        )
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
