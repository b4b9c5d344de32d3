"""A store of its own for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from engines import client as client
from engines import instance as instance

from engine.images import Images
from engine.instance import find


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory: layers are synced to disk before they are used, and disks are everybody's."""
    folder = Path(tempfile.mkdtemp(prefix="tiffin-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[Images]:
    """The images of an instance without containers; nothing half-made may be left of them."""
    images = Images(find(tmp_path / "root"))
    await images.open()
    yield images
    await images.close()
    state = tmp_path / "root/state"
    assert [str(p) for p in state.rglob("*") if p.name.startswith(".") or p.name.endswith(".tmp")] == []
