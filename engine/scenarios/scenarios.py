"""The gallery: which demos there are, and the one that is being played."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator

import msgspec

from engine.containers import Containers
from engine.errors import BadRequest, Conflict, NotFound, TiffinError, Unsupported
from engine.kernel.paths import delete
from engine.model import Scenario, ScenarioAsk, ScenarioRun
from engine.scenarios import rootfs
from engine.scenarios.cpu import Cpu
from engine.scenarios.demo import Demo
from engine.scenarios.disk import Disk
from engine.scenarios.distributions import Distributions
from engine.scenarios.forks import Forks
from engine.scenarios.memory import Memory
from engine.scenarios.network import Network
from engine.scenarios.ports import Ports
from engine.scenarios.registry import Registry
from engine.scenarios.run import Run
from engine.scenarios.stage import FOLDER, LABEL, Stage

log = logging.getLogger(__name__)

DEMOS: tuple[Demo, ...] = (Cpu(), Memory(), Disk(), Forks(), Network(), Registry(), Ports(), Distributions())
SHORTEST, LONGEST = 2.0, 120.0  # seconds
FRAME = 0.25  # seconds between two frames of a run: whoever draws them takes CPU time from what they show


class Scenarios:
    """One instance's demos. One is played at a time: two would disturb each other."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._demos = {demo.name: demo for demo in DEMOS}
        self._left: dict[str, Run] = {}  # runs to be resumed
        self._playing: tuple[str, Run, asyncio.Task[None]] | None = None

    async def open(self) -> None:
        """Remove what demos of an earlier engine have left."""
        stale = [one for one in self._containers.list() if self._is_ours(one.id)]
        for container in stale:
            with contextlib.suppress(TiffinError):
                await self._containers.remove(container.id, force=True, volumes=True)
        with contextlib.suppress(TiffinError):
            await self._containers.remove_image(rootfs.NAME)
        await asyncio.to_thread(delete, self._folder)

    def _is_ours(self, id: str) -> bool:
        """Whether a demo made it: the label alone anybody may set."""
        config = self._containers.get(id).record.config
        return LABEL in config.labels and any(
            mount.source.startswith(f"{self._folder}/") for mount in config.mounts
        )

    @property
    def _folder(self) -> str:
        return str(self._containers.rooms.instance.run / FOLDER)

    async def close(self) -> None:
        """End what is being played."""
        if self._playing is not None:
            await _ended(self._playing[2])

    # ── what there is ───────────────────────────────────────────────────────────────────────────────────────

    def list(self) -> list[Scenario]:
        """All demos, in the order of the gallery."""
        return [self._announced(demo) for demo in DEMOS]

    def _announced(self, demo: Demo) -> Scenario:
        left = self._left.get(demo.name)
        scenario = demo.announce(self._containers.rooms)
        return msgspec.structs.replace(scenario, left_at=left.elapsed if left else None)

    def _find(self, name: str) -> Demo:
        if name not in self._demos:
            raise NotFound(f"there is no demo {name!r}", f"there are {', '.join(self._demos)}")
        return self._demos[name]

    # ── playing ─────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, name: str, ask: ScenarioAsk) -> Run:
        """Start a run, or go on with the one that was left; it ends when nobody follows it any more.

        Raises NotFound, BadRequest for a protection or length it has not, Unsupported where this host lacks
        what it needs, Conflict while another is played or where nothing is left to resume.
        """
        demo = self._find(name)
        self._containers.rooms.require_root("a demo")
        if self._playing is not None:
            other = self._playing[0]
            raise Conflict(
                f"the demo {other} is being played, and two would disturb each other", "leave it first"
            )
        scenario = self._announced(demo)
        if scenario.why_not:
            raise Unsupported(f"the demo {name} cannot be played here: {scenario.why_not}", "choose another")
        left = self._left.pop(name, None)
        if ask.resume:
            if left is None:
                raise Conflict(f"no run of the demo {name} was left", "play it from the beginning")
            run = left
            run.state, run.error = "preparing", ""
        else:
            protection = _protection(scenario, ask.protection or scenario.protections[0].name)
            seconds = ask.seconds or scenario.seconds
            if not SHORTEST <= seconds <= LONGEST:
                raise BadRequest(
                    f"a demo cannot take {seconds:g} seconds", f"give {SHORTEST:g} to {LONGEST:g} seconds"
                )
            run = Run(scenario, seconds, protection, wanted=protection, host=self._host())
        self._playing = (name, run, asyncio.create_task(self._play(demo, run)))
        return run

    async def _play(self, demo: Demo, run: Run) -> None:
        try:
            async with Stage(self._containers, run, demo.heard) as stage:
                await demo.play(stage)
            run.state = "done"
        except asyncio.CancelledError:
            run.state = "left"
            self._left[demo.name] = run
        except TiffinError as error:
            run.state, run.error = "failed", str(error)
        except Exception as error:
            log.exception("playing the demo %s", demo.name)
            run.state, run.error = "failed", f"internal error: {error!r}; see the engine's log"
        finally:
            self._playing = None

    async def follow(self, run: Run) -> AsyncGenerator[ScenarioRun]:
        """The run as it stands, every FRAME seconds to its end; when its reader goes, the run is left."""
        task = next(task for _, one, task in [self._playing] if one is run) if self._playing else None
        try:
            while task is not None and not task.done():
                yield run.noun()
                await asyncio.wait([task], timeout=FRAME)
            yield run.noun()
        finally:
            if task is not None:
                await _ended(task)

    def protect(self, name: str, protection: str) -> None:
        """Change the protection of the run that is being played; the kernel has it within a moment."""
        run = self._played(name)
        run.wanted = _protection(run.scenario, protection)
        run.asked.set()

    async def leave(self, name: str) -> None:
        """End the run that is being played; returns when nothing of it is left."""
        self._played(name)
        assert self._playing
        await _ended(self._playing[2])

    def _played(self, name: str) -> Run:
        self._find(name)
        if self._playing is None or self._playing[0] != name:
            raise Conflict(f"the demo {name} is not being played", f"`tiffin demo {name}` plays it")
        return self._playing[1]

    def _host(self) -> str:
        cores, mode = os.cpu_count() or 1, self._containers.rooms.hierarchy.mode
        plural = "" if cores == 1 else "s"
        return f"{cores} core{plural}, Linux {os.uname().release}, cgroup {mode}"


def _protection(scenario: Scenario, name: str) -> str:
    for protection in scenario.protections:
        if protection.name == name:
            if protection.why_not:
                raise Unsupported(f"protecting by {name} is not possible here: {protection.why_not}")
            return name
    known = ", ".join(one.name for one in scenario.protections)
    raise BadRequest(f"the demo {scenario.name} has no protection {name!r}", f"choose from {known}")


async def _ended(task: asyncio.Task[None]) -> None:
    """Have a run end, and wait until its stage is cleared; the waiting itself cannot be called off half-way."""
    task.cancel()
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
