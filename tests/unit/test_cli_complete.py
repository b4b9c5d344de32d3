"""What can come next on a command line, as far as no engine is needed; the scripts in real shells."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tui.cli.complete import FILES, answer, candidates
from tui.cli.verbs import VERBS
from tui.cli.verbs.completion import SCRIPTS


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIFFIN_ROOT", str(tmp_path))


def words(*line: str) -> list[str]:
    return [word for word, _ in candidates(line)]


def test_verbs_come_first() -> None:
    assert set(VERBS) < set(words(""))
    assert words("re") == [verb for verb in VERBS if verb.startswith("re")]
    assert words("--root", "/x", "rena") == ["rename"]
    assert words("--root=/x", "rena") == ["rename"]


def test_flags_of_a_verb() -> None:
    assert words("run", "--mem") == ["--memory", "--memory-high", "--memory-swap"]
    assert words("logs", "--f") == ["--follow"]
    assert "--json" in words("network", "ls", "-")


def test_second_level_verbs() -> None:
    assert words("network", "") == ["ls", "create", "rm", "inspect"]
    assert words("engine", "st") == ["status", "start", "stop"]


def test_values_of_flags() -> None:
    assert words("run", "--restart", "on") == ["on-failure"]
    assert words("run", "--restart=on") == ["--restart=on-failure"]
    assert "SIGTERM" in words("kill", "-s", "SIGT")
    assert words("run", "--env-file", "") == [FILES]
    assert words("run", "--name", "") == []
    assert words("completion", "") == ["bash", "zsh", "fish"]


def test_after_the_image_comes_the_program() -> None:
    assert words("run", "host", "--mem") == [FILES]
    assert words("run", "-e", "A=1", "--rm", "host", "") == [FILES]
    assert words("exec", "web", "sh", "-") == [FILES]


def test_without_an_engine_names_are_silently_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["rm", ""]) == 0
    assert answer(["no-such-verb", ""]) == 0
    assert capsys.readouterr() == ("", "")


SHELL_CHECKS = {
    "bash": """source <(tiffin completion bash)
        COMP_LINE="tiffin rest" COMP_POINT=11
        _tiffin
        echo "${COMPREPLY[@]}" """,
    "fish": 'tiffin completion fish | source; complete -C "tiffin rest"',
    "zsh": "",
}


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_scripts_in_their_shells(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        assert (
            answer(["completion", ""]) == 0
        )  # the shell is not here: only the script's existence can be seen
        return
    tool = tmp_path / "tiffin"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m tui.cli "$@"\n')
    tool.chmod(0o755)
    script = tmp_path / f"script.{shell}"
    script.write_text(SCRIPTS[shell])
    subprocess.run([shell, "-n", script], check=True)
    if check := SHELL_CHECKS[shell]:
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
        found = subprocess.run([shell, "-c", check], capture_output=True, text=True, check=True, env=path)
        assert found.stdout.split()[:1] == ["restart"]
        assert found.stderr == ""
