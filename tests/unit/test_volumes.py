from __future__ import annotations

from pathlib import Path

import pytest

from engine import instance, volumes
from engine.errors import BadRequest, Conflict, NotFound
from engine.model import ContainerConfig, ImageConfig, Mount
from engine.volumes import Volumes


@pytest.fixture
async def store(tmp_path: Path) -> Volumes:
    store = Volumes(instance.find(tmp_path))
    await store.open()
    return store


async def test_a_volume_is_made_listed_and_removed(store: Volumes, tmp_path: Path) -> None:
    made = store.create("data.1", {"a": "b"})
    assert made.path == str(tmp_path / "state/volumes/data.1/_data")
    Path(made.path, "deep", "er").mkdir(parents=True)
    assert store.create("data.1", {"other": "label"}) == made
    assert store.list() == [made] == [store.get("data.1")]
    assert made.labels == {"a": "b"}
    await store.remove("data.1")
    assert store.list() == []
    assert list((tmp_path / "state/volumes").iterdir()) == []
    with pytest.raises(NotFound):
        await store.remove("data.1")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", ".hidden", "-x", "a b", "ä", "x" * 129, "a\n"]
)
def test_bad_names_are_refused(store: Volumes, tmp_path: Path, name: str) -> None:
    for operation in (store.create, store.get):
        with pytest.raises(BadRequest, match="no name for a volume"):
            operation(name)
    assert list((tmp_path / "state/volumes").iterdir()) == []


async def test_a_used_volume_stays(store: Volumes) -> None:
    store.create("data")
    mounts = [
        Mount(type="volume", source="data", target="/a"),
        Mount(type="volume", source="data", target="/b"),
    ]
    used = volumes.users({"c" * 64: ContainerConfig(image="host", mounts=mounts)})
    assert store.list(used)[0].used_by == ["c" * 64]
    with pytest.raises(Conflict, match="cccccccccccc"):
        await store.remove("data", used)
    assert store.get("data").name == "data"


async def test_volumes_without_a_name_get_one(store: Volumes) -> None:
    asked = ContainerConfig(
        image="x",
        mounts=[
            Mount(type="volume", target="/anonymous"),
            Mount(type="volume", source="named", target="/named"),
            Mount(type="bind", source="/srv", target="/wanted/by/both/"),
        ],
    )
    config, names = store.name_anonymous(asked, ImageConfig(volumes=["/wanted", "/wanted/by/both"]))
    assert [(mount.target, mount.source) for mount in config.mounts] == [
        ("/anonymous", names[0]), ("/named", "named"), ("/wanted/by/both/", "/srv"), ("/wanted", names[1]),
    ]  # fmt: skip
    assert store.list() == []
    paths = store.paths(config)
    assert set(paths) == {"named", *names}
    assert all(Path(path).is_dir() for path in paths.values())
    await store.remove_anonymous([*names, "0" * 64])
    assert [volume.name for volume in store.list()] == ["named"]
    with pytest.raises(BadRequest):
        store.name_anonymous(
            ContainerConfig(image="x", mounts=[Mount(type="volume", source="../x", target="/x")]),
            ImageConfig(),
        )


async def test_what_a_killed_engine_left_is_swept(store: Volumes, tmp_path: Path) -> None:
    folder = tmp_path / "state/volumes"
    for leftover in (".old-1/_data/x", ".new-2/_data"):
        (folder / leftover).mkdir(parents=True)
    store.create("kept")
    await store.open()
    assert [path.name for path in folder.iterdir()] == ["kept"]
