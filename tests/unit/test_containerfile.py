"""Containerfiles as text: instructions, words and variables, stages; real-world ones, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.building.config import Config
from engine.building.reading import Heredoc, read
from engine.building.stages import plan
from engine.building.words import Malformed, expand, split
from engine.errors import BadRequest
from engine.images import oci

GO = r"""# syntax=docker/dockerfile:1
# escape=\
ARG GO_VERSION=1.22
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN set -eux; \
	apk add --no-cache \
# the compiler
		gcc \

		musl-dev \
	; \
	go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN GOOS=$TARGETOS go build -o /out/app .

FROM scratch AS final
COPY --from=build --chown=65532:65532 /out/app /app
EXPOSE 8080/tcp
ENTRYPOINT ["/app", "--flag=\"x\""]
"""

POSTGRES = """\
FROM debian:bookworm-slim
ENV LANG en_US.utf8
ENV PG_MAJOR=16 PATH=$PATH:/usr/lib/postgresql/16/bin GREETING="two words" ESC=a\\ b
RUN set -ex; \\
\tif ! command -v gpg > /dev/null; then \\
\t\tapt-get update; \\
\tfi
VOLUME /var/lib/postgresql/data
copy docker-entrypoint.sh /usr/local/bin/
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=1m CMD pg_isready || exit 1
CMD ["postgres"]
"""

WINDOWS = "# escape=`\nFROM bb\nWORKDIR C:\\x\nRUN dir `\n  c:\\\nLABEL a=`$b\n"


def test_a_multi_stage_build() -> None:
    source = read(GO, "Dockerfile")
    assert [i.keyword for i in source.instructions] == (
        "ARG FROM WORKDIR COPY RUN COPY ARG RUN FROM COPY EXPOSE ENTRYPOINT".split()
    )
    run = source.instructions[4]
    assert run.place == ("Dockerfile", 7)
    assert run.shown == "RUN set -eux; apk add --no-cache gcc musl-dev ; go mod download"
    assert source.instructions[-1].words == ["/app", '--flag="x"']
    made = plan(source, {"GO_VERSION": "1.23"}, {"BUILDPLATFORM": "linux/amd64"})
    assert [(stage.label, stage.base, stage.platform) for stage in made.stages] == [
        ("build", "golang:1.23-alpine", "linux/amd64"),
        ("final", "scratch", ""),
    ]
    assert [stage.label for stage in plan(source, {}, {}, "build").stages] == ["build"]


def config_of(text: str) -> Config:
    source = read(text)
    config = Config(oci.Execution(env=["PATH=/bin"]), source.escape)
    for instruction in source.instructions[1:]:
        if instruction.keyword not in ("RUN", "COPY"):
            config.apply(instruction)
    return config


def test_an_image_of_a_database() -> None:
    made = config_of(POSTGRES)
    assert made.env == {
        "PATH": "/bin:/usr/lib/postgresql/16/bin",
        "LANG": "en_US.utf8",
        "PG_MAJOR": "16",
        "GREETING": "two words",
        "ESC": "a b",
    }
    assert made.volumes == {"/var/lib/postgresql/data": {}}
    assert made.healthcheck == {
        "Test": ["CMD-SHELL", "pg_isready || exit 1"],
        "Interval": 5 * 10**9,
        "Timeout": 60 * 10**9,
    }
    assert made.execution().cmd == ["postgres"]


def test_another_escape_character() -> None:
    source = read(WINDOWS)
    assert source.instructions[2].text == "dir   c:\\"
    assert config_of(WINDOWS).labels == {"a": "$b"}


def test_heredocs() -> None:
    text = "FROM bb\nRUN <<EOF cat - <<-'two'\na $b\nEOF\n\t\tc\n\ttwo\nCMD x\n"
    run, cmd = read(text).instructions[1:]
    assert run.heredocs == [Heredoc("EOF", "a $b\n", True), Heredoc("two", "c\n", False)]
    assert cmd.place.line == 7


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$x", "X"), ("${x}y", "Xy"), ("$xy", ""), ("\\$x", "$x"), ("'$x'", "$x"), ('"$x y"', "X y"),
        ("${n:-d}", "d"), ("${e:-d}", "d"), ("${e-d}", ""), ("${n-d}", "d"), ("${x:+s}", "s"), ("${e:+s}", ""),
        ("${e+s}", "s"), ("${n+s}", ""), ("${n:-$x}", "X"), ("${n:-${x:+a}b}", "ab"), ("${n:-'}'}", "}"),
        ("${path#*/}", "b/c.tar.gz"), ("${path##*/}", "c.tar.gz"), ("${path%.*}", "a/b/c.tar"),
        ("${path%%.*}", "a/b/c"), ("${path/b/d}", "a/d/c.tar.gz"), ("${path//[ab]/_}", "_/_/c.t_r.gz"),
        ('"\\a\\""', '\\a"'), ("a\\ b", "a b"), ("$", "$"), ("$$x", "x"), ("$1", ""), ("100%", "100%"),
    ],
)  # fmt: skip
def test_variables(word: str, expected: str) -> None:
    assert expand(word, {"x": "X", "e": "", "path": "a/b/c.tar.gz"}) == expected


@pytest.mark.parametrize("word", ["${x", "'x", '"x', "${x:?no}", "${}", "${x!y}", "${n:-${x}"])
def test_words_that_cannot_be_read(word: str) -> None:
    with pytest.raises(Malformed):
        expand(word, {})


def test_splitting_keeps_quotes() -> None:
    assert split("a 'b c'  \"d e\"f g\\ h") == ["a", "'b c'", '"d e"f', "g\\ h"]
    assert split("") == []


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but BadRequest comes of whatever somebody calls a Containerfile."""
    try:
        plan(read(text), {}, {})
    except BadRequest as error:
        assert error.message


