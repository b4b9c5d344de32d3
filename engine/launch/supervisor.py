"""The engine's handle on the launcher: started once, and again whenever it was killed."""

from __future__ import annotations

import asyncio
import compileall
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from engine.decoding import decode
from engine.errors import KernelError, LaunchError
from engine.kernel import mount
from engine.launch.handle import Attachment, Monitor
from engine.launch.line import Line
from engine.launch.plan import ExecPlan, LaunchPlan

__all__ = ["Attachment", "Launcher", "Monitor"]


class Launcher:
    """The launcher process; `log` is the file that it and the monitors complain to."""

    def __init__(self, log: Path | None = None) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int:
        """Its process id, 0 when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    async def start(self) -> None:
        """Start it, unless it runs; KernelError where the kernel does not allow that."""
        async with self._starting:
            if not self.pid:
                await self._stop()
                await asyncio.to_thread(_compile)
                self._line, theirs = Line.pair()
                self._process = _spawn(theirs, self._log)

    async def close(self) -> None:
        """End the launcher; monitors go on."""
        async with self._starting:
            await self._stop()

    async def launch(self, folder: Path) -> Monitor:
        """Start the monitor and init of the container in `folder`; the program then waits for `go`.

        LaunchError where the container could not be created.
        """
        plan = decode((folder / "launch.json").read_bytes(), LaunchPlan)
        request = {"op": "launch", "folder": str(folder)}
        return await self._monitor(plan.id, Path(plan.socket), request, [])

    async def exec(self, plan: ExecPlan) -> Monitor:
        """Prepare a further program in a running container; it then waits for `go`.

        LaunchError where the container does not run.
        """
        file = os.memfd_create("plan", os.MFD_CLOEXEC)  # it may be longer than a packet
        try:
            os.write(file, msgspec.json.encode(plan))
            return await self._monitor(plan.id, Path(plan.socket), {"op": "exec"}, [file])
        finally:
            os.close(file)

    async def _monitor(self, id: str, path: Path, request: dict[str, str], fds: list[int]) -> Monitor:
        for _ in range(2):  # it may have been killed just now; then nothing was started
            await self.start()
            assert self._line
            ours, theirs = Line.pair()
            monitor = Monitor(id, path, ours)
            try:
                with theirs:
                    await self._line.send(msgspec.json.encode(request), [theirs.fileno(), *fds])
                await monitor.told()
            except BaseException:
                await monitor.close()
                raise
            if monitor.record.monitor and monitor.record.status != "exited":
                return monitor
            await monitor.close()
            if monitor.record.monitor:
                raise monitor.failure()
            await self.close()  # its end is closed, but it may not count as ended yet
        raise LaunchError(f"cannot start {id[:12]}: the launcher ended", "see the engine's log")

    async def _stop(self) -> None:
        if self._line:
            self._line.close()
            self._line = None
        if self._process:
            await asyncio.to_thread(self._process.wait)
            self._process = None


def _compile() -> None:
    """Have byte code ready: to compile leaves holes in the launcher's memory that every monitor then pays for."""
    package = Path(__file__).parents[1]
    for folder in (package / "launch", package / "kernel"):
        compileall.compile_dir(folder, quiet=2)


def _spawn(line: socket.socket, log: Path | None) -> subprocess.Popen[bytes]:
    # Containers see the interpreter as /proc/PID/exe while they are being set up. Executed from a read-only mount,
    # it cannot be opened for writing through that link, whoever holds it (CVE-2019-5736).
    interpreter = os.path.realpath(sys.executable)
    script = str(Path(__file__).with_name("launcher.py"))
    with line:
        try:
            view = mount.read_only_view(interpreter)
        except OSError as error:
            doing = f"mounting {interpreter} read-only for the launcher"
            raise KernelError.of(doing, error, "run the engine as root") from None
        try:
            with open(log or os.devnull, "ab") as errors:
                return subprocess.Popen(
                    [interpreter, "-I", "-S", script, str(line.fileno())],
                    executable=f"/proc/self/fd/{view}",
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=(line.fileno(), view),
                    start_new_session=True,
                    env={"LANG": "C.UTF-8"},
                )
        finally:
            os.close(view)
