"""Help, details and forms on scripted snapshots: what is on them, and that hidden tabs ask for nothing."""

from __future__ import annotations

from deck import Deck, deck
from scripted import T0, container

from engine.errors import Conflict
from engine.model import Change, FileChange, History, LimitReading, Process
from tui.deck.screens.help import HelpScreen
from tui.deck.screens.limits import LimitsScreen
from tui.deck.screens.main import MainScreen

MiB = 1 << 20
READINGS = [
    LimitReading(name="cpus", value=1.0, file="cpu.cfs_quota_us", raw="100000"),
    LimitReading(name="memory", value=64 * MiB, file="memory.limit_in_bytes", raw=str(64 * MiB)),
    LimitReading(name="memory_high", value=None, file="", raw="", supported=False, why_not="it is v1 here"),
    LimitReading(name="io", value=None, file="blkio.throttle.*", raw=""),
]
INSPECTED = {
    "Config": {
        "Entrypoint": None, "User": "", "WorkingDir": "", "Hostname": "word", "Tty": False, "OpenStdin": False,
        "Env": ["A=1"], "Labels": {},
    },
    "HostConfig": {
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}, "AutoRemove": False, "Init": False,
        "ReadonlyRootfs": False, "Privileged": False, "Dns": [], "ExtraHosts": [],
    },
    "Mounts": [],
    "NetworkSettings": {"Networks": {}},
}  # fmt: skip


def answers(it: Deck) -> None:
    """Let the engine answer what details and forms ask."""
    said: dict[str, object] = {
        "limits": READINGS,
        "inspect": INSPECTED,
        "history": History(id="", at=[T0 - 1, T0], fields={"cpu": [0.1, 0.2], "cpu_some": [0.0, 0.5]}),
        "top": [Process(pid=7, ppid=1, user="0", command="word", cpu_seconds=2, started_at=T0, rss=MiB)],
        "diff": [Change(path="/etc/new", kind="added", size=5), Change(path="/etc/old", kind="deleted")],
        "change": FileChange(path="/etc/new"),
        "images": [],
        "networks": [],
    }
    for verb, answer in said.items():

        def call(*args: object, _verb: str = verb, _answer: object = answer, **_: object) -> object:
            it.link.fake.calls.append((_verb, *args))
            return _answer

        setattr(it.link.fake, verb, call)


class TestHelp:
    async def test_every_binding_of_the_screen_below_is_there(self, tmp_path) -> None:
        async with deck(tmp_path, size=(200, 60)) as it:
            below = it.app.screen.active_bindings.values()
            await it.press("question_mark")
            assert isinstance(it.app.screen, HelpScreen)
            for active in below:
                if active.binding.id:
                    assert active.binding.id in it.text()
            await it.press("escape")
            assert isinstance(it.app.screen, MainScreen)

    async def test_remapped_keys_are_as_they_are_now(self, tmp_path) -> None:
        settings = tmp_path / "config" / "settings.toml"
        settings.parent.mkdir()
        settings.write_text('[keys]\n"container.kill" = "ctrl+k"\n')
        async with deck(tmp_path) as it:
            await it.press("question_mark")
            line = it.line("container.kill")
            assert "^k *" in line

    async def test_the_limits_editor_has_its_own(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)
            await it.press("L")
            await it.until(lambda: "cpu.cfs_quota_us" in it.text())
            await it.press("question_mark")
            assert "limits.no_limit" in it.text()
            assert "container.kill" not in it.text()


class TestLimits:
    async def test_all_of_it_fits_a_small_terminal(self, tmp_path) -> None:
        async with deck(tmp_path, size=(80, 24)) as it:
            answers(it)
            await it.press("L")
            await it.until(lambda: "it is v1 here" in it.text())
            assert "64M" in it.line("memory ")
            assert "apply" in it.text()

    async def test_max_can_be_typed_out(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)
            await it.press("L")
            await it.until(lambda: it.app.screen.focused is not None and it.app.screen.focused.id == "field")
            await it.press("m", "a", "x")
            assert it.app.screen.focused.value == "max"

    async def test_a_device_gets_four_rows(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)
            await it.press("L")
            await it.until(lambda: "cpu.cfs_quota_us" in it.text())
            it.app.screen.query_one("#device").focus()
            await it.press(*"sda", "enter")
            assert "'sda' is not a block device" in it.text()
            it.app.screen.query_one("#device").value = ""
            await it.press(*"8:0", "enter")
            await it.until(lambda: "write ops" in it.text())

    async def test_read_only_changes_nothing(self, tmp_path) -> None:
        async with deck(tmp_path, read_only=True) as it:
            answers(it)
            await it.press("L")
            await it.until(lambda: it.app.screen.focused is not None and it.app.screen.focused.id == "field")
            await it.press("2", "enter")
            assert "read-only" in it.text()
            assert not it.calls("update")


class TestDetails:
    async def test_only_the_tab_in_view_asks(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)
            await it.press("enter")
            await it.until(lambda: "always" in it.text())
            await it.tick()
            assert not it.calls("top")
            assert not it.calls("diff")
            await it.press("3")
            await it.until(lambda: "word" in it.line("  7 "))
            await it.tick()
            await it.until(lambda: len(it.calls("top")) >= 2)
            await it.press("4")
            await it.until(lambda: "+ 1 added  − 1 deleted" in it.text())
            asked = len(it.calls("top"))
            await it.tick()
            assert len(it.calls("top")) == asked

    async def test_an_error_is_said_in_its_tab(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)

            def fails(id: str) -> None:
                raise Conflict("comparing word's root: it is being removed", "wait a moment")

            it.link.fake.diff = fails
            await it.press("enter", "4")
            await it.until(lambda: "it is being removed; wait a moment" in it.text())

    async def test_a_container_that_goes_is_said(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)
            await it.press("enter")
            await it.until(lambda: "always" in it.text())
            del it.link.containers[container("word").id]
            await it.tick()
            assert "word is gone" in it.text()
            await it.press("5", "L", "escape")
            assert isinstance(it.app.screen, MainScreen)

    async def test_a_click_opens_a_tab(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)
            await it.press("enter")
            x = it.line("1  overview").index("changes")
            await it.pilot.click(offset=(x, 1))
            await it.until(lambda: "+ 1 added  − 1 deleted" in it.text())

    async def test_limits_open_from_here(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)
            await it.press("enter", "L")
            assert isinstance(it.app.screen, LimitsScreen)


class TestNew:
    async def test_choices_go_round_and_a_click_takes_one(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            answers(it)
            await it.press("n")
            network = it.app.screen.query_one("#network")
            network.focus()
            await it.press("right")
            assert network.value == "none"
            await it.press("left", "left")
            assert network.value == "host"
            row = next(y for y, line in enumerate(it.text().splitlines()) if "← →" in line)
            x = it.text().splitlines()[row].index("bridge")
            await it.pilot.click(offset=(x, row))
            await it.until(lambda: network.value == "bridge")

    async def test_it_fits_a_small_terminal(self, tmp_path) -> None:
        async with deck(tmp_path, size=(80, 24)) as it:
            answers(it)
            await it.press("n")
            assert "remove after" in it.text()
            assert "close" in it.text()
