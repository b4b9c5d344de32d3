"""Ignore files by Docker's rules; the cases are those of moby/patternmatcher's documentation and of its users."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.client.context import find_containerfile, rules
from engine.client.ignore import Ignore
from engine.errors import BadRequest


@pytest.mark.parametrize(
    ("pattern", "path", "verdict"),
    [
        ("a", "a", "leave"), ("a", "a/b", "leave"), ("a", "b/a", "take"), ("/a", "a", "leave"), ("a/", "a", "leave"),
        ("*/temp*", "x/temporary", "leave"), ("*/temp*", "x/y/temp", "take"), ("*/*/temp*", "x/y/temp", "leave"),
        ("temp?", "tempa", "leave"), ("temp?", "temp", "take"), ("**/*.go", "a/b/c.go", "leave"),
        ("**/*.go", "c.go", "leave"), ("a/**", "a/b/c", "leave"), ("a/**", "a", "take"), ("a/**/z", "a/z", "leave"),
        ("a/**/z", "a/b/c/z", "leave"), ("**", "anything", "leave"), ("**/", "x", "leave"), ("*.[ch]", "x.c", "leave"),
        ("*.[^c]", "x.c", "take"), ("a\\*b", "a*b", "leave"), ("a\\*b", "axb", "take"), ("./a", "a", "leave"),
        ("a/../b", "b", "leave"), (".", "x", "take"), ("a.b", "axb", "take"), ("(x)+", "(x)+", "leave"),
        (" a ", "a", "leave"), ("# c", "# c", "take"), (".git", ".gitignore", "take"), ("[a-c]x", "bx", "leave"),
    ],
)  # fmt: skip
def test_one_pattern(pattern: str, path: str, verdict: str) -> None:
    assert Ignore([pattern]).select(path) == verdict


def test_the_last_that_matches_decides() -> None:
    ignore = Ignore(["*.md", "!README*.md", "README-secret.md"])
    assert [ignore.select(p) for p in ("x.md", "README-a.md", "README-secret.md")] == [
        "leave",
        "take",
        "leave",
    ]
    turned = Ignore(["*.md", "README-secret.md", "!README*.md"])
    assert turned.select("README-secret.md") == "take"


def test_what_is_brought_back_is_looked_for_below() -> None:
    ignore = Ignore(["*", "!src", "src/gen", "!src/gen/keep/*.c"])
    assert ignore.select("docs") == "leave"
    assert ignore.select("src") == "take"
    assert ignore.select("src/gen") == "look"
    assert ignore.select("src/gen/keep") == "look"
    assert ignore.select("src/gen/keep/a.c") == "take"
    assert ignore.select("src/gen/other") == "leave"
    assert Ignore(["*", "!**/keep"]).select("any") == "look"


def test_what_cannot_be_read_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("fine\n[a\n")
    with pytest.raises(BadRequest, match=r"\.dockerignore:2: '\[a' is no pattern"):
        rules(tmp_path)
    with pytest.raises(BadRequest, match=":1: '!' stands alone"):
        Ignore(["!"])


def test_which_file_counts(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    assert find_containerfile(tmp_path).name == "Dockerfile"
    (tmp_path / "Containerfile").touch()
    assert find_containerfile(tmp_path).name == "Containerfile"
    for name in (".dockerignore", ".containerignore", "Other.dockerignore"):
        (tmp_path / name).write_text(name)
    assert rules(tmp_path).select(".containerignore") == "leave"
    assert rules(tmp_path, tmp_path / "Other").select("Other.dockerignore") == "leave"
    (tmp_path / ".containerignore").unlink()
    assert rules(tmp_path).select(".dockerignore") == "leave"
    with pytest.raises(BadRequest, match="there is no Containerfile nor Dockerfile"):
        find_containerfile(tmp_path / "nowhere")
