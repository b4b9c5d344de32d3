"""Who may be frozen, by whom it is held, and what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from engine.cgroups import Cgroup
from engine.cgroups.files import read_or, write
from engine.containers.proving.weighing import weigh
from engine.containers.registry import Registry
from engine.containers.rooms import Rooms
from engine.errors import BadRequest, Conflict, KernelError, NotFound, NotPermitted, Unsupported
from engine.model import GROUP_PREFIX, GROUP_ROOT, Proof, Resource

HOLDER = str(Path(__file__).with_name("holder.py"))
SECONDS: dict[Resource, float] = {"cpu": 0.3, "memory": 0.4, "io": 0.4}
SETTLE: dict[Resource, float] = {"cpu": 0.03, "memory": 0.1, "io": 0.15}
"""What is under way when a cgroup is frozen or thawed takes a while to be done."""
MOST_ROUNDS = 10
LEFT = "frozen"  # file below run: what is frozen now, for the next engine


class _Answer(msgspec.Struct):
    pairs: list[tuple[float, float]]
    problem: str = ""


async def prove(
    rooms: Rooms,
    registry: Registry,
    victim: str,
    suspect: str,
    resource: Resource,
    rounds: int,
    confirm: str,
    caller: int,
) -> Proof:
    """Freeze the suspect `rounds` times for a moment and compare; takes about a second a round.

    Ids are containers' or "cgroup:/path"; one that is not this engine's own takes its name in `confirm`. `caller` is
    the process that asks: what it runs in is never frozen.
    """
    rooms.require_root("freezing a suspect")
    if not 1 <= rounds <= MOST_ROUNDS:
        raise BadRequest(f"{rounds} rounds are out of range", f"choose 1 to {MOST_ROUNDS}")
    measured, victim_name = _find(rooms, registry, victim)
    held, name = _find(rooms, registry, suspect)
    if held.path == measured.path:
        raise BadRequest(f"{name} cannot be a suspect of its own stall", "choose another suspect")
    if f"{measured.path}/".startswith(f"{held.path}/"):
        raise BadRequest(f"{victim_name} lies in {name}: it would be frozen too", "choose another suspect")
    if suspect.startswith(GROUP_PREFIX) and confirm != name:
        raise NotPermitted(
            f"{name} is not this engine's: freezing it was not confirmed", f"confirm it by its name, {name}"
        )
    _refuse_own(rooms, suspect, held, name, caller)
    async with _exclusive(registry, suspect):
        if held.frozen():
            raise Conflict(f"{name} is frozen already", "let it run first")
        answer = await _measure(rooms, held, measured, resource, rounds)
    if answer.problem == "timeout" or not answer.pairs:
        raise Conflict(f"{name} did not stand still: a process of it is stuck in the kernel", "try again")
    running, frozen, share, error = weigh(answer.pairs)
    rooms.events.emit(
        "cgroup" if suspect.startswith(GROUP_PREFIX) else "container",
        "proof",
        suspect,
        name,
        {
            "victim": victim_name,
            "resource": resource,
            "running": f"{running:.2f}",
            "frozen": f"{frozen:.2f}",
            "share": "" if share is None else f"{share:.2f}",
        },
    )
    return Proof(
        victim=victim_name,
        suspect=name,
        resource=resource,
        measure="psi" if _pressure(measured, resource) else "run queue",
        rounds=len(answer.pairs),
        seconds=SECONDS[resource],
        running=running,
        frozen=frozen,
        share=share,
        error=error,
    )


def thaw_left(rooms: Rooms) -> None:
    """Thaw what an engine and its holder, both killed, left frozen."""
    left = rooms.instance.run / LEFT
    with contextlib.suppress(OSError, ValueError):
        path, value = left.read_text().split("\n")[:2]
        write(path, value)
    left.unlink(missing_ok=True)


def _find(rooms: Rooms, registry: Registry, id: str) -> tuple[Cgroup, str]:
    if not id.startswith(GROUP_PREFIX):
        container = registry.find(id)
        if not container.alive:
            raise Conflict(
                f"container {container.name} is not running", f"`tiffin start {container.name}` first"
            )
        return container.cgroup, container.name
    node, group = rooms.watch.groups.node(id), rooms.watch.groups.groups.get(id)
    if node is None or group is None or node.hierarchy is None:
        raise NotFound(
            f"there is no cgroup {id.removeprefix(GROUP_PREFIX)}", "`tiffin why` names those that stall"
        )
    return Cgroup(node.hierarchy, node.path, all_devices=True), group.name or group.path


def _refuse_own(rooms: Rooms, id: str, held: Cgroup, name: str, caller: int) -> None:
    """Never tiffin itself, nor what it or whoever asks runs in."""
    group = rooms.watch.groups.groups.get(id)
    if id == GROUP_ROOT or not held.path.strip("/"):
        raise NotPermitted("the whole machine cannot be frozen", "choose a suspect below it")
    if group is not None and group.engine == "tiffin" and not group.ref:
        raise NotPermitted(
            f"{name} holds tiffin's own processes: they are never frozen", "choose another suspect"
        )
    for pid in (os.getpid(), *_ancestry(caller)):
        for line in read_or(f"/proc/{pid}/cgroup").splitlines():
            if f"{line.split(':', 2)[2]}/".startswith(f"/{held.path}/"):
                raise NotPermitted(
                    f"{name} holds process {pid}, in which this tiffin or its terminal runs: it is never frozen",
                    "choose another suspect",
                )


def _ancestry(pid: int) -> list[int]:
    found = []
    while pid > 1 and pid not in found:
        found.append(pid)
        status = read_or(f"/proc/{pid}/status")
        pid = int(status.partition("\nPPid:")[2].split("\n")[0] or 0)
    return found


@contextlib.asynccontextmanager
async def _exclusive(registry: Registry, id: str) -> AsyncIterator[None]:
    """Nobody pauses or stops a container meanwhile."""
    if id.startswith(GROUP_PREFIX):
        yield
        return
    async with registry.find(id).lock:
        yield


async def _measure(rooms: Rooms, held: Cgroup, measured: Cgroup, resource: Resource, rounds: int) -> _Answer:
    place = held.hierarchy.freezer(held.path)
    if place is None:
        raise Unsupported(f"freezing {held.path}: this kernel has no freezer", "use Linux 5.2 or later")
    v1 = place.version == 1
    on, off = ("FROZEN", "THAWED") if v1 else ("1", "0")
    freeze = f"{place.folder}/{'freezer.state' if v1 else 'cgroup.freeze'}"
    pressure = _pressure(measured, resource)
    if not pressure and resource != "cpu":
        raise Unsupported(
            f"this kernel does not tell the pressure on {resource} (PSI)", "prove a stall for CPU"
        )
    given = {
        "freeze": freeze,
        "on": on,
        "off": off,
        "told": freeze if v1 else f"{place.folder}/cgroup.events",
        "frozen": "FROZEN" if v1 else "frozen 1",
        "pressure": pressure,
        "threads": _threads(measured),
        "rounds": rounds,
        "seconds": SECONDS[resource],
        "settle": SETTLE[resource],
    }
    left = rooms.instance.run / LEFT
    left.write_text(f"{freeze}\n{off}\n")
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        HOLDER,
        msgspec.json.encode(given).decode(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert holder.stdout
        return msgspec.json.decode(await holder.stdout.read(), type=_Answer)
    except msgspec.DecodeError:
        raise KernelError(f"freezing {held.path}: whoever held it was killed", 3, "try again") from None
    finally:
        if holder.stdin:
            holder.stdin.close()
        await holder.wait()
        with contextlib.suppress(OSError):  # the holder was killed, or the cgroup is gone
            write(freeze, off)
        left.unlink(missing_ok=True)


def _pressure(cgroup: Cgroup, resource: Resource) -> str:
    path = f"{cgroup.hierarchy.unified}/{cgroup.path}/{resource}.pressure"
    return path if cgroup.hierarchy.unified and read_or(path) else ""


def _threads(cgroup: Cgroup) -> str:
    place = cgroup.hierarchy.accounting(cgroup.path)
    return f"{place.folder}/{'tasks' if place.version == 1 else 'cgroup.threads'}" if place else ""
