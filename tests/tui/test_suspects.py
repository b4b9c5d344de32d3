"""Victims and suspects on the deck: marks, a calm banner, and the screen on which a stall is acted upon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deck import Deck, deck
from scripted import T0

from engine.errors import NotPermitted, TiffinError
from engine.model import (
    Blame,
    Evidence,
    Group,
    GroupApplied,
    GroupSnapshot,
    Held,
    LimitReading,
    Limits,
    Line,
    Proof,
    Sample,
    Suspect,
)
from tui.deck.pressing import Pressing, signs
from tui.deck.screens.main import MainScreen
from tui.deck.screens.suspects import SuspectsScreen


def suspect(id: str, name: str, usage: float = 1.9, confidence: float = 0.93) -> Suspect:
    return Suspect(
        id=id, name=name, usage=usage, share=0.9, correlation=0.7, together=0.1, confidence=confidence
    )


def blame(id: str, name: str, suspects: list[Suspect], **fields: Any) -> Blame:
    whole: dict[str, Any] = {
        "resource": "cpu",
        "cause": "neighbour",
        "stall": 0.62,
        "since": T0,
        "busy": 0.98,
    }
    return Blame(**{"id": id, "name": name, "suspects": suspects, **whole, **fields})


def ids(it: Deck) -> dict[str, str]:
    return {container.name: container.id for container in it.app.store.containers.values()}


def stall(it: Deck, **fields: Any) -> None:
    """From the next tick on `word` stalls because of `setup`."""
    of = ids(it)
    verdict = blame(of["word"], "word", [suspect(of["setup"], "setup")], **fields)
    it.link.verdicts = {of["word"]: [verdict]}
    at = [T0 - 60 + n for n in range(60)]
    it.link.fake.evidence = lambda id, resource, also=(): Evidence(
        id=of["word"],
        name="word",
        resource=resource,
        at=at,
        stall=[0.62] * 60,
        lines=[Line(suspect=one, use=[1.9] * 60) for one in verdict.suspects],
        blame=verdict,
    )


async def test_victim_and_suspect_are_marked_and_the_banner_says_who(tmp_path: Path) -> None:
    async with deck(tmp_path) as it:
        stall(it)
        await it.tick()
        banner = "word waits 62 % of the time for CPU · suspect: setup (1.90 cores, confidence high) · press x to act"
        assert banner in it.text()
        assert "● word ▽" in it.text()
        assert "● setup ▲" in it.text()
        await it.press("v")
        assert it.line("● word").split()[2:4] == ["word", "▽"] or "word ▽" in it.line("word")
        assert "setup ▲" in it.text()


async def test_the_screen_acts_measures_and_undoes(tmp_path: Path) -> None:
    async with deck(tmp_path) as it:
        stall(it)
        await it.tick()
        await it.press("x")
        await it.until(lambda: "what can be done about setup" in it.text())
        assert isinstance(it.app.screen, SuspectsScreen)
        assert "▸ setup" in it.text()
        assert "keeps 1.93 of 1.93 cores" in it.text()
        await it.press("1")
        await it.until(lambda: "cpu idle off → on" in it.text())
        assert "before 62 %" in it.text()
        assert [call[1].cpu_idle for call in it.calls("update")] == [True]
        await it.press("u")
        await it.until(lambda: it.calls("undo"))
        await it.until(lambda: "undone" in it.text())
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, MainScreen))


async def test_a_proof_is_asked_for_first(tmp_path: Path) -> None:
    async with deck(tmp_path) as it:
        stall(it)
        asked: list[tuple[object, ...]] = []

        def prove(*given: object) -> Proof:
            asked.append(given)
            return Proof(
                victim="word", suspect="setup", resource="cpu", measure="psi", rounds=4, seconds=0.3,
                running=0.6, frozen=0.01, share=0.98, error=0.04,
            )  # fmt: skip

        it.link.fake.prove = prove
        await it.tick()
        await it.press("x")
        await it.until(lambda: "what can be done about setup" in it.text())
        await it.press("P")
        await it.until(lambda: "Prove that it is setup?" in it.text())
        await it.press("escape")
        assert not asked
        await it.press("P", "y")
        await it.until(lambda: "98 ± 4 % of the stall is its" in it.text())
        assert asked[0][:3] == (ids(it)["word"], ids(it)["setup"], "cpu")


class Host:
    """A busy cgroup that is docker's: what the engine says of it, and what it was asked to do to it."""

    PATH = "/docker/abc"
    ID = f"cgroup:{PATH}"

    def __init__(self, it: Deck) -> None:
        self.asked = list[tuple[object, ...]]()
        self.refusal: TiffinError | None = None
        one = Group(
            id=self.ID, path=self.PATH, kind="container", name="web", engine="docker", processes=3
        )  # fmt: skip
        fake: Any = it.link.fake
        fake.group = lambda id: one
        fake.group_limits = lambda id: [
            LimitReading(name=name, value=None, file=name, raw="", supported=name != "cpuset")
            for name in ("cpus", "cpu_weight", "cpu_idle", "cpuset", "memory", "io", "io_weight")
        ]
        fake.groups = lambda: GroupSnapshot(
            seq=1, at=T0, interval=1.0, groups=[one], samples={self.ID: Sample(cpu=1.6)}
        )
        fake.group_freeze = lambda id, consent: self._done("freeze", id, consent, frozen=True)
        fake.group_update = lambda id, change, consent: self._done(
            "update", id, consent, idle=change.cpu_idle
        )
        fake.group_undo = lambda id: self._done("undo", id)
        fake.prove = self._prove
        of = ids(it)
        verdict = blame(of["word"], "word", [suspect(self.ID, "web")])
        it.link.verdicts = {of["word"]: [verdict]}
        fake.evidence = lambda id, resource, also=(): Evidence(
            id=id, name="word", resource=resource, at=[T0 - 60 + n for n in range(60)], stall=[0.62] * 60,
            lines=[Line(suspect=one, use=[1.6] * 60) for one in verdict.suspects], blame=verdict,
        )  # fmt: skip

    def _done(self, *asked: object, frozen: bool = False, idle: object = False) -> GroupApplied:
        if self.refusal:
            raise self.refusal
        self.asked.append(asked)
        return GroupApplied(
            id=self.ID, path=self.PATH, name="web", before=Limits(), after=Limits(cpu_idle=idle is True), readings=[],
            was_frozen=False, frozen=frozen, undo_left=1, note="docker does not know of it",
        )  # fmt: skip

    def _prove(self, *given: object) -> Proof:
        self.asked.append(("prove", *given))
        return Proof(
            victim="word", suspect="web", resource="cpu", measure="psi", rounds=4, seconds=0.3,
            running=0.6, frozen=0.01, share=0.98, error=0.04,
        )  # fmt: skip


