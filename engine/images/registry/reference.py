"""Where an image is: a registry, a repository in it, and a tag or a digest."""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.errors import BadRequest
from engine.images import names

HUB = "docker.io"
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_PARTICULAR = {HUB: "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


class Reference(NamedTuple):
    """One image at a registry, by tag, or by digest where there is one."""

    registry: str  # as people name it: "docker.io", "registry.lan:5000"
    repository: str  # "library/debian"
    tag: str
    digest: str = ""

    @property
    def host(self) -> str:
        """What answers for the registry."""
        return _PARTICULAR.get(self.registry, self.registry)

    @property
    def what(self) -> str:
        """What its manifest is asked for by."""
        return self.digest or self.tag

    @property
    def name(self) -> str:
        """The name that the image has here; empty where it is known by its digest only."""
        return "" if self.digest else names.normal(f"{self.registry}/{self.repository}:{self.tag}")

    @property
    def place(self) -> str:
        """Registry and repository, as people write them."""
        return names.normal(f"{self.registry}/{self.repository}:x").removesuffix(":x")

    def __str__(self) -> str:
        return f"{self.place}@{self.digest}" if self.digest else f"{self.place}:{self.tag}"


def parse(text: str) -> Reference:
    """What a person means: `debian` is docker.io/library/debian:latest. Raises BadRequest.

    With a digest the tag says nothing, as with other engines.
    """
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise BadRequest(f"{digest!r} in {text!r} is no digest", "give sha256: and 64 hexadecimal digits")
    registry, _, rest = names.qualified(names.normal(name)).partition("/")
    repository, _, tag = rest.rpartition(":")
    return Reference(registry, repository, "" if at else tag, digest)


def registry(address: str) -> str:
    """A registry by whatever address people and Docker's clients give: "https://index.docker.io/v1/".

    Raises BadRequest.
    """
    name = address.removeprefix("https://").removeprefix("http://").partition("/")[0] or HUB
    if name in ("index.docker.io", "registry-1.docker.io"):
        return HUB
    if parse(f"{name}/x").registry != name:
        raise BadRequest(
            f"{address!r} is no registry", "give its host, and its port if it has one of its own"
        )
    return name
