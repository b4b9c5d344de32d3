"""Building: real Containerfiles through a real engine, its containers and its confined workers."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import PROJECT, Tiffin, eventually, tiffin_at
from leftovers import leftovers
from roots import busybox_tar

from engine.instance import find

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def tiffin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiffin]:
    """One engine for the module, with a busybox image called bb."""
    root = tmp_path_factory.mktemp("build") / "tiffin"
    with tiffin_at(root) as tool:
        tool("import", "-", "bb", input=busybox_tar())
        yield tool
    eventually(lambda: not leftovers(find(root)), "nothing is left")


def write(folder: Path, containerfile: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Containerfile").write_text(containerfile)
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def build(tiffin: Tiffin, folder: Path, *words: str) -> str:
    return tiffin("build", "-q", *words, str(folder))


def digest(tiffin: Tiffin, name: str) -> str:
    return next(
        image["digest"] for image in tiffin.json("images", "--json") if f"{name}:latest" in image["names"]
    )


def config(tiffin: Tiffin, name: str) -> dict[str, object]:
    (found,) = tiffin.json("inspect", name)
    return dict(found["Config"])


def in_image(tiffin: Tiffin, name: str, script: str) -> str:
    return tiffin("run", "--rm", name, "/bin/sh", "-c", script)


def test_several_stages(tiffin: Tiffin, tmp_path: Path) -> None:
    text = """
    ARG BASE=bb
    FROM $BASE AS made
    ARG WHO=world
    ENV GREETING="hello ${WHO:-nobody}" \\
        # a comment in between
        OTHER=1
    WORKDIR /app/sub
    COPY a.txt deep/ ./
    RUN echo $GREETING > out \\
     && cat a.txt b >> out
    FROM bb AS never
    RUN exit 1
    FROM scratch
    COPY --from=made /app/sub/out /
    COPY --from=bb --chown=4:5 --chmod=0755 /bin/busybox /bin/
    COPY --from=bb /bin/sh /bin/cat /bin/stat /bin/
    RUN ["/bin/sh", "-c", "cat /out > /copy"]
    CMD ["/bin/cat", "/copy"]
    """
    folder = write(tmp_path, text, **{"a.txt": "a\n", "deep__b": "b\n"})
    build(tiffin, folder, "-t", "stages", "--build-arg", "WHO=you", "-t", "second/name:2")
    assert tiffin("run", "--rm", "stages") == "hello you\na\nb"
    assert tiffin("run", "--rm", "second/name:2") == "hello you\na\nb"
    layers = next(image for image in tiffin.json("images", "--json") if "stages:latest" in image["names"])[
        "layers"
    ]
    assert len(layers) == 4


def test_ownership_and_modes(tiffin: Tiffin, tmp_path: Path) -> None:
    text = """
    FROM bb
    COPY --chown=user:5 --chmod=0641 f /by-name
    COPY --chown=7 f /by-number
    COPY f tree /kept/
    """
    folder = write(tmp_path, text, f="x", tree__run="#!/bin/sh\n")
    (folder / "tree/run").chmod(0o755)
    os.chown(folder / "f", 99, 99)
    (folder / "tree/link").symlink_to("run")
    build(tiffin, folder, "-t", "owners")
    found = in_image(tiffin, "owners", "stat -c '%n %u:%g %a %F' /by-name /by-number /kept/*")
    assert found.splitlines() == [
        "/by-name 1000:5 641 regular file",
        "/by-number 7:7 644 regular file",
        "/kept/f 0:0 644 regular file",
        "/kept/link 0:0 777 symbolic link",
        "/kept/run 0:0 755 regular file",
    ]


def test_what_the_config_says(tiffin: Tiffin, tmp_path: Path) -> None:
    text = """
    FROM bb
    LABEL a=1 "b c"='d  e'
    EXPOSE 80 53/udp 8000-8001
    VOLUME /data "/more data"
    USER user
    STOPSIGNAL SIGUSR1
    SHELL ["/bin/busybox", "sh", "-c"]
    HEALTHCHECK --interval=1m30s --retries=2 CMD test -f /ok
    ENTRYPOINT ["/bin/echo"]
    CMD ["hi"]
    """
    build(tiffin, write(tmp_path, text), "-t", "config", "--label", "by=hand")
    found = config(tiffin, "config")
    assert found["Labels"] == {"a": "1", "b c": "d  e", "by": "hand"}
    assert set(found["ExposedPorts"]) == {"80/tcp", "53/udp", "8000/tcp", "8001/tcp"}  # type: ignore[call-overload]
    assert found["User"] == "user"
    assert found["Entrypoint"] == ["/bin/echo"]
    assert found["Cmd"] == ["hi"]
    blobs = tiffin.root / "state/images/blobs/sha256"
    image = (
        json.loads((blobs / tiffin("images", "-q", "config").removeprefix("sha256:")).read_text())
        if False
        else None
    )
    assert image is None
    assert tiffin("run", "--rm", "config") == "hi"
    (tmp_path / "Containerfile").write_text(
        "FROM config\nRUN echo $0 > /tmp/shell\nENTRYPOINT cat /tmp/shell; id -u\n"
    )
    build(tiffin, tmp_path, "-t", "inherits")
    assert tiffin("run", "--rm", "inherits") == "sh\n1000"


def steps(tiffin: Tiffin, folder: Path, *words: str) -> list[str]:
    """The last word of what each step came to."""
    done = tiffin.process("build", "--progress", "plain", *words, str(folder))
    assert done.returncode == 0, done.stderr.decode()
    found, outcome = [], ""
    for line in done.stderr.decode().splitlines():
        if line[:1].isdigit():
            found.append(outcome)
            outcome = line.split()[1]
        elif line.startswith("  → cached"):
            outcome += " cached"
    return [*found[1:], outcome]


def test_the_cache_knows_what_determines_a_layer(tiffin: Tiffin, tmp_path: Path) -> None:
    text = """
    FROM bb
    ARG A=1
    COPY f g /in/
    RUN cat /in/f > /made
    WORKDIR /w
    """
    folder = write(tmp_path, text, f="1", g="2")
    fresh, cached = (
        ["FROM", "ARG", "COPY", "RUN", "WORKDIR"],
        ["FROM", "ARG", "COPY cached", "RUN cached", "WORKDIR cached"],
    )
    assert steps(tiffin, folder, "-t", "c1") == fresh
    os.utime(folder / "f", (1, 1))
    assert steps(tiffin, folder, "-t", "c2") == cached
    assert digest(tiffin, "c1") == digest(tiffin, "c2")
    tiffin("engine", "stop")
    assert steps(tiffin, folder) == cached
    assert steps(tiffin, folder, "--build-arg", "A=2") == ["FROM", "ARG", "COPY cached", "RUN", "WORKDIR"]
    (folder / "f").chmod(0o600)
    assert steps(tiffin, folder) == fresh
    (folder / "f").chmod(0o644)
    assert steps(tiffin, folder) == cached
    (folder / "g").write_text("3")
    assert steps(tiffin, folder) == fresh
    assert steps(tiffin, folder, "--no-cache") == fresh


def test_two_builds_give_the_same_digest(tiffin: Tiffin, tmp_path: Path) -> None:
    text = """
    FROM bb
    COPY f /in/f
    RUN date > /dev/null; mkdir -p /x/y && echo z > /x/y/z && rm /etc/group
    WORKDIR /w
    CMD ["true"]
    """
    folder = write(tmp_path, text, f="1")
    tiffin.env["SOURCE_DATE_EPOCH"] = "1700000000"
    try:
        build(tiffin, folder, "--no-cache", "-t", "r1")
        os.utime(folder / "f", (1800000000, 1800000000))
        build(tiffin, folder, "--no-cache", "-t", "r2")
    finally:
        del tiffin.env["SOURCE_DATE_EPOCH"]
    assert digest(tiffin, "r1") == digest(tiffin, "r2")
    assert in_image(tiffin, "r1", "stat -c %Y /x/y/z /w /in/f").split() == ["1700000000"] * 3
    build(tiffin, folder, "--no-cache", "-t", "r3")
    assert digest(tiffin, "r1") != digest(tiffin, "r3")


def test_archives_are_unpacked_by_add_alone(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(tmp_path, "FROM bb\nADD a.tar.gz plain.gz /add/\nCOPY a.tar.gz /copy/\n")
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("deep/file")
        info.size, info.uid, info.mode = 2, 42, 0o640
        tar.addfile(info, io.BytesIO(b"hi"))
        link = tarfile.TarInfo("hard")
        link.type, link.linkname = tarfile.LNKTYPE, "deep/file"
        tar.addfile(link)
    subprocess.run(["gzip"], input=b"text", stdout=(folder / "plain.gz").open("wb"), check=True)
    build(tiffin, folder, "-t", "added")
    found = in_image(tiffin, "added", "cd /add; stat -c '%n %u %a %h' deep/file hard; ls; ls /copy")
    assert found.split("\n") == [
        "deep/file 42 640 2",
        "hard 42 640 2",
        "deep",
        "hard",
        "plain.gz",
        "a.tar.gz",
    ]


def test_heredocs_globs_and_ignored_files(tiffin: Tiffin, tmp_path: Path) -> None:
    text = """
    FROM bb
    ARG WHO=me
    COPY <<-one <<"two" /texts/
	$WHO
	one
    $WHO
