"""Who is hurting whom, with a real hog and a real victim: named, acted upon, proved; thawed whatever is killed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cgroups import Group, detect
from engine.cgroups.files import write
from engine.client import EngineClient
from engine.errors import BadRequest, NotPermitted
from engine.instance import Instance
from engine.model import Blame, ContainerConfig, Evidence, Limits, LimitsChange, Snapshot

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

WORD = "while :; do i=0; while [ $i -lt 90000 ]; do i=$((i+1)); done; sleep 0.02; done"
SETUP = "for i in 1 2 3 4 5 6; do (while :; do :; done) & done; wait"
PATIENCE = 90.0  # seconds


def run(client: EngineClient, name: str, script: str, weight: int | None = None) -> str:
    limits = Limits(cpu_weight=weight)
    config = ContainerConfig(image="host", command=["sh", "-c", script], network="none", limits=limits)
    return client.run(config, name)


@pytest.fixture
def pair(client: EngineClient) -> tuple[str, str]:
    """A victim and a hog, which has the larger weight: at equal ones the kernel finds a core for the victim."""
    return run(client, "word", WORD), run(client, "setup", SETUP, weight=300)


@pytest.fixture
def favoured(instance: Instance, pair: tuple[str, str]) -> tuple[str, str]:
    """The same; together they have a large share of the machine, whatever else runs on it."""
    place = detect().place("cpu", Group(detect(), instance.cgroup).name)
    assert place
    file, weight = ("cpu.shares", "60000") if place.version == 1 else ("cpu.weight", "6000")
    write(f"{place.folder}/{file}", weight)
    return pair


def seen(client: EngineClient, true: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot of which something is true."""
    end = time.monotonic() + PATIENCE
    for snapshot in client.live():
        if true(snapshot):
            return snapshot
        assert time.monotonic() < end, snapshot.verdicts
    raise AssertionError("the engine ended")


def blamed(snapshot: Snapshot, id: str) -> Blame | None:
    return next((blame for blame in snapshot.verdicts.get(id, []) if blame.resource == "cpu"), None)


def first(blame: Blame, ids: tuple[str, ...]) -> str:
    """The likeliest suspect among those of the test: the machine does other work too."""
    return next((suspect.id for suspect in blame.suspects if suspect.id in ids), "")


def mean(evidence: Evidence, since: float) -> float:
    stall = [waited for at, waited in zip(evidence.at, evidence.stall, strict=True) if at > since]
    return sum(stall) / len(stall)


def test_the_hog_is_named_and_once_it_runs_idle_the_stall_falls(
    client: EngineClient, favoured: tuple[str, str]
) -> None:
    word, setup = favoured

    def named(snapshot: Snapshot) -> bool:
        blame = blamed(snapshot, word)
        return blame is not None and first(blame, (word, setup)) == setup

    blame = blamed(seen(client, named), word)
    assert blame
    assert blame.measure == ("psi" if Path("/proc/pressure/cpu").exists() else "run queue")
    assert blame.stall >= 0.1
    evidence = client.evidence("word", "cpu")
    assert len(evidence.at) == len(evidence.stall) == len(evidence.lines[0].use)
    told = [event for event in client.events(since=1, until=time.time()) if event.action == "stall"]
    assert {event.name for event in told} & {"word", "setup"}

    before = mean(evidence, evidence.at[-1] - 6)
    client.update(setup, LimitsChange(cpu_idle=True))
    since = time.time() + 2

    def better(snapshot: Snapshot) -> bool:
        if snapshot.at < since + 5:
            return False
        return mean(client.evidence(word, "cpu"), max(since, snapshot.at - 5)) < before * 0.8

    seen(client, better)


def test_a_victim_of_its_own_quota_is_told_so(client: EngineClient, favoured: tuple[str, str]) -> None:
    _, setup = favoured
    client.update(setup, LimitsChange(cpus=0.05))

    def held(snapshot: Snapshot) -> bool:
        blame = blamed(snapshot, setup)
        return blame is not None and blame.cause == "limit"

    blame = blamed(seen(client, held), setup)
    assert blame
    assert blame.held
    assert (blame.held.limit, blame.held.now) == ("cpus", 0.05)
    assert blame.held.advice > 0.05


def test_a_proof_leaves_everything_running(client: EngineClient, favoured: tuple[str, str]) -> None:
    word, setup = favoured
    found = client.prove("word", "setup", "cpu", rounds=3)
    assert (found.victim, found.suspect, found.rounds) == ("word", "setup", 3)
    assert 0 <= found.frozen <= 1
    assert 0 < found.running <= 1
    assert {c.state.status for c in client.containers()} == {"running"}
    proved = [event for event in client.events(since=1, until=time.time()) if event.action == "proof"]
    assert [(event.id, event.attributes["victim"]) for event in proved] == [(setup, "word")]
    with pytest.raises(BadRequest, match="suspect of its own"):
        client.prove(word, word)
    with pytest.raises(BadRequest, match="rounds"):
        client.prove(word, setup, rounds=99)


def test_nothing_that_tiffin_or_its_caller_runs_in_is_frozen(
    client: EngineClient, instance: Instance, pair: tuple[str, str]
) -> None:
    word, _ = pair
    own = f"cgroup:/{instance.cgroup}/engine"
    seen(client, lambda _: own in {group.id for group in client.groups().groups})
    with pytest.raises(NotPermitted, match="was not confirmed"):
        client.prove(word, own)
    with pytest.raises(NotPermitted, match="tiffin's own"):
        client.prove(word, own, confirm="engine")
    with pytest.raises((NotPermitted, BadRequest)):
        client.prove(word, "cgroup:/", confirm="/")


def test_an_engine_killed_in_the_middle_of_a_proof_leaves_nothing_frozen(
    client: EngineClient, instance: Instance, pair: tuple[str, str]
) -> None:
    word, setup = pair
    cgroup = Group(detect(), instance.cgroup)
    place = detect().freezer(cgroup.path(setup))
    assert place
    told = Path(place.folder, "freezer.state" if place.version == 1 else "cgroup.events")
    sign = "FROZEN" if place.version == 1 else "frozen 1"
    engine = client.status().pid
    pidfd = os.pidfd_open(engine)
    asker = os.fork()
    if asker == 0:
        with contextlib.suppress(BaseException):
            client.prove(word, setup, rounds=10)
        os._exit(0)
    try:
        end = time.monotonic() + PATIENCE
        while sign not in told.read_text():
            assert time.monotonic() < end
        os.kill(engine, signal.SIGKILL)
        assert select.select([pidfd], [], [], PATIENCE)[0]
        while sign in told.read_text():
            assert time.monotonic() < end
    finally:
        os.close(pidfd)
        os.waitpid(asker, 0)
    again = EngineClient.connect(instance)
    assert {c.state.status for c in again.containers()} == {"running"}
