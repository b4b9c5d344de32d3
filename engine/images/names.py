"""Image names: `[registry/]path[:tag]`, as people write them and as they are kept.

Grammar: https://github.com/distribution/reference (reference.go). A name without a tag means `:latest`.
"""

from __future__ import annotations

import re

from engine.errors import BadRequest

GO_ARCHITECTURES = {
    "x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i386": "386", "i686": "386",
    "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64", "loongarch64": "loong64",
}  # fmt: skip
"""What the OCI image-spec calls a machine, by what uname calls it."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_NAME = re.compile(rf"(?:(?P<registry>{_REGISTRY})/)?{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
RESERVED = "host"  # the built-in image


def normal(name: str) -> str:
    """The name with its tag, as it is kept; raises BadRequest where it is no name for an image."""
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, "latest"
    if len(path) > 255 or not _NAME.fullmatch(path):
        raise BadRequest(
            f"{name!r} is no name for an image",
            "use lower-case letters, digits and . _ - /, then perhaps :tag",
        )
    if not _TAG.fullmatch(tag):
        raise BadRequest(
            f"{tag!r} in {name!r} is no tag",
            "use at most 128 letters, digits and . _ -, not beginning with . or -",
        )
    for registry in ("docker.io/library/", "docker.io/"):
        path = path.removeprefix(registry)  # where a name leads that names no registry
    return f"{path}:{tag}"


def known(ref: str) -> str:
    """The normal form of what may be a name; empty where it is none."""
    try:
        return normal(ref)
    except BadRequest:
        return ""


def for_new(name: str) -> str:
    """The normal form of a name that an image is about to be given; the built-in image's is refused."""
    name = normal(name)
    if name.rpartition(":")[0] == RESERVED:
        raise BadRequest(f"{name!r} belongs to the built-in image of this machine", "choose another name")
    return name


def qualified(name: str) -> str:
    """A normal name with its registry, as containerd keeps it: docker.io/library/… where none is given."""
    first, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    if "." in first or ":" in first or first == "localhost" or first != first.lower():
        return name
    return f"docker.io/{name}"
