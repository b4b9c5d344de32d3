"""Flags and operands of the command line, and what they add up to."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import UNSET

from engine.errors import NotFound
from engine.model import ContainerConfig, IoLimit, Limits, LimitsChange, LogOptions
from tui.cli import container_options, limit_options
from tui.cli.main import main, parser_of
from tui.cli.parser import UsageError
from tui.cli.verbs import VERBS
from tui.cli.verbs.cp import Target, where
from tui.cli.verbs.inspect import field


def parsed(verb: str, *words: str) -> argparse.Namespace:
    return parser_of(verb).parse_args(list(words))


def config(*words: str) -> ContainerConfig:
    return container_options.config(parsed("run", *words))


def change(*words: str, memory: int | None = None) -> LimitsChange:
    return limit_options.limits_change(parsed("update", *words, "web"), memory)


def test_what_follows_the_image_is_the_programs() -> None:
    asked = config("-it", "--rm", "host", "sh", "-c", "echo $0", "--memory", "--", "-x")
    assert asked.image == "host"
    assert asked.command == ["sh", "-c", "echo $0", "--memory", "--", "-x"]
    assert asked.tty
    assert asked.stdin
    assert asked.auto_remove
    assert asked.limits == Limits()


def test_flags_joined_with_their_values() -> None:
    asked = config("-eA=1", "-p8080:80", "--name=x", "-m64m", "-h", "box", "-w/tmp", "host")
    assert asked.env == ["A=1"]
    assert asked.publish[0].host_port == 8080
    assert asked.limits.memory == 64 << 20
    assert asked.hostname == "box"
    assert asked.workdir == "/tmp"


def test_all_limits_at_once() -> None:
    words = (
        "--cpus 0.5 --cpu-weight 10 --cpu-idle --cpuset-cpus 0-1 -m 64m --memory-high 32m --memory-swap 100m"
    )
    words += " --io-weight 50 --pids-limit 20 --device-read-bps 8:0:1m --device-write-iops 8:0:100 host"
    assert config(*words.split()).limits == Limits(
        cpus=0.5,
        cpu_weight=10,
        cpu_idle=True,
        cpuset="0-1",
        memory=64 << 20,
        memory_high=32 << 20,
        swap=36 << 20,
        io_weight=50,
        pids=20,
        io={"8:0": IoLimit(read_bps=1 << 20, write_iops=100)},
    )


def test_dockers_own_terms_are_converted() -> None:
    assert config("--cpu-shares", "1024", "host").limits.cpu_weight == 100
    assert config("-c", "2", "host").limits.cpu_weight == 1
    assert config("--blkio-weight", "500", "host").limits.io_weight == 100


def test_swap_is_as_in_docker() -> None:
    assert config("-m", "64m", "host").limits.swap == 64 << 20
    assert config("-m", "64m", "--memory-swap", "-1", "host").limits.swap is None
    assert config("-m", "64m", "--memory-swap", "64m", "host").limits.swap == 0
    with pytest.raises(UsageError, match="less than --memory"):
        config("-m", "64m", "--memory-swap", "32m", "host")
    with pytest.raises(UsageError, match="needs a memory limit"):
        config("--memory-swap", "32m", "host")


def test_a_change_names_only_what_was_asked() -> None:
    assert change("--cpus", "1") == LimitsChange(cpus=1.0)
    assert change("--memory-swap", "100", memory=60).swap == 40
    assert change("--no-cpu-idle").cpu_idle is False


@pytest.mark.parametrize("word", ["max", "-1", "none", "0"])
def test_limits_are_cleared_again(word: str) -> None:
    cleared = change("--cpus", word, "--memory", word, "--pids-limit", word)
    assert (cleared.cpus, cleared.memory, cleared.pids) == (None, None, None)
    assert cleared.cpu_weight is UNSET


def test_a_devices_throttles_are_cleared_together() -> None:
    assert change("--device-read-bps", "/dev/vda:max").io == {"/dev/vda": IoLimit()}


def test_log_options() -> None:
    asked = config("--log-opt", "max-size=1m", "--log-opt", "max-file=2", "host")
    assert asked.log == LogOptions(max_size=1 << 20, max_files=2)
    assert config("--log-opt", "max-file=2", "host").log == LogOptions(max_files=2)


def test_variables_of_files_yield_to_those_of_flags(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=file\nB=file\n")
    assert config("--env-file", str(file), "-e", "A=flag", "host").env == ["A=flag", "B=file"]
    with pytest.raises(UsageError, match="No such file"):
        config("--env-file", str(tmp_path / "none"), "host")


def test_an_entrypoint_may_be_taken_away() -> None:
    assert config("host").entrypoint is None
    assert config("--entrypoint", "", "host").entrypoint == []
    assert config("--entrypoint", "/bin/sh", "host", "-c", "true").entrypoint == ["/bin/sh"]


def test_rm_and_restart_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="exclude"):
        config("--rm", "--restart", "always", "host")


@pytest.mark.parametrize(
    ("words", "sentence", "remedy"),
    [
        ("run --memory 64x host", "--memory 64x: not a size", "write 64m or 1g"),
        ("run --foo host", "run: unrecognized arguments: --foo", "see tiffin run --help"),
        ("run --mem 64m host", "run: unrecognized arguments: --mem", "see tiffin run --help"),
        ("run", "run: the following arguments are required: IMAGE", "see tiffin run --help"),
        ("exec web", "exec: the following arguments are required: COMMAND", "see tiffin exec --help"),
        ("logz web", "'logz' is not a verb", "did you mean tiffin logs?"),
        ("--root", "argument --root: expected one argument", "see tiffin --help"),
        ("network", "network: the following arguments are required: VERB", "see tiffin network --help"),
        ("update web", "update: nothing to change", "give a limit such as --cpus 0.5, or --undo"),
        ("cp a b", "cp: neither end is in a container", "write CONTAINER:PATH for one of them"),
        (
            "inspect -f {{.A}}{{.B}} a",
            "--format {{.A}}{{.B}}: Go templates are not understood",
            "name one field",
        ),
    ],
)
def test_a_wrong_command_line_gets_one_sentence_and_a_remedy(
    words: str, sentence: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 125
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == f"tiffin: {sentence}"
    assert len(lines) == 2
    assert remedy in lines[1]


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        with pytest.raises(SystemExit) as ended:
            main([verb, "--help"])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: tiffin {verb} ")


def test_the_command_line_imports_nothing_heavy() -> None:
    """Loading every verb brings neither a user interface library nor asyncio with it."""
    code = (
        "import sys\n"
        "from tui.cli.main import parser_of\n"
        "from tui.cli.verbs import VERBS\n"
        "for verb in VERBS: parser_of(verb)\n"
        "print([name for name in ('textual', 'rich', 'asyncio', 'aiohttp', 'pyroute2', 'tui.deck')"
        " if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_fields_of_inspect() -> None:
    known = {
        "State": {"Pid": 7},
        "Labels": {"com.example.x": "y"},
        "Ports": {"80/tcp": [{"HostPort": "8080"}]},
    }
    assert field(known, "State.Pid", "web") == 7
    assert field(known, "Labels.com.example.x", "web") == "y"
    assert field(known, "Ports.80/tcp.0.HostPort", "web") == "8080"
    with pytest.raises(NotFound, match=r"no field State\.Foo"):
        field(known, "State.Foo", "web")


@pytest.mark.parametrize(
    ("is_folder", "source", "target", "kind", "parent", "place"),
    [
        (False, "/etc/hosts", "out", "", "folder", Target("", "out")),
        (False, "/etc/hosts", "/tmp", "folder", "folder", Target("/tmp", "hosts")),
        (False, "/etc/hosts", "/tmp/old", "file", "folder", Target("/tmp", "old")),
        (True, "/etc", "/tmp", "folder", "folder", Target("/tmp", "etc")),
        (True, "/etc/", "/tmp", "folder", "folder", Target("/tmp", "etc")),
        (True, "/etc/.", "/tmp", "folder", "folder", Target("/tmp", "")),
        (True, "/etc", "/tmp/new", "", "folder", Target("/tmp", "new")),
        (True, "/etc/.", "/tmp/new/", "", "folder", Target("/tmp", "new")),
        (True, ".", "/x", "folder", "folder", Target("/x", "")),
        (True, "/", "/x", "folder", "folder", Target("/x", "")),
    ],
)
def test_places_of_copies(
    is_folder: bool, source: str, target: str, kind: str, parent: str, place: Target
) -> None:
    assert where(is_folder, source, target, kind, parent) == place