async def open_on_the_host(it: Deck) -> Host:
    host = Host(it)
    await it.tick()
    await it.press("x")
    await it.until(lambda: "1 idle" in it.text())
    return host


async def test_a_suspect_that_is_not_tiffins_asks_by_name_acts_and_undoes(tmp_path: Path) -> None:
    async with deck(tmp_path) as it:
        host = await open_on_the_host(it)
        assert "not tiffin's, so each asks first and names it: /docker/abc" in it.text()
        assert "3 quota 0.8" in it.text()  # half of what it used
        assert "cpuset" not in it.text()  # which its controllers do not have
        await it.press("1")
        await it.until(lambda: "Change the limits of docker's container web?" in it.text())
        assert "/docker/abc" in it.text()
        await it.press("n")
        assert host.asked == []
        await it.press("1", "y")
        await it.until(lambda: "web: cpu idle off → on" in it.text())
        assert "before 62 %" in it.text()
        assert host.asked == [("update", host.ID, host.PATH)]
        assert "docker does not know of it" in it.notices
        await it.press("u")
        await it.until(lambda: "undone: web" in it.text())
        assert host.asked[1:] == [("undo", host.ID)]
        await it.press("4")
        await it.until(lambda: "Freeze docker's container web?" in it.text())
        assert "Its 3 processes will stand still" in it.text()
        await it.press("y")
        await it.until(lambda: "web: frozen" in it.text())
        assert host.asked[2:] == [("freeze", host.ID, host.PATH)]


