"""Other programs that speak to registries, and transfers followed to their end."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from byhand import Made, digest

from engine.errors import revived
from engine.images.exchange.exchange import Following
from engine.model import Transfer

Pull = Callable[..., Awaitable[Transfer]]


async def done(following: Following) -> Transfer:
    """A transfer to its end; raises what ended it."""
    async with following as transfers:
        *_, last = [transfer async for transfer in transfers]
    assert last.finished
    if last.problem:
        raise revived(last.problem.kind, last.problem.message, last.problem.remedy)
    return last


def skopeo(*words: object) -> str:
    done = subprocess.run(["skopeo", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def publish(image: Made, folder: Path, name: str, *flags: str) -> None:
    """Have skopeo push an image, byte for byte."""
    layout = image.layout(folder / digest(name.encode())[7:19])
    plain = "--dest-tls-verify=false"
    skopeo("copy", "-q", "--preserve-digests", plain, *flags, f"oci:{layout}:latest", f"docker://{name}")


def seen(layers: list[Path], path: str) -> bytes:
    """A file as the topmost of the layers has it."""
    return next(layer / path for layer in layers if (layer / path).exists()).read_bytes()
