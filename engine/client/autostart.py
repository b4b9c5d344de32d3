"""Starting an engine in the background when none runs."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
from pathlib import Path

import engine
from engine.client.http import connect, from_problem
from engine.decoding import decode
from engine.errors import EngineUnavailable, KernelError, NotPermitted
from engine.instance import Instance
from engine.model import Problem

PROJECT = Path(engine.__file__).parent.parent  # where -m finds the package; the engine moves to / itself
PATIENCE = 60.0  # seconds until a starting engine counts as stuck; a slow emulated kernel needs several


def start(instance: Instance) -> None:
    """Start the instance's engine unless one answers, and return when it does.

    Clients that come at once queue at a lock, so that one engine is started. Raises EngineUnavailable, or
    what kept the engine from starting.
    """
    try:
        instance.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        instance.state.mkdir(parents=True, exist_ok=True, mode=0o711)
        lock = os.open(instance.run / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise NotPermitted(
            f"making {error.filename}: {error.strerror}", "run tiffin as root, or choose a folder with --root"
        ) from error
    except OSError as error:
        raise KernelError.of(f"making {error.filename}", error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _answers(instance):
            _spawn(instance)
    finally:
        os.close(lock)


def _answers(instance: Instance) -> bool:
    try:
        connect(instance.socket).close()
        return True
    except EngineUnavailable:
        return False


def _spawn(instance: Instance) -> None:
    """Run `python -m engine` and read its readiness pipe: "ready", a Problem, or nothing if it died."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with os.fdopen(reader, "rb") as ready:
        try:
            command = [sys.executable, "-m", "engine", "--ready-fd", str(writer)]
            if instance.root:
                command += ["--root", str(instance.root)]
            with instance.log.open("ab") as log:
                subprocess.run(  # returns at once: the engine goes on as a child of init, which reaps it
                    command,
                    cwd=PROJECT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[writer],
                    check=False,
                )
        except OSError as error:
            raise EngineUnavailable(f"starting the engine: {error}", f"see {instance.log}") from error
        finally:
            os.close(writer)
        if not select.select([ready], [], [], PATIENCE)[0]:
            raise EngineUnavailable(f"the engine is not ready after {PATIENCE:.0f} s", f"see {instance.log}")
        said = ready.read()
    if said == b"ready":
        return
    if said:
        raise from_problem(decode(said, Problem))
    raise EngineUnavailable("the engine ended before it was ready", f"see {instance.log}")
