"""Pulling from real registries: what others pushed arrives as it was, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest
from byhand import INDEX, Made, digest, index_of, layer
from peers import Pull, done, publish, seen, skopeo
from registries import PASSWORD, USER, Authority, Registry, Relay, TokenService, basic, closing

from engine.errors import NotFound, NotPermitted, TiffinError, Unreachable, Unsupported
from engine.images import Images
from engine.model import RegistryLogin

LOGIN = RegistryLogin(username=USER, password=PASSWORD)
MIB = 1 << 20


def put_manifest(registry: Registry, place: str, media_type: str, data: bytes) -> None:
    url = f"http://127.0.0.1:{registry.port}/v2/{place}"
    request = urllib.request.Request(url, data, {"Content-Type": media_type}, method="PUT")
    urllib.request.urlopen(request).close()


async def test_what_skopeo_pushed_arrives_digest_for_digest(
    images: Images, pull: Pull, registry: Registry, tmp_path: Path
) -> None:
    made = Made()
    publish(made, tmp_path, f"{registry.host}/team/app:1")
    last = await pull(f"{registry.host}/team/app:1")
    image = images.get(f"{registry.host}/team/app:1")
    assert last.images == [image]
    assert (image.id, image.digest, last.digest) == (made.id, made.digest, made.digest)
    assert [part.state for part in last.parts] == ["done"] * 3
    assert [part.done for part in last.parts] == [part.size for part in last.parts]
    layers = await images.lower(image)
    assert [seen(layers, f"etc/{name}") for name in ("one", "two")] == [b"one", b"two"]
    again = await pull(f"{registry.host}/team/app:1")
    assert [part.state for part in again.parts] == ["there"] * 3


async def test_what_umoci_made_arrives(
    images: Images, pull: Pull, registry: Registry, tmp_path: Path
) -> None:
    layout, tree = tmp_path / "umoci", tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/file").write_bytes(b"x" * 1000)  # not a block: umoci does not fill it up
    for words in (
        ["init", "--layout", layout],
        ["new", "--image", f"{layout}:1"],
        ["insert", "--image", f"{layout}:1", tree, "/"],
        ["insert", "--image", f"{layout}:1", "--whiteout", "/etc/gone"],
        ["config", "--image", f"{layout}:1", "--config.cmd", "/bin/x"],
    ):
        subprocess.run(["umoci", *map(str, words)], check=True, capture_output=True)
    skopeo("copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{registry.host}/umoci:1")
    await pull(f"{registry.host}/umoci:1")
    image = images.get(f"{registry.host}/umoci:1")
    assert image.digest == json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    assert image.config.command == ["/bin/x"]


async def test_by_digest_it_has_no_name_and_is_found_again(
    images: Images, pull: Pull, registry: Registry, tmp_path: Path
) -> None:
    made = Made()
    publish(made, tmp_path, f"{registry.host}/digest:1")
    place = f"{registry.host}/digest@{made.digest}"
    await pull(place)
    assert images.get(place).names == []
    assert images.get(place).id == made.id
    with pytest.raises(NotFound, match="404"):
        await pull(f"{registry.host}/digest@sha256:{'0' * 64}")


async def test_the_platform_is_chosen_from_an_index(
    images: Images, pull: Pull, registry: Registry, tmp_path: Path
) -> None:
    ours, theirs = Made(), Made(layer("theirs"), architecture="s390x", os="linux")
    windows = Made(layer("windows"), architecture="amd64", os="windows")
    for image in (ours, theirs, windows):
        publish(image, tmp_path, f"{registry.host}/many:{image.digest[7:]}")
    data = index_of({"windows/amd64": windows, "linux/s390x": theirs, "linux/amd64": ours})
    put_manifest(registry, "many/manifests/1", INDEX, data)
    last = await pull(f"{registry.host}/many:1")
    assert last.digest == digest(data)
    assert images.get(f"{registry.host}/many:1").id == ours.id
    assert images.get(f"{registry.host}/many@{digest(data)}").id == ours.id
    with pytest.raises(Unsupported, match=r"linux/s390x.*this machine is linux/amd64") as refused:
        await pull(f"{registry.host}/many:1", platform="linux/s390x")
    assert "qemu-user-static" in refused.value.remedy
    with pytest.raises(Unsupported, match="share this machine's Linux kernel") as refused:
        await pull(f"{registry.host}/many:1", platform="windows/amd64")
    assert "virtual machine" in refused.value.remedy
    with pytest.raises(Unsupported, match="not there for linux/ppc64le, but for linux/amd64, linux/s390x"):
        await pull(f"{registry.host}/many:1", platform="linux/ppc64le")
    put_manifest(registry, "many/manifests/w", INDEX, index_of({"windows/amd64": windows}))
    with pytest.raises(Unsupported, match="Linux kernel"):
        await pull(f"{registry.host}/many:w")
    assert [image.id for image in images.list()] == ["host", ours.id]


async def test_refused_before_its_layers_are_fetched(
    images: Images, pull: Pull, registry: Registry, relay: Relay, tmp_path: Path
) -> None:
    made = Made(os="windows")
    publish(made, tmp_path, f"{registry.host}/windows:1")
    with pytest.raises(Unsupported, match="windows/amd64"):
        await pull(f"{relay.host}/windows:1")
    assert [path.rpartition("/")[2] for path, _ in relay.blobs()] == [made.id]


async def test_two_who_pull_one_image_do_the_work_once(
    images: Images, pull: Pull, registry: Registry, relay: Relay, tmp_path: Path
) -> None:
    made = Made(layer("shared", MIB))
    publish(made, tmp_path, f"{registry.host}/twice:1")
    publish(made, tmp_path, f"{registry.host}/twice:2")
    hold = threading.Event()
    blob = made.manifest["layers"][0]["digest"]
    relay.disturb = lambda method, path: hold if method == "GET" and path.endswith(blob) else None
    same = [asyncio.create_task(pull(f"{relay.host}/twice:1")) for _ in range(3)]
    await asyncio.to_thread(relay.reached.wait, 30)
    other = asyncio.create_task(pull(f"{relay.host}/twice:2"))  # another name, the same blobs
    hold.set()
    results = await asyncio.gather(*same, other)
    assert len({result.images[0].id for result in results}) == 1
    assert len([path for path, _ in relay.blobs() if path.endswith(blob)]) == 1
    manifests = [path for method, path, _ in relay.requests if path.endswith("manifests/1")]
    assert len(manifests) == 1


# ── what breaks off ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_download_that_breaks_off_goes_on_where_it_was(
    pull: Pull, registry: Registry, relay: Relay, tmp_path: Path
) -> None:
    made = Made(layer("breaks", 3 * MIB))
    publish(made, tmp_path, f"{registry.host}/breaks:1")
    blob = made.manifest["layers"][0]["digest"]
    cuts = iter([MIB, MIB // 2, 0])
    relay.disturb = lambda method, path: next(cuts, None) if path.endswith(blob) else None
    last = await pull(f"{relay.host}/breaks:1")
    assert last.parts[-1].state == "done"
    spans = [span for path, span in relay.blobs() if path.endswith(blob)]
    assert spans == ["", f"bytes={MIB}-", f"bytes={MIB * 3 // 2}-", f"bytes={MIB * 3 // 2}-"]


async def test_a_registry_that_is_busy_is_asked_again(
    pull: Pull, registry: Registry, relay: Relay, tmp_path: Path
) -> None:
    publish(Made(), tmp_path, f"{registry.host}/busy:1")
    answers = iter([(503,), (429, {"Retry_After": "0"}), (500,)])
    relay.disturb = lambda method, path: next(answers, None) if "/manifests/" in path else None
    assert (await pull(f"{relay.host}/busy:1")).images
    assert len([path for _, path, _ in relay.requests if "/manifests/" in path]) == 4


async def test_it_is_given_up_in_the_end(
    images: Images, pull: Pull, registry: Registry, relay: Relay, tmp_path: Path
) -> None:
    publish(Made(), tmp_path, f"{registry.host}/never:1")
    relay.disturb = lambda method, path: 0 if "/blobs/" in path else None
    with pytest.raises(Unreachable, match=r"pulling .*never:1"):
        await pull(f"{relay.host}/never:1")
    assert len(relay.blobs()) == 6
    assert [image.id for image in images.list()] == ["host"]


async def test_a_cancelled_pull_keeps_what_it_had(
    images: Images, pull: Pull, registry: Registry, relay: Relay, tmp_path: Path
) -> None:
    made = Made(layer("cancelled", 4 * MIB))
    publish(made, tmp_path, f"{registry.host}/cancelled:1")
    hold = threading.Event()
    blob = made.manifest["layers"][0]["digest"]
    relay.disturb = lambda method, path: hold if method == "GET" and path.endswith(blob) else None
    async with images.exchange.pull(f"{relay.host}/cancelled:1", lambda *_: None) as transfers:
        async for transfer in transfers:
            if any(part.done > MIB for part in transfer.parts):
                break
    hold.set()
    assert images.list() == [images.get("host")]
    [part] = (tmp_path / "instance/state/downloads").iterdir()
    kept = part.stat().st_size
    assert MIB <= kept < 4 * MIB
    relay.disturb = lambda method, path: None
    last = await pull(f"{relay.host}/cancelled:1")
    assert last.images[0].id == made.id
    assert [span for path, span in relay.blobs() if path.endswith(blob)] == ["", f"bytes={kept}-"]


async def test_what_a_power_cut_left_is_not_believed(
    images: Images, pull: Pull, registry: Registry, tmp_path: Path
) -> None:
    made = Made(layer("cut", MIB))
    publish(made, tmp_path, f"{registry.host}/cut:1")
    blob = made.manifest["layers"][0]
    (tmp_path / "instance/state/downloads" / blob["digest"][7:]).write_bytes(bytes(blob["size"] - 10))
    assert (await pull(f"{registry.host}/cut:1")).images[0].id == made.id


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_basic_authentication(images: Images, pull: Pull, tmp_path: Path) -> None:
    with closing(Registry(tmp_path / "registry", auth=basic(tmp_path))) as registry:
        name = f"{registry.host}/app:1"
        publish(Made(), tmp_path, name, f"--dest-creds={USER}:{PASSWORD}")
        with pytest.raises(NotPermitted, match="wants a login") as refused:
            await pull(name)
        assert refused.value.remedy == f"log in with: tiffin login {registry.host}"
        wrong = RegistryLogin(username=USER, password="wrong")
        with pytest.raises(NotPermitted, match="does not accept the login of tiffin"):
            await pull(name, login=wrong)
        assert (await pull(name, login=LOGIN)).images
        with pytest.raises(NotPermitted, match="does not accept the login of tiffin"):
            await images.exchange.login(login_at(registry, "wrong"))
        assert await images.exchange.login(login_at(registry)) == registry.host


def login_at(registry: Registry, password: str = PASSWORD) -> RegistryLogin:
    return RegistryLogin(registry=registry.host, username=USER, password=password)


async def test_a_token_service(images: Images, pull: Pull, tmp_path: Path) -> None:
    with (
        closing(TokenService(tmp_path / "tokens")) as tokens,
        closing(Registry(tmp_path / "registry", auth=tokens.auth)) as registry,
    ):
        made = Made()
        name = f"{registry.host}/team/app:1"
        publish(made, tmp_path, name, f"--dest-creds={USER}:{PASSWORD}")
        tokens.asked.clear()
        with pytest.raises(NotPermitted, match="wants a login"):
            await pull(name)
        assert (await pull(name, login=LOGIN)).images[0].digest == made.digest
        assert tokens.asked[-1]["scope"] == ["repository:team/app:pull"]
        assert tokens.asked[-1]["account"] == [USER]
        assert len(tokens.asked) == 2  # one token does for manifest and blobs
        assert await images.exchange.login(login_at(registry)) == registry.host
        with pytest.raises(NotPermitted, match="does not accept the login of tiffin"):
            await images.exchange.login(login_at(registry, "wrong"))
        last = await done(
            images.exchange.push(name, lambda *_: None, f"{registry.host}/other:2", login=LOGIN)
        )
        assert {part.state for part in last.parts} == {"mounted"}  # taken from team/app
        assert sorted(tokens.asked[-1]["scope"]) == ["repository:other:pull,push", "repository:team/app:pull"]


async def test_tls_with_an_authority_of_its_own(images: Images, pull: Pull, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with closing(Registry(tmp_path / "registry", tls=(authority.server, authority.key))) as registry:
        publish(Made(), tmp_path, f"{registry.host}/app:1")
        trusted = tmp_path / "instance/config/certs.d" / registry.host
        with pytest.raises(Unreachable, match="certificate that is not trusted") as refused:
            await pull(f"{registry.host}/app:1")
        assert str(trusted / "ca.crt") in refused.value.remedy
        trusted.mkdir(parents=True)
        (trusted / "ca.crt").write_bytes(authority.certificate.read_bytes())
        assert (await pull(f"{registry.host}/app:1")).images


async def test_only_named_registries_are_spoken_to_plainly(
    images: Images, pull: Pull, tmp_path: Path
) -> None:
    subprocess.run(
        ["ip", "address", "add", "10.254.254.1/32", "dev", "lo"], check=True
    )  # in the tests' namespace
    try:
        with closing(Registry(tmp_path / "registry", address="10.254.254.1")) as registry:
            publish(Made(), tmp_path, f"{registry.host}/app:1")
            with pytest.raises(Unreachable, match="does not speak TLS") as refused:
                await pull(f"{registry.host}/app:1")
            assert f'plain_http = ["{registry.host}"]' in refused.value.remedy
            settings = tmp_path / "instance/config/registries.toml"
            settings.parent.mkdir()
            settings.write_text(f'plain_http = ["{registry.host}"]\n')
            assert (await pull(f"{registry.host}/app:1")).images
            settings.write_text("plain_http = 7\n")
            with pytest.raises(TiffinError, match=r"registries.toml.*plain_http"):
                await pull(f"{registry.host}/app:1")
    finally:
        subprocess.run(["ip", "address", "del", "10.254.254.1/32", "dev", "lo"], check=True)


async def test_what_is_not_there(pull: Pull, registry: Registry) -> None:
    with pytest.raises(NotFound, match=r"answered 404 when asked for 1: manifest unknown"):
        await pull(f"{registry.host}/nothing:1")
    with pytest.raises(Unreachable, match="reaching localhost:1: "):
        await pull("localhost:1/app:1")
    with pytest.raises(TiffinError, match="no name for an image"):
        await pull("Not a name")
    with pytest.raises(TiffinError, match="built-in image"):
        await pull("host")
