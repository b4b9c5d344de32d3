"""Debian 12, Debian 13 and busybox at once: three environments, one kernel."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from roots import busybox_tar

from engine.client import EngineClient
from engine.model import ContainerConfig

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

# What the distribution, its libc and the kernel say, each on a line; then it stays, until its input ends.
ASK = """
. /etc/os-release; echo "$ID $VERSION_ID"
ldd --version 2>/dev/null | head -n 1 || true; echo
uname -r
cat /proc/sys/kernel/random/boot_id
echo asked
cat
"""


def test_three_environments_on_one_kernel(client: EngineClient, debian12: Path, debian13: Path) -> None:
    client.image_import(debian12, "debian:12")
    client.image_import(debian13, "debian:13")
    client.image_import(io.BytesIO(busybox_tar()), "busybox")
    streams = {}
    for image in ("debian:12", "debian:13", "busybox"):
        id = client.create(ContainerConfig(image=image, command=["/bin/sh", "-c", ASK], stdin=True))
        streams[image] = client.attach(id, stdin=True)
        client.start(id)
    said = {}
    for image, stream in streams.items():
        text = b""
        while b"asked\n" not in text:
            piece = stream.read()
            assert piece, text
            text += piece[1]
        said[image] = text.decode().splitlines()
    assert sum(container.state.status == "running" for container in client.containers()) == 3
    assert {image: lines[0].strip() for image, lines in said.items()} == {
        "debian:12": "debian 12",
        "debian:13": "debian 13",
        "busybox": "busybox",
    }
    assert "2.36" in said["debian:12"][1]
    assert "2.41" in said["debian:13"][1]
    kernels = {tuple(lines[-3:-1]) for lines in said.values()}
    assert kernels == {(os.uname().release, Path("/proc/sys/kernel/random/boot_id").read_text().strip())}
    for stream in streams.values():
        stream.close_write()
        assert stream.read() is None
        stream.close()