async def test_a_refusal_about_the_host_is_one_sentence(tmp_path: Path) -> None:
    async with deck(tmp_path) as it:
        host = await open_on_the_host(it)
        host.refusal = NotPermitted("freezing /docker/abc: tiffin's engine is in it", "choose another cgroup")
        await it.press("4", "y")
        await it.until(lambda: "freezing /docker/abc: tiffin's engine is in it" in it.text())
        await it.tick()
        assert "freezing /docker/abc: tiffin's engine is in it" in it.text()
        await it.press("u")
        assert host.asked == []


async def test_a_proof_of_what_is_not_tiffins_asks_by_name(tmp_path: Path) -> None:
    async with deck(tmp_path) as it:
        host = await open_on_the_host(it)
        await it.press("P")
        await it.until(lambda: "Prove that it is docker's container web?" in it.text())
        assert "/docker/abc" in it.text()
        assert "not tiffin's" in it.text()
        await it.press("y")
        await it.until(lambda: "98 ± 4 % of the stall is its" in it.text())
        assert host.asked == [("prove", ids(it)["word"], host.ID, "cpu", 4, "web")]


async def test_a_read_only_deck_does_nothing_to_the_host(tmp_path: Path) -> None:
    async with deck(tmp_path, read_only=True) as it:
        host = await open_on_the_host(it)
        await it.press("1", "4", "P")
        assert isinstance(it.app.screen, SuspectsScreen)
        assert host.asked == []


async def test_a_victim_of_its_own_limit_gets_more_by_one_key(tmp_path: Path) -> None:
    async with deck(tmp_path) as it:
        stall(it, cause="limit", held=Held(limit="cpus", now=1.0, advice=1.6))
        await it.tick()
        assert "held by its own limit: cpus 1, it would use up to 1.6" in it.text()
        await it.press("x")
        await it.until(lambda: "what can be done about setup" in it.text())
        await it.press("0")
        await it.until(lambda: it.calls("update"))
        assert [(call[0], call[1].cpus) for call in it.calls("update")] == [(ids(it)["word"], 1.6)]


async def test_a_read_only_deck_shows_and_does_nothing(tmp_path: Path) -> None:
    async with deck(tmp_path, read_only=True) as it:
        stall(it)
        await it.tick()
        await it.press("x")
        await it.until(lambda: "what can be done about setup" in it.text())
        await it.press("1", "P")
        assert not it.calls("update")
        assert isinstance(it.app.screen, SuspectsScreen)


async def test_the_screen_fits_a_small_terminal(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(80, 24)) as it:
        stall(it)
        await it.tick()
        await it.press("x")
        await it.until(lambda: "what can be done about setup" in it.text())
        for part in ("▽ word waits 62 %", "▸ setup", "1 idle", "5 pause", "now"):
            assert part in it.text(), it.text()


def test_the_banner_stays_with_one_stall_until_another_is_clearly_worse() -> None:
    pressing = Pressing()

    def take(now: float, **stalls: float) -> str:
        pressing.take(
            {n: [blame(n, n, [suspect("s", "s")], stall=s)] for n, s in stalls.items()}, stalls, now
        )
        return pressing.blame.id if pressing.blame else ""

    assert take(1, a=0.5, b=0.45) == "a"
    assert take(2, a=0.5, b=0.6) == "a"
    assert pressing.blame
    shown = pressing.blame.stall
    assert take(3, a=0.53, b=0.6) == "a"
    assert pressing.blame.stall == shown
    assert take(4, a=0.5, b=0.9) == "b"
    assert take(5, a=0.5) == "a"
    assert take(6) == ""


def test_who_is_a_suspect_is_no_victim() -> None:
    hog, word = "hog", "word"
    found = signs({
        word: [blame(word, word, [suspect(hog, hog), suspect("calm", "calm", 0.01, 0.02)])],
        hog: [blame(hog, hog, [], cause="itself")],
    })  # fmt: skip
    assert found == {word: "▽", hog: "▲"}