@given(
    st.lists(
        st.sampled_from(
            ["FROM bb", "RUN a \\", "# c", "", "ARG X=${Y:-'", "COPY a b", "<<E", "E", 'ENV a="', "\\"]
        )
    )
)
def test_any_order_of_lines_is_read_or_refused(lines: list[str]) -> None:
    try:
        plan(read("\n".join(lines)), {}, {})
    except BadRequest as error:
        assert error.message.startswith("Containerfile")


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text()))
def test_quoted_text_is_itself(text: str, variables: dict[str, str]) -> None:
    quoted = "'" + text.replace("'", "'\"'\"'") + "'"
    assert expand(quoted, variables) == text
    assert [expand(word, variables) for word in split(quoted)] == [text]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FROM", "Containerfile:1: FROM needs something after it"),
        ("FROM a b", "Containerfile:1: FROM a b: not understood"),
        ("FROM $X", "Containerfile:1: FROM $X: the name of the image is empty"),
        ("FROM bb AS 1x", "Containerfile:1: '1x' cannot be a stage's name"),
        ("FROM bb AS x\nFROM bb AS X", "Containerfile:2: there is a stage 'x' already"),
        ("FROM bb AS x\nCOPY --from=x a b", "Containerfile:2: --from=x is not an earlier stage"),
        ("FROM bb\nCOPY a", "Containerfile:2: COPY needs a source and a target"),
        ("FROM bb\nCOPY --chmod=999 a b", "Containerfile:2: --chmod=999: that is no mode"),
        ("FROM bb\nCOPY --chmod a b", "Containerfile:2: COPY --chmod has no value"),
        ("FROM bb\nENV a", "Containerfile:2: ENV a has no value"),
        ("FROM bb\nENV a=1 b", "Containerfile:2: ENV: 'b' is no NAME=VALUE"),
        ("FROM bb\nENV a='1", "Containerfile:2: a ' is not closed"),
        ("FROM bb\nSHELL sh", "Containerfile:2: SHELL needs the JSON form"),
        ("FROM bb\nONBUILD FROM x", "Containerfile:2: ONBUILD FROM is not allowed"),
        ("FROM bb\nRUN <<E\n#!/usr/bin/python\nE", "Containerfile:2: RUN of a heredoc is for the shell"),
        ("FROM bb\nADD git@x:y /", "Containerfile:2: ADD git@x:y: a build fetches nothing itself"),
        ("# escape=x\nFROM bb", "Containerfile:1: escape is 'x'"),
        ("a\0b", "Containerfile has a zero byte"),
    ],
)  # fmt: skip
def test_what_is_refused_names_its_line(text: str, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        plan(read(text), {}, {})
    assert caught.value.message.startswith(says)
    assert caught.value.remedy or "zero" in says


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("EXPOSE 0", "EXPOSE 0: that is no port"),
        ("EXPOSE http", "EXPOSE http: that is no port"),
        ("STOPSIGNAL NOPE", "there is no signal 'NOPE'"),
        ("USER $NOBODY", "USER $NOBODY is empty here"),
        ("HEALTHCHECK curl x", "HEALTHCHECK is neither NONE nor CMD"),
        ("HEALTHCHECK --interval=soon CMD x", "--interval=soon: that is no duration"),
        ("HEALTHCHECK --retries=-1 CMD x", "--retries=-1: that is no number"),
    ],
)
def test_settings_that_are_refused(line: str, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        config_of(f"FROM bb\n{line}\n")
    assert caught.value.message.startswith(f"Containerfile:2: {says}")
