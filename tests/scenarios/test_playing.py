"""Each demo for real, in short: what hurts, what protects, and that it says so with what it measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.errors import BadRequest, Conflict, NotFound, Unsupported
from engine.model import ContainerConfig, Lane, Measure, ScenarioAsk, ScenarioRun

pytestmark = pytest.mark.system

SECONDS = 3.0


def play(client: EngineClient, name: str, seconds: float = SECONDS, protection: str = "") -> ScenarioRun:
    """A whole run; nothing of it is left when it is done."""
    *_, last = client.play(name, ScenarioAsk(seconds=seconds, protection=protection))
    assert (last.state, last.error) == ("done", "")
    assert client.containers() == []
    return last


def figures(run: ScenarioRun) -> list[float]:
    """The verdict's three numbers."""
    assert run.verdict is not None
    values = [figure.value for figure in run.verdict.figures]
    assert len(values) == 3
    assert None not in values
    return [value for value in values if value is not None]


def measure(lane: Lane, label: str) -> float:
    """One of a lane's numbers."""
    found: Measure = next(one for one in lane.measures if one.label == label)
    assert found.value is not None
    return found.value


def test_a_hog_makes_typing_stutter_and_idle_scheduling_makes_it_smooth(client: EngineClient) -> None:
    run = play(client, "cpu", 6.0)
    before, after, kept = figures(run)
    together, apart = run.lanes
    assert measure(together, "p50") >= 3 * measure(
        apart, "p50"
    )  # the tail is also other work's on a busy machine
    assert before > after
    assert kept > 10  # percent; other work on the machine goes before an idle cgroup
    assert all(lane.points for lane in run.lanes)
    assert run.lanes[0].victim.endswith("▌")
    assert [Path(one.file).name for one in run.written if not one.cap] == ["cpu.idle"]


def test_the_kernel_has_what_is_said_to_be_written_and_gets_another_protection_live(
    client: EngineClient,
) -> None:
    seen: dict[str, str] = {}
    asked = False
    for frame in client.play("cpu", ScenarioAsk(seconds=8.0, protection="weight")):
        written = [one for one in frame.written if not one.cap]
        if frame.state == "running" and written and frame.protection not in seen:
            seen[frame.protection] = Path(written[-1].file).read_text().strip()
            assert seen[frame.protection] == written[-1].value
        if frame.protection in [one.protection for one in frame.tried] and not asked:
            client.protect("cpu", "quota")
            asked = True
    assert frame.state == "done"
    assert {one.protection for one in frame.tried} == {"weight", "quota"}
    assert set(seen) == {"weight", "quota"}
    assert all(one.suffered is not None and one.kept is not None for one in frame.tried)


def test_memory_that_setup_eats_kills_word_only_where_they_share_a_limit(client: EngineClient) -> None:
    run = play(client, "memory", 6.0)
    together, apart = run.lanes
    assert measure(together, "word killed") >= 1
    assert measure(apart, "word killed") == 0
    assert measure(apart, "setup's processes killed") >= 1
    before, after, _ = figures(run)
    assert before > after
    assert any("0 in word's cgroup" in note for note in run.notes)


def test_a_throttled_flood_leaves_the_disk_to_word(client: EngineClient) -> None:
    scenario = next(one for one in client.scenarios() if one.name == "disk")
    if scenario.why_not:  # the engine's state is on no disk
        with pytest.raises(Unsupported):
            client.play("disk")
        return
    run = play(client, "disk", protection="slow")
    before, after, kept = figures(run)
    assert before > after
    assert kept < 100
    assert measure(run.lanes[1], "MiB written") < 32  # a second; 8 are let through


def test_a_fork_bomb_is_held_by_the_limit_and_word_only_starves_beside_it(client: EngineClient) -> None:
    run = play(client, "forks", 4.0)
    together, apart = run.lanes
    assert measure(together, "setup's forks refused") > 0
    assert measure(apart, "setup's forks refused") > 0
    assert measure(together, "p50") > measure(apart, "p50")


def test_a_shaped_upload_leaves_the_queue_empty(client: EngineClient) -> None:
    run = play(client, "network", 4.0)
    together, apart = run.lanes
    assert measure(together, "p50") > 3 * measure(apart, "p50")
    assert 50 < figures(run)[2] < 150
    assert any("18000kbit" in one.value for one in run.written)


def test_a_wrecked_registry_is_one_containers_own_and_a_reset_undoes_it(client: EngineClient) -> None:
    run = play(client, "registry", 4.0)
    before, after, kept = figures(run)
    assert before > 50
    assert after == 0
    assert kept > 30
    notes = " ".join(run.notes)
    assert "0 for word" in notes
    assert "0 paths differ" in notes
    assert "byte for byte what they were" in notes


def test_two_want_port_80_and_two_answer_apart(client: EngineClient) -> None:
    run = play(client, "ports")
    before, after, kept = figures(run)
    assert (before, after) == (100, 0)
    assert kept > 50
    assert "answers “word”" in run.notes[0]
    assert "answers “setup”" in run.notes[0]


def test_two_distributions_differ_in_all_but_the_kernel(client: EngineClient) -> None:
    run = play(client, "distributions", 10.0)
    one, other = (dict(lane.facts) for lane in run.lanes)
    assert one["system"] != other["system"]
    assert one["kernel, shared"] == other["kernel, shared"]
    assert one["boot, shared"] == other["boot, shared"]
    assert [image.id for image in client.images()] == ["host"]
    assert run.verdict is not None
    machine, container, _ = run.verdict.figures
    assert container.value is not None
    assert (machine.value is None) == bool(machine.why_not)
    if machine.value is not None:
        assert machine.value > container.value


def test_what_cannot_be_played_is_refused_in_a_sentence(client: EngineClient) -> None:
    with pytest.raises(NotFound, match="no demo 'nonsense'"):
        client.play("nonsense")
    with pytest.raises(BadRequest, match="no protection 'magic'"):
        client.play("cpu", ScenarioAsk(protection="magic"))
    with pytest.raises(BadRequest, match="cannot take 1000 seconds"):
        client.play("cpu", ScenarioAsk(seconds=1000))
    with pytest.raises(Conflict, match="no run of the demo cpu was left"):
        client.play("cpu", ScenarioAsk(resume=True))
    with pytest.raises(Conflict, match="not being played"):
        client.protect("cpu", "quota")
    assert client.containers() == []


def test_one_at_a_time_and_what_is_left_goes_on(client: EngineClient) -> None:
    with client.play("ports", ScenarioAsk(seconds=4.0)) as frames:
        first = next(frame for frame in frames if frame.elapsed > 1.2)
        with pytest.raises(Conflict, match="two would disturb each other"):
            client.play("cpu")
        client.leave("ports")
        *_, last = frames
    assert last.state == "left"
    assert client.containers() == []
    left_at = next(one.left_at for one in client.scenarios() if one.name == "ports")
    assert left_at is not None
    assert 0 < left_at <= first.elapsed + 1
    *_, done = client.play("ports", ScenarioAsk(resume=True))
    assert (done.state, done.seconds) == ("done", 4.0)
    assert sum(lane.at for lane in done.lanes) > left_at
    assert next(one.left_at for one in client.scenarios() if one.name == "ports") is None


def test_a_users_own_container_with_the_demos_label_is_not_swept(client: EngineClient) -> None:
    config = ContainerConfig(
        image="host", command=["sleep", "1000"], labels={"tiffin.demo": "cpu"}, network="none"
    )
    mine = client.run(config, "mine")
    client.shutdown()
    again = EngineClient.connect(client.instance)
    assert [one.id for one in again.containers()] == [mine]
