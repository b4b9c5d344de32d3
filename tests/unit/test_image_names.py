from __future__ import annotations

import pytest

from engine.errors import BadRequest
from engine.images import names


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("debian", "debian:latest"),
        ("debian:12", "debian:12"),
        ("team/app:v1.0-rc_2", "team/app:v1.0-rc_2"),
        ("registry.example:5000/team/app", "registry.example:5000/team/app:latest"),
        ("registry.example:5000/app:1", "registry.example:5000/app:1"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("docker.io/library/debian:12", "debian:12"),
        ("docker.io/team/app", "team/app:latest"),
        ("a__b--c.d", "a__b--c.d:latest"),
    ],
)
def test_names_are_kept_with_their_tag(written: str, kept: str) -> None:
    assert names.normal(written) == kept


@pytest.mark.parametrize(
    "name",
    ["", ":", "a:", ":tag", "A", "a//b", "/a", "a/", "a b", "-a", "a-", "../a", "a:b c", "a:" + "x" * 129,
     "x" * 256, "a:.b", "ä", "a\n", "a:b\n", "http://a/b"],
)  # fmt: skip
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match=r"is no (name|tag)"):
        names.normal(name)


@pytest.mark.parametrize("name", ["host", "host:latest", "host:other", "docker.io/library/host"])
def test_the_name_of_the_built_in_image_is_taken(name: str) -> None:
    with pytest.raises(BadRequest, match="built-in"):
        names.for_new(name)


@pytest.mark.parametrize(
    ("name", "qualified"),
    [
        ("debian:12", "docker.io/library/debian:12"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost/app:1", "localhost/app:1"),
        ("registry.example/app:1", "registry.example/app:1"),
        ("registry:5000/app:1", "registry:5000/app:1"),
    ],
)
def test_containerd_wants_the_registry(name: str, qualified: str) -> None:
    assert names.qualified(name) == qualified
