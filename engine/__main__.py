"""The engine's process: `python -m engine [--root DIR]`.

Started in the background by the first client that finds none, or in the foreground by a service manager.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import msgspec

from engine.client.http import connect
from engine.errors import Conflict, EngineUnavailable, KernelError, TiffinError
from engine.instance import Instance, find
from engine.model import Problem

LOG_MAX = 1 << 20  # bytes of engine.log, and of engine.log.1 behind it
PATIENCE = 10.0  # seconds that an engine which is just ending gets

log = logging.getLogger("engine")


class AlreadyRuns(Conflict):
    """Another engine of this instance answers."""


def main() -> int:
    """Run the engine until it is told to end; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m engine", description="The engine of one tiffin instance."
    )
    parser.add_argument(
        "--root", help="folder of the instance; without it the machine's own, or TIFFIN_ROOT's"
    )
    parser.add_argument(
        "--ready-fd", type=int, help="go to the background; tell on this descriptor when ready"
    )
    args = parser.parse_args()
    if args.ready_fd is not None:
        os.set_inheritable(args.ready_fd, False)
        if os.fork():  # no thread exists yet; the client that started this one need not reap it
            os._exit(0)
        os.setsid()
    gc.disable()  # while all is made and nothing is garbage
    os.chdir("/")
    os.umask(0o022)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # about twenty descriptors for each container
    try:
        instance = find(args.root)
        with _locked(instance):
            _log_to_stderr(instance.log if args.ready_fd is not None else None)
            asyncio.run(_serve(instance, args.ready_fd))
    except AlreadyRuns as error:
        if args.ready_fd is None:
            return _failed(error, None)
        _tell(args.ready_fd, b"ready")
    except TiffinError as error:
        return _failed(error, args.ready_fd)
    except Exception as error:
        log.exception("the engine ended")
        what = f"the engine ended: {type(error).__name__}: {error}"
        return _failed(TiffinError(what, "see engine.log"), args.ready_fd)
    return 0


async def _serve(instance: Instance, ready: int | None) -> None:
    # Not at the top: they take most of the start's time, which one that runs already need not spend.
    from engine.containers import Containers
    from engine.server import Server, bind

    containers = await Containers.open(instance)
    try:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        server = Server(containers, stopping.set)
        try:
            await server.start(bind(instance))
            gc.freeze()  # what the start made lives as long as the engine
            gc.enable()
            log.info("engine %d serves %s", os.getpid(), instance.socket)
            _tell(ready, b"ready")
            await stopping.wait()
        finally:
            instance.socket.unlink(
                missing_ok=True
            )  # before all else: a client that comes now starts the next one
            await server.close()
    finally:
        await containers.close()
    log.info("engine %d ends", os.getpid())


@contextlib.contextmanager
def _locked(instance: Instance):  # type: ignore[no-untyped-def]
    """Hold the instance's lock; waits for an engine that is just ending."""
    try:
        instance.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        instance.state.mkdir(parents=True, exist_ok=True, mode=0o711)
        path = instance.run / "engine.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise KernelError.of(f"making {error.filename}", error, "run it as root, or give --root") from error
    deadline = time.monotonic() + PATIENCE
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(fd, 20, 0).decode()
            with contextlib.suppress(EngineUnavailable):
                connect(instance.socket).close()
                raise AlreadyRuns(f"an engine runs already on {instance.socket}, process {holder}")
            if time.monotonic() > deadline:
                raise Conflict(
                    f"engine process {holder} holds {path} but does not answer", f"end it: kill {holder}"
                )
            time.sleep(0.02)  # neither its end nor its readiness can be waited for together
        os.truncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(fd)


class _Bounded(logging.StreamHandler):  # type: ignore[type-arg]
    """Logs to standard error, which is the file at `path`: copied away and begun anew when it has grown long.

    Truncated, not renamed, because launcher and workers have it open too.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(sys.stderr)
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        with contextlib.suppress(OSError):
            if os.fstat(2).st_size > LOG_MAX:
                shutil.copyfile(self._path, self._path.with_name(self._path.name + ".1"))
                os.ftruncate(2, 0)


def _log_to_stderr(path: Path | None) -> None:
    handler = _Bounded(path) if path else logging.StreamHandler()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler]
    )
    logging.captureWarnings(True)


def _failed(error: TiffinError, ready: int | None) -> int:
    problem = Problem(message=error.message, remedy=error.remedy, kind=error.kind, exit_code=error.exit_code)
    _tell(ready, msgspec.json.encode(problem))
    print(f"engine: {error}", file=sys.stderr)
    return error.exit_code


def _tell(ready: int | None, what: bytes) -> None:
    """Say on the readiness pipe how the start went; nobody listens to it after that."""
    if ready is not None:
        with contextlib.suppress(OSError):
            os.write(ready, what)
            os.close(ready)


if __name__ == "__main__":
    sys.exit(main())