two
    COPY *.[ch] src/*/x? /all/
    RUN <<EOF
    echo "shell $WHO" > /script
    cat /texts/one /texts/two >> /script
EOF
    COPY . /everything
    """
    text = "\n".join(line.removeprefix("    ") for line in text.splitlines())
    folder = write(
        tmp_path,
        text,
        **{"a.c": "", "b.h": "", "n.o": "", "src__1__x1": "", "src__2__xy": "", "src__2__z": ""},
    )
    (folder / ".dockerignore").write_text("# left out\n**/*.o\nsrc/*\n!src/2\n.dockerignore\n")
    build(tiffin, folder, "-t", "texts")
    assert in_image(tiffin, "texts", "cat /script") == "shell me\nme\n$WHO"
    assert in_image(tiffin, "texts", "ls /all").split() == ["a.c", "b.h", "xy"]
    assert in_image(tiffin, "texts", "cd /everything; find . -type f").split() == [
        "./Containerfile", "./a.c", "./b.h", "./src/2/xy", "./src/2/z",
    ]  # fmt: skip


def test_triggers_of_the_base_run_first(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(
        tmp_path, "FROM bb\nONBUILD COPY f /from-child\nONBUILD RUN cat /from-child > /ran\n", f="1"
    )
    build(tiffin, folder, "-t", "base")
    assert in_image(tiffin, "base", "ls /from-child /ran; true") == ""
    (folder / "Containerfile").write_text("FROM base\nCMD cat /ran\n")
    build(tiffin, folder, "-t", "child")
    assert tiffin("run", "--rm", "child") == "1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("RUN true", "Containerfile:1: RUN comes before the first FROM"),
        ("FROM bb\nFRM x", "Containerfile:2: 'FRM' is no instruction"),
        (
            "FROM bb\n\n# c\nRUN --mount=type=cache,target=/x true",
            "Containerfile:4: RUN has no flag --mount here",
        ),
        ("FROM bb\nCOPY nope /", "Containerfile:2: COPY: there is no 'nope' in the context"),
        ("FROM bb\nCOPY ../x /", "Containerfile:2: COPY: '../x' leads out of the context"),
        ("FROM bb\nCOPY no*pe /", "Containerfile:2: COPY: nothing in the context matches 'no*pe'"),
        ("FROM bb\nCOPY a b", None),
        ("FROM bb\nADD https://x.test/y /", "Containerfile:2: ADD https://x.test/y: a build fetches nothing"),
        ("FROM bb\nRUN exit 3", "Containerfile:2: RUN exit 3: it ended with status 3"),
        ('FROM bb\nRUN ["/nope"]', 'Containerfile:2: RUN ["/nope"]: '),
        ("FROM bb\nUSER ${U:?not given}", "Containerfile:2: U: not given"),
        ("FROM host\nRUN true", "Containerfile:1: FROM host: the image host is this machine itself"),
        ("FROM scratch\nRUN true", "Containerfile:2: RUN: the stage is still empty"),
        ("FROM --platform=linux/s390x bb", "Containerfile:1: --platform=linux/s390x: this machine is"),
        ("FROM bb AS x\nFROM bb\nCOPY --from=y a b\n", None),
        ("FROM bb\nWORKDIR /bin/busybox", "Containerfile:2: WORKDIR: /bin/busybox is there and is no folder"),
        ("FROM bb\nCOPY f /bin", None),
        ("FROM bb\nCOPY f d /bin/sh", "Containerfile:2: COPY of several sources"),
        ("FROM bb\nCOPY --chown=nobody f /", "Containerfile:2: --chown=nobody: user: the stage has no user"),
        ("FROM bb\nRUN <<EOF\ntrue", "Containerfile:2: the heredoc <<EOF has no end"),
        ("# nothing", "Containerfile has no instruction in it"),
    ],
)
def test_what_is_refused(tiffin: Tiffin, tmp_path: Path, text: str, says: str | None) -> None:
    folder = write(tmp_path, text, f="", d__x="")
    before = {image["id"] for image in tiffin.json("images", "--json")}
    done = tiffin.process("build", "-q", str(folder))
    told = done.stderr.decode()
    if says is None and done.returncode == 0:
        return
    assert done.returncode == 1, told
    assert told.startswith(f"tiffin: {says}" if says else "tiffin: Containerfile:"), told
    assert "Traceback" not in told
    assert tiffin("ps", "-aq") == ""
    assert not list((tiffin.root / "state/builds").glob("*"))
    assert {image["id"] for image in tiffin.json("images", "--json")} == before
    assert tiffin("ps", "-aq") == ""


def test_links_lead_nowhere_but_inside(tiffin: Tiffin, tmp_path: Path) -> None:
    """A context and a stage full of links out: what is copied is theirs, never this machine's."""
    secret = tmp_path / "secret"
    secret.write_text("the host's")
    folder = write(tmp_path / "context", "FROM bb\nCOPY out /taken\n")
    (folder / "out").symlink_to(secret)
    assert "there is no 'out' in the context" in tiffin.process("build", str(folder)).stderr.decode()
    (folder / "Containerfile").write_text(
        f"FROM bb AS a\nRUN ln -s {secret} /x && ln -s / /up\nFROM bb\nCOPY --from=a /x /taken\n"
    )
    assert "there is no '/x'" in tiffin.process("build", str(folder)).stderr.decode().replace("'x'", "'/x'")
    (folder / "Containerfile").write_text(
        f"FROM bb\nRUN ln -s {tmp_path} /evil && ln -s ../../../../.. /up\nCOPY f /evil/planted\nCOPY f /up/planted\n"
    )
    (folder / "f").write_text("x")
    build(tiffin, folder, "-t", "linked")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["context", "secret"]
    assert not Path("/planted").exists()
    assert in_image(tiffin, "linked", f"ls {tmp_path} /planted").split() == [
        "/planted",
        f"{tmp_path}:",
        "planted",
    ]


def test_limits_hold_for_each_run(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "FROM bb\nRUN head -c 200000000 /dev/zero | wc -c; x=$(head -c 100000000 /dev/zero | tr '\\0' a)\n",
    )
    done = tiffin.process("build", "--memory", "32m", "--no-cache", str(folder))
    assert done.returncode == 1
    assert "200000000" in done.stderr.decode()


def running(tiffin: Tiffin) -> list[str]:
    return tiffin("ps", "-q").split()


SLOW = "FROM bb\nRUN echo first > /first\nRUN echo begun; sleep 600\n"


def test_ctrl_c_ends_a_build_and_leaves_nothing(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(tmp_path, SLOW)
    with tiffin.begin("build", "--progress", "plain", str(folder)) as going:
        for line in going.stderr:
            if "begun" in line:
                break
        assert running(tiffin)
        going.process.send_signal(signal.SIGINT)
        assert going.process.wait(30) == 130
    eventually(lambda: tiffin("ps", "-aq") == "", "its container is removed")
    eventually(lambda: not list((tiffin.root / "state/builds").glob("*")), "its folder is removed")


def test_the_client_is_killed(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(tmp_path, SLOW)
    with tiffin.begin("build", "--progress", "plain", str(folder)) as going:
        for line in going.stderr:
            if "begun" in line:
                break
        going.process.kill()
    eventually(lambda: tiffin("ps", "-aq") == "", "its container is removed")


def test_the_engine_is_killed(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(tmp_path, SLOW)
    with tiffin.begin("build", "--progress", "plain", str(folder)) as going:
        for line in going.stderr:
            if "begun" in line:
                break
        os.kill(int(tiffin.json("engine", "status", "--json")["pid"]), signal.SIGKILL)
        _, told, status = going.end()
        assert status != 0
        assert "Traceback" not in told
    assert tiffin("ps", "-aq") == ""
    assert not list((tiffin.root / "state/builds").glob("*"))
    assert steps(tiffin, write(tmp_path, SLOW.replace("sleep 600", "true")))[:2] == ["FROM", "RUN cached"]
    assert tiffin("images", "--verify") is not None


def test_dockers_classic_builder(tiffin: Tiffin, tmp_path: Path) -> None:
    """Docker's own client builds here, and is told what is wrong with a line."""
    folder = write(tmp_path, "FROM bb\nARG A\nRUN echo $A > /a\nCMD cat /a\n")
    (folder / "Containerfile").rename(folder / "Dockerfile")
    env = {**os.environ, "DOCKER_HOST": f"unix://{tiffin.root}/run/engine.sock", "DOCKER_BUILDKIT": "0"}
    env["DOCKER_CONFIG"] = str(tmp_path)
    words = ["docker", "build", "-t", "by-docker", "--build-arg", "A=yes", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, env=env, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    assert "Step 3/4 : RUN echo $A > /a" in done.stdout
    assert "Successfully tagged by-docker:latest" in done.stdout
    assert tiffin("run", "--rm", "by-docker") == "yes"
    (folder / "Dockerfile").write_text("FROM bb\nRUN echo why; exit 4\n")
    done = subprocess.run(words, capture_output=True, text=True, env=env, cwd=PROJECT)
    assert done.returncode == 1
    assert "why" in done.stdout
    assert "Dockerfile:2: RUN echo why; exit 4: it ended with status 4" in done.stderr
