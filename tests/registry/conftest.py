"""A store of its own for each test, proven whole afterwards; a registry for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from peers import Pull, done
from registries import Handmade, Registry, Relay, closing

from engine import instance
from engine.images import Images
from engine.model import Transfer


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried again soon."""
    monkeypatch.setattr("engine.images.registry.repository.PAUSE", 0.02)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One without authentication."""
    with closing(Registry(tmp_path_factory.mktemp("registries") / "plain")) as one:
        yield one


@pytest.fixture
def relay(registry: Registry) -> Iterator[Relay]:
    """The same through something that can be told to disturb."""
    with closing(Relay(registry)) as one:
        yield one


@pytest.fixture
def handmade() -> Iterator[Handmade]:
    with closing(Handmade()) as one:
        yield one


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[Images]:
    """A store that has to be whole when the test ends, with nothing half-made in it or around it."""
    root = tmp_path / "instance"
    images = Images(instance.find(root))
    await images.open()
    yield images
    await images.close()
    if images.list()[1:]:
        assert (await images.verify()).problems == []
    left = [path for path in (root / "state").rglob("*") if path.name.startswith((".tmp", ".doomed"))]
    assert left == []


@pytest.fixture
def pull(images: Images) -> Pull:
    """Pull to the end: `await pull("localhost:5000/app")`."""

    async def run(name: str, **more: object) -> Transfer:
        return await done(images.exchange.pull(name, lambda *_: None, **more))  # type: ignore[arg-type]

    return run
