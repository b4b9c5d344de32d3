"""The content store's bookkeeping: names, ids, removal; with hand-made images, so that no root is needed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from engine import instance
from engine.errors import BadRequest, Conflict, Corrupt, NotFound
from engine.images import Images, names, oci
from engine.images.store import Store

LAYER = b"a layer that nobody unpacks"
DIFF_ID = oci.digest(LAYER)


def config_of(comment: str, layer: bytes = LAYER) -> bytes:
    return oci.encode(
        oci.Image(
            architecture="amd64",
            os="linux",
            rootfs=oci.RootFs(diff_ids=[oci.digest(layer)]),
            config=oci.Execution(cmd=["/bin/x"], labels={"comment": comment}),
        )
    )


def put_image(store: Store, name: str, comment: str = "", layer: bytes = LAYER) -> str:
    """Store an image of one layer under a name; returns its id."""
    config = store.put(oci.CONFIG, config_of(comment or name, layer))
    manifest = oci.Manifest(schema_version=2, config=config, layers=[store.put(oci.LAYER, layer)])
    store.tag(store.put(oci.MANIFEST, oci.encode(manifest)), names.normal(name))
    return config.digest


@pytest.fixture
async def images(tmp_path: Path) -> Images:
    images = Images(instance.find(tmp_path))
    await images.open()
    return images


@pytest.fixture
def store(images: Images, tmp_path: Path) -> Store:
    return Store(tmp_path / "state/images")


def blobs(store: Store) -> set[str]:
    return {f"sha256:{name}" for name in os.listdir(store.blobs)}


def test_an_empty_store_is_a_layout(images: Images, store: Store) -> None:
    assert json.loads((store.folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((store.folder / "index.json").read_text())
    assert index == {"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": []}
    assert [image.id for image in images.list()] == ["host"]


def test_an_image_is_found_by_all_its_names_and_ids(images: Images, store: Store) -> None:
    id = put_image(store, "team/app:1")
    image = images.get("team/app:1")
    assert image.id == id
    assert image.config.command == ["/bin/x"]
    assert image.layers == [DIFF_ID]
    assert image.size == len(LAYER)  # not unpacked, so what is known is the blob
    for ref in (
        id,
        id[7:],
        id[7:19],
        id[:11],
        image.digest,
        f"team/app@{image.digest}",
        "docker.io/team/app:1",
    ):
        assert images.get(ref) == image
    for ref in ("team/app", "app", id[7:10], "sha256:" + "0" * 64, "deadbeef", "", "sha256:", "Not A Name"):
        with pytest.raises(NotFound, match="no image"):
            images.get(ref)


def test_an_ambiguous_beginning_is_refused(images: Images, store: Store) -> None:
    seen: dict[str, str] = {}
    comment = twin = ""
    for comment in map(str, range(100_000)):
        twin = seen.setdefault(oci.digest(config_of(comment))[7:11], comment)
        if twin != comment:
            break
    id = put_image(store, "one", comment)
    assert images.get(id[7:11]).id == id
    put_image(store, "two", twin)
    with pytest.raises(BadRequest, match=f"2 images have ids that begin with {id[7:11]}"):
        images.get(id[7:11])
    assert images.get(id[7:]).id == id


def test_a_name_moves_and_leaves_the_old_image_nameless(images: Images, store: Store) -> None:
    old, new = put_image(store, "app", "old"), put_image(store, "app", "new")
    assert images.get("app").id == new
    assert images.get(old).names == []
    assert {image.id for image in images.list()} == {"host", old, new}
    put_image(store, "again", "old")
    assert images.get(old).names == ["again:latest"]
    assert len(store.index().manifests) == 2


async def test_the_last_name_takes_the_image_along(images: Images, store: Store) -> None:
    id = put_image(store, "one", "same")
    assert put_image(store, "two", "same") == id
    assert (await images.remove("one", {})).untagged == ["one:latest"]
    removal = await images.remove("two", {})
    assert removal.untagged == ["two:latest"]
    assert removal.deleted == [id]
    assert blobs(store) == set()
    assert store.index().manifests == []


async def test_shared_layers_stay(images: Images, store: Store) -> None:
    put_image(store, "one")
    put_image(store, "two")
    await images.remove("one", {})
    assert DIFF_ID in blobs(store)
    assert len(blobs(store)) == 3
    await images.remove("two", {})
    assert blobs(store) == set()


async def test_an_image_in_use_stays_and_the_containers_are_named(images: Images, store: Store) -> None:
    id = put_image(store, "app")
    before = blobs(store)
    with pytest.raises(Conflict, match="used by containers db, web"):
        await images.remove("app", {id: ["web", "db"]})
    assert images.get("app").id == id
    assert (await images.remove("app", {id: ["web"]}, force=True)).deleted == []
    assert images.get(id).names == []  # containers can still be started
    assert blobs(store) == before
    with pytest.raises(Conflict, match="used by container web"):
        await images.remove(id, {id: ["web"]}, force=True)
    assert (await images.remove(id, {})).deleted == [id]
    assert blobs(store) == set()


async def test_by_id_several_names_go_only_by_force(images: Images, store: Store) -> None:
    id = put_image(store, "one", "same")
    put_image(store, "two", "same")
    with pytest.raises(Conflict, match="one:latest, two:latest"):
        await images.remove(id[7:], {})
    assert (await images.remove(id[7:], {}, force=True)).untagged == ["one:latest", "two:latest"]
    assert blobs(store) == set()


@pytest.mark.parametrize("ref", ["host", "host:latest"])
async def test_host_cannot_be_removed(images: Images, ref: str) -> None:
    with pytest.raises(Conflict, match="machine itself"):
        await images.remove(ref, {}, force=True)


async def test_what_others_write_is_seen_at_once(images: Images, store: Store) -> None:
    assert len(images.list()) == 1
    put_image(store, "app")
    index = json.loads((store.folder / "index.json").read_text())
    index["manifests"][0]["annotations"] = {oci.REF_NAME: "renamed"}  # as skopeo writes it
    (store.folder / "index.json").write_text(json.dumps(index))
    assert images.get("renamed").names == ["renamed:latest"]
    assert (await images.verify()).problems == []


async def test_a_damaged_image_does_not_hide_the_others_and_can_be_removed(
    images: Images, store: Store
) -> None:
    bad, good = put_image(store, "bad"), put_image(store, "good", layer=b"another")
    store.path(bad).write_bytes(b"{}")
    fresh = Images(images._instance)
    assert [image.names for image in fresh.list()] == [["host:latest"], ["good:latest"]]
    assert fresh.get("good").id == good
    problems = (await fresh.verify()).problems
    assert [problem for problem in problems if "image bad:latest" in problem]
    assert not [problem for problem in problems if "image good:latest" in problem]
    removal = await fresh.remove("bad", {})
    assert removal.untagged == ["bad:latest"]
    assert [image.names for image in fresh.list()] == [["host:latest"], ["good:latest"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda index: index["manifests"][0].update(digest="sha256:../../etc/passwd"), "digest"),
        (lambda index: index["manifests"][0].update(size=-1), "size"),
        (lambda index: index.update(manifests={}), "manifests"),
        (lambda index: index["manifests"][0].pop("mediaType"), "mediaType"),
        (lambda index: index.update(schemaVersion=1), "schemaVersion"),
    ],
)
def test_a_wrong_index_is_refused_by_the_field(images: Images, store: Store, change, field: str) -> None:
    put_image(store, "app")
    index = json.loads((store.folder / "index.json").read_text())
    change(index)
    (store.folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(Corrupt, match=field):
        images.list()


async def test_a_start_sweeps_what_was_left_half_done(images: Images, store: Store, tmp_path: Path) -> None:
    put_image(store, "app")
    kept = blobs(store)
    (store.blobs / ".tmp-1").write_bytes(b"half a blob")
    (store.folder / "index.json.77.tmp").write_bytes(b"half an index")
    abandoned, fresh = (
        store.put(oci.LAYER, b"abandoned"),
        store.put(oci.LAYER, b"perhaps about to be entered"),
    )
    os.utime(store.path(abandoned.digest), (time.time() - 7200,) * 2)
    layers = tmp_path / "state/layers"
    for name in (".tmp-2/etc", "0" * 64, DIFF_ID[7:]):
        (layers / name).mkdir(parents=True)
    (layers / f"{'0' * 64}.json").write_text("{}")
    await Images(images._instance).open()
    assert blobs(store) == kept | {fresh.digest}
    assert os.listdir(layers) == [DIFF_ID[7:]]
    assert sorted(os.listdir(store.folder)) == ["blobs", "index.json", "oci-layout"]


async def test_a_damaged_index_stops_the_sweep(images: Images, store: Store, tmp_path: Path) -> None:
    put_image(store, "app")
    for blob in store.blobs.iterdir():
        os.utime(blob, (time.time() - 7200,) * 2)
    kept = blobs(store)
    (tmp_path / "state/layers" / DIFF_ID[7:]).mkdir()
    (store.folder / "index.json").write_text("{")
    await Images(images._instance).open()
    assert blobs(store) == kept
    assert os.listdir(tmp_path / "state/layers") == [DIFF_ID[7:]]
