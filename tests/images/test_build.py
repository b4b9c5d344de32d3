"""Building: real Containerfiles through a real engine, its containers and its confined workers."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from command import PROJECT, Going, Tiffin, eventually, tiffin_at
from leftovers import leftovers
from roots import busybox_tar

from engine.client import EngineClient, context
from engine.errors import TiffinError
from engine.instance import find
from engine.model import BuildOptions, ImageSummary, Limits

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def tiffin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiffin]:
    """One engine for the module, with a busybox image called bb."""
    root = tmp_path_factory.mktemp("build") / "tiffin"
    with tiffin_at(root) as tool:
        EngineClient.connect(find(root)).image_import(io.BytesIO(busybox_tar()), "bb")
        yield tool
    eventually(lambda: not leftovers(find(root)), "nothing is left")


@pytest.fixture
def client(tiffin: Tiffin) -> EngineClient:
    """A client of that engine."""
    return EngineClient.connect(find(tiffin.root))


class Built(NamedTuple):
    """What came of a build."""

    image: ImageSummary
    steps: list[str]  # their instructions, "=" before one that was cached
    output: list[str]  # lines of all RUNs


def write(folder: Path, containerfile: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    lines = containerfile.strip("\n").split("\n")
    (folder / "Containerfile").write_text("\n".join(line.removeprefix("    ") for line in lines))
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def build(client: EngineClient, folder: Path, *names: str, **more: object) -> Built:
    text = (folder / "Containerfile").read_text()
    options = BuildOptions(containerfile=text, names=list(names), **more)  # type: ignore[arg-type]
    steps: list[str] = []
    output = ""
    with client.image_build(options, context.pack(folder, context.rules(folder))) as going:
        for told in going:
            if told.what == "step" and not told.container:
                steps.append(told.text.split()[0])
            elif told.what == "cached":
                steps[-1] = f"={steps[-1]}"
            elif told.what == "output":
                output += told.text
            elif told.image:
                return Built(told.image, steps, output.splitlines())
    raise AssertionError("no image")


def test_several_stages(client: EngineClient, tmp_path: Path) -> None:
    text = """
    ARG BASE=bb
    FROM --platform=$BUILDPLATFORM $BASE AS made
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
    COPY --from=bb /bin/sh /bin/cat /bin/
    RUN ["/bin/sh", "-c", "cat /out; echo $HOSTNAME"]
    CMD ["/bin/cat", "/out"]
    """
    folder = write(tmp_path, text, **{"a.txt": "a\n", "deep__b": "b\n"})
    built = build(client, folder, "stages", "second/name:2", args={"WHO": "you"})
    assert built.output == ["hello you", "a", "b", "build"]
    assert built.image.names == ["stages:latest", "second/name:2"]
    assert built.image.config.command == ["/bin/cat", "/out"]
    assert len(built.image.layers) == 3  # RUN changed nothing


def test_ownership_and_modes(client: EngineClient, tmp_path: Path) -> None:
    text = """
    FROM bb AS other
    RUN echo x > /theirs && chown 8:9 /theirs && chmod 4750 /theirs
    FROM bb
    COPY --chown=user:5 --chmod=0641 f /by-name
    COPY --chown=7 f /by-number
    COPY f tree /kept/
    COPY --from=other /theirs /
    RUN stat -c '%n %u:%g %a %F' /by-name /by-number /kept/* /theirs
    """
    folder = write(tmp_path, text, f="x", tree__run="#!/bin/sh\n")
    (folder / "tree/run").chmod(0o755)
    os.chown(folder / "f", 99, 99)
    (folder / "tree/link").symlink_to("run")
    assert build(client, folder).output == [
        "/by-name 1000:5 641 regular file",
        "/by-number 7:7 644 regular file",
        "/kept/f 0:0 644 regular file",
        "/kept/link 0:0 777 symbolic link",
        "/kept/run 0:0 755 regular file",
        "/theirs 8:9 4750 regular file",
    ]


def test_what_the_config_says(client: EngineClient, tmp_path: Path) -> None:
    text = """
    FROM bb
    LABEL a=1 "b c"='d  e'
    EXPOSE 80 53/udp 8000-8001
    VOLUME /data
    USER user
    STOPSIGNAL SIGUSR1
    SHELL ["/bin/busybox", "sh", "-c"]
    ENTRYPOINT ["/bin/echo"]
    CMD ["hi"]
    """
    folder = write(tmp_path, text)
    made = build(client, folder, "config", labels={"by": "hand"}).image.config
    assert made.labels == {"a": "1", "b c": "d  e", "by": "hand"}
    assert set(made.exposed) == {"80/tcp", "53/udp", "8000/tcp", "8001/tcp"}
    assert (made.user, made.stop_signal, made.volumes) == ("user", "SIGUSR1", ["/data"])
    assert (made.entrypoint, made.command) == (["/bin/echo"], ["hi"])
    text = """
    FROM config
    RUN id -u; echo $0; touch /tmp/mine
    USER 0
    RUN mkdir /data && echo in a volume > /data/x
    RUN cat /data/x
    ENTRYPOINT cat
    """
    built = build(client, write(folder, text))
    assert built.output == ["1000", "sh", "in a volume"]
    assert (built.image.config.entrypoint, built.image.config.command) == (
        ["/bin/busybox", "sh", "-c", "cat"],
        [],
    )


def test_the_cache_knows_what_determines_a_layer(
    tiffin: Tiffin, client: EngineClient, tmp_path: Path
) -> None:
    text = """
    FROM bb
    ARG A=1
    COPY f g /in/
    RUN cat /in/f > /made
    """
    folder = write(tmp_path, text, f="1", g="2")
    fresh, cached = ["FROM", "ARG", "COPY", "RUN"], ["FROM", "ARG", "=COPY", "=RUN"]
    first = build(client, folder)
    assert first.steps == fresh
    os.utime(folder / "f", (1, 1))
    second = build(client, folder)
    assert second == first._replace(steps=cached)
    client.shutdown()
    client = EngineClient.connect(find(tiffin.root))
    assert build(client, folder).steps == cached
    assert build(client, folder, args={"A": "2"}).steps == ["FROM", "ARG", "=COPY", "RUN"]
    (folder / "f").chmod(0o600)
    assert build(client, folder).steps == fresh
    (folder / "f").chmod(0o644)
    (folder / "g").write_text("3")
    assert build(client, folder).steps == fresh
    assert build(client, folder, cache=False).steps == fresh


def test_two_builds_give_the_same_digest(client: EngineClient, tmp_path: Path) -> None:
    text = """
    FROM bb
    COPY f /in/f
    RUN mkdir -p /x/y && echo z > /x/y/z && rm /etc/group; echo $SOURCE_DATE_EPOCH > /epoch
    WORKDIR /w
    RUN stat -c %Y /x/y/z /w /in/f /epoch; cat /epoch; test ! -e /etc/group
    """
    folder = write(tmp_path, text.replace("FROM bb", "FROM bb\n    ARG SOURCE_DATE_EPOCH"), f="1")
    first = build(client, folder, cache=False, epoch=1700000000)
    os.utime(folder / "f", (1800000000, 1800000000))
    second = build(client, folder, cache=False, epoch=1700000000)
    assert first.output == second.output == ["1700000000"] * 5
    assert first.image.digest == second.image.digest
    assert build(client, folder, cache=False, epoch=1700000001).image.digest != first.image.digest


def test_archives_are_unpacked_by_add_alone(client: EngineClient, tmp_path: Path) -> None:
    text = """
    FROM bb
    ADD a.tar.gz plain.gz /add/
    COPY a.tar.gz /copy/
    RUN cd /add; stat -c '%n %u %a %h' deep/file hard; ls; ls /copy
    """
    folder = write(tmp_path, text)
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("deep/file")
        info.size, info.uid, info.mode = 2, 42, 0o640
        tar.addfile(info, io.BytesIO(b"hi"))
        link = tarfile.TarInfo("hard")
        link.type, link.linkname = tarfile.LNKTYPE, "deep/file"
        tar.addfile(link)
    with (folder / "plain.gz").open("wb") as file:
        subprocess.run(["gzip"], input=b"text", stdout=file, check=True)
    assert build(client, folder).output == (
        ["deep/file 42 640 2", "hard 42 640 2", "deep", "hard", "plain.gz", "a.tar.gz"]
    )
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../outside"))
    with pytest.raises(TiffinError, match=r"Containerfile:2: ADD: the archive's member '\.\./\.\./outside'"):
        build(client, folder)


def test_heredocs_globs_and_ignored_files(client: EngineClient, tmp_path: Path) -> None:
    text = """
    FROM bb
    ARG WHO=me
    COPY <<-one <<"two" /texts/
    \t$WHO
    \tone
    $WHO
    two
    COPY *.[ch] src/*/x? /all/
    RUN <<EOF
    echo "shell $WHO"
    cat /texts/one /texts/two
    ls /all
    EOF
    COPY . /everything
    RUN cd /everything; find . -type f
    """
    names = ("a.c", "b.h", "n.o", "src__1__x1", "src__2__xy", "src__2__z")
    folder = write(tmp_path, text, **dict.fromkeys(names, ""))
    (folder / ".dockerignore").write_text("# left out\n**/*.o\nsrc/*\n!src/2\n.dockerignore\n")
    output = build(client, folder).output
    assert output[:6] == ["shell me", "me", "$WHO", "a.c", "b.h", "xy"]
    assert sorted(output[6:]) == ["./Containerfile", "./a.c", "./b.h", "./src/2/xy", "./src/2/z"]


def test_triggers_of_the_base_run_first(client: EngineClient, tmp_path: Path) -> None:
    folder = write(tmp_path, "FROM bb\nONBUILD COPY f /from-child\nONBUILD RUN cat /from-child", f="1")
    assert build(client, folder, "base").output == []
    built = build(client, write(tmp_path, "FROM base\nRUN echo last"))
    assert built.output == ["1last"]
    assert built.steps == ["FROM", "COPY", "RUN", "RUN"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FROM bb\nCOPY nope /", "Containerfile:2: COPY: there is no 'nope' in the context"),
        ("FROM bb\nCOPY ../x /", "Containerfile:2: COPY: '../x' leads out of the context"),
        ("FROM bb\nCOPY no*pe /", "Containerfile:2: COPY: nothing in the context matches 'no*pe'"),
        ("FROM bb\nRUN exit 3", "Containerfile:2: RUN exit 3: it ended with status 3"),
        ('FROM bb\nRUN ["/nope"]', 'Containerfile:2: RUN ["/nope"]: '),
        ("FROM host\nRUN true", "Containerfile:1: FROM host: the image host is this machine itself"),
        ("FROM scratch\nRUN true", "Containerfile:2: RUN: the stage is still empty"),
        ("FROM --platform=linux/s390x bb", "Containerfile:1: --platform=linux/s390x: this machine is"),
        ("FROM bb\nWORKDIR /bin/busybox", "Containerfile:2: WORKDIR: /bin/busybox is there and is no folder"),
        ("FROM bb\nCOPY d /bin/sh/", "Containerfile:2: COPY: "),
        ("FROM bb\nCOPY f f d /x/../bin/\nCOPY d/x /bin/sh/y", "Containerfile:3: COPY: "),
        ("FROM bb\nCOPY --chown=nobody f /", "Containerfile:2: --chown=nobody: user: the stage has no user"),
        ("RUN true", "Containerfile:1: RUN comes before the first FROM"),
    ],
)
def test_what_is_refused(tiffin: Tiffin, client: EngineClient, tmp_path: Path, text: str, says: str) -> None:
    folder = write(tmp_path, text, f="", d__x="")
    with pytest.raises(TiffinError) as caught:
        build(client, folder)
    assert caught.value.message.startswith(says)
    eventually(lambda: not client.containers(), "no container is left")
    eventually(lambda: not list((tiffin.root / "state/builds").glob("*")), "its folder is removed")


def test_links_lead_nowhere_but_inside(client: EngineClient, tmp_path: Path) -> None:
    """A context and a stage full of links out: what is copied is theirs, never this machine's."""
    secret = tmp_path / "secret"
    secret.write_text("the host's")
    folder = write(tmp_path / "context", "FROM bb\nCOPY out /taken", f="x")
    (folder / "out").symlink_to(secret)
    with pytest.raises(TiffinError, match="there is no 'out' in the context"):
        build(client, folder)
    write(folder, f"FROM bb AS a\nRUN ln -s {secret} /x\nFROM bb\nCOPY --from=a /x /taken")
    with pytest.raises(TiffinError, match="there is no 'x' in the stage a"):
        build(client, folder)
    text = f"""
    FROM bb
    RUN mkdir -p {tmp_path} && ln -s {tmp_path} /evil && ln -s ../../../../.. /up
    COPY f /evil/planted
    COPY f /up/planted
    RUN ls /planted {tmp_path}/planted
    """
    assert build(client, write(folder, text)).output == ["/planted", f"{tmp_path}/planted"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["context", "secret"]
    assert not Path("/planted").exists()


def test_limits_hold_for_each_run(client: EngineClient, tmp_path: Path) -> None:
    folder = write(tmp_path, "FROM bb\nRUN x=$(head -c 60000000 /dev/zero | tr '\\0' a); echo ${#x}")
    with pytest.raises(TiffinError, match=r"Containerfile:2: RUN .*: it (was killed for|ended with status)"):
        build(client, folder, limits=Limits(memory=16 << 20, swap=0))
    assert build(client, folder).output == ["60000000"]


SLOW = "FROM bb\nRUN echo first > /first\nRUN echo begun; sleep 600"


def until_begun(going: Going) -> None:
    """Read on to what its last step prints; that step's own text, which is told before, ends otherwise."""
    for line in going.stderr:
        if line.split()[-1:] == ["begun"]:
            return


def test_ctrl_c_ends_a_build_and_leaves_nothing(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(tmp_path, SLOW)
    with tiffin.begin("build", "--progress", "plain", str(folder)) as going:
        until_begun(going)
        assert tiffin("ps", "-q")
        going.process.send_signal(signal.SIGINT)
        assert going.process.wait(30) == 130
    eventually(lambda: tiffin("ps", "-aq") == "", "its container is removed")
    eventually(lambda: not list((tiffin.root / "state/builds").glob("*")), "its folder is removed")


def test_the_client_is_killed(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(tmp_path, SLOW)
    with tiffin.begin("build", "--progress", "plain", str(folder)) as going:
        until_begun(going)
        going.process.kill()
    eventually(lambda: tiffin("ps", "-aq") == "", "its container is removed")


def test_the_engine_is_killed(tiffin: Tiffin, tmp_path: Path) -> None:
    folder = write(tmp_path, SLOW)
    with tiffin.begin("build", "--progress", "plain", str(folder)) as going:
        until_begun(going)
        os.kill(int(tiffin.json("engine", "status", "--json")["pid"]), signal.SIGKILL)
        _, told, status = going.end()
        assert status != 0
        assert "Traceback" not in told
    assert tiffin("ps", "-aq") == ""
    assert not list((tiffin.root / "state/builds").glob("*"))
    client = EngineClient.connect(find(tiffin.root))
    assert build(client, write(tmp_path, SLOW.replace("sleep 600", "true"))).steps == ["FROM", "=RUN", "RUN"]


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
