"""What the deck knows and remembers: store, selection, order, settings, themes."""

from __future__ import annotations

import msgspec
import pytest

from engine.model import ContainerState, ContainerSummary, History, HostSample, Limits, Sample, Snapshot
from tui.deck import settings, theme
from tui.deck.ordering import CALM, Ordering
from tui.deck.selection import Selection
from tui.deck.store import Store


def summary(id: str, **fields: object) -> ContainerSummary:
    whole: dict[str, object] = {
        "id": id,
        "name": id,
        "image": "host",
        "image_id": "host",
        "command": "sh",
        "created_at": 1.0,
        "state": ContainerState(status="running", pid=1, started_at=1.0),
    }
    return msgspec.convert({**whole, **fields}, ContainerSummary)


def snapshot(
    seq: int, containers: list[ContainerSummary], cpu: float = 0.5, at: float | None = None
) -> Snapshot:
    return Snapshot(
        seq=seq,
        at=1000.0 + seq if at is None else at,
        interval=1.0,
        host=HostSample(cores=2),
        containers=containers,
        samples={c.id: Sample(cpu=cpu, cpu_some=0.1) for c in containers},
    )


class TestStore:
    def test_a_minute_of_history_is_kept_and_no_more(self) -> None:
        store = Store()
        for seq in range(200):
            store.apply(snapshot(seq, [summary("a")], cpu=seq))
        points = store.traces["a"].points
        assert [points[0].cpu, points[-1].cpu] == [139, 199]

    def test_a_snapshot_between_ticks_is_no_point_of_its_own(self) -> None:
        store = Store()
        store.apply(snapshot(0, [summary("a")], at=1000.0))
        store.apply(snapshot(1, [summary("a")], at=1000.1))
        store.apply(snapshot(2, [summary("a")], at=1001.0))
        assert [p.at for p in store.traces["a"].points] == [1000.0, 1001.0]

    def test_history_fills_what_was_not_seen(self) -> None:
        store = Store()
        store.apply(snapshot(0, [summary("a")]))
        store.apply(snapshot(5, [summary("a")], cpu=0.7))
        past = History(
            id="a", at=[998.0, 999.0, 1000.0], fields={"cpu": [1, 2, 3], "cpu_some": [None, None, 0.1]}
        )
        store.seed([past, History(id="host", at=[998.0], fields={"cpu": [1.0]})])
        assert [p.cpu for p in store.traces["a"].points] == [1, 2, 3, 0.7]
        assert "host" not in store.traces

    def test_a_limit_turned_by_anybody_leaves_a_tick(self) -> None:
        store = Store()
        store.apply(snapshot(0, [summary("a")]))
        store.apply(snapshot(1, [summary("a", limits={"cpus": 0.5})]))
        store.apply(snapshot(2, [summary("a", limits={"cpus": 0.5})]))
        assert list(store.traces["a"].turned) == [1001.0]

    def test_a_limit_shown_early_leaves_one_tick_not_two(self) -> None:
        store = Store()
        store.apply(snapshot(0, [summary("a")]))
        store.turned("a", Limits(cpus=0.5))
        store.apply(snapshot(1, [summary("a", limits={"cpus": 0.5})]))
        assert len(store.traces["a"].turned) == 1
        assert store.containers["a"].limits.cpus == 0.5

    def test_nothing_is_kept_of_a_container_that_is_gone(self) -> None:
        store = Store()
        store.apply(snapshot(0, [summary("a")]))
        store.tailed({"a": ["x"]})
        store.occupy("a", "removing")
        store.apply(snapshot(1, []))
        assert not store.traces
        assert not store.tails
        assert not store.busy


class TestSelection:
    def test_it_stays_on_its_container_when_the_order_changes(self) -> None:
        selection = Selection()
        selection.reconcile(["a", "b", "c"], {"a", "b", "c"})
        selection.select("b")
        selection.reconcile(["c", "b", "a"], {"a", "b", "c"})
        assert selection.current == "b"

    def test_it_moves_to_the_neighbour_of_one_that_is_gone(self) -> None:
        selection = Selection()
        selection.reconcile(["a", "b", "c"], {"a", "b", "c"})
        selection.select("b")
        selection.reconcile(["a", "c"], {"a", "c"})
        assert selection.current == "c"
        selection.reconcile(["a"], {"a"})
        assert selection.current == "a"
        selection.reconcile([], set())
        assert selection.current == ""

    def test_moving_ends_at_the_ends(self) -> None:
        selection = Selection()
        selection.reconcile(["a", "b"], {"a", "b"})
        selection.move(-1)
        assert selection.current == "a"
        selection.move(5)
        assert selection.current == "b"

    def test_actions_go_to_the_marked_or_else_to_the_selected(self) -> None:
        selection = Selection()
        selection.reconcile(["a", "b", "c"], {"a", "b", "c"})
        assert selection.targets() == ["a"]
        for id in ("c", "b"):
            selection.select(id)
            selection.mark()
        assert selection.targets() == ["b", "c"]
        selection.reconcile(["a", "b"], {"a", "b"})
        assert selection.targets() == ["b"]

    def test_one_that_was_just_made_is_selected_when_it_comes(self) -> None:
        selection = Selection()
        selection.reconcile(["a"], {"a"})
        selection.wanted = "b"
        selection.reconcile(["a"], {"a"})
        assert selection.current == "a"
        selection.reconcile(["a", "b"], {"a", "b"})
        assert selection.current == "b"


class TestOrdering:
    def test_it_is_made_anew_only_after_a_while(self) -> None:
        values = {"a": 1, "b": 2}
        ordering = Ordering()
        assert ordering.update(values, 10.0, values.__getitem__, False) == ["a", "b"]
        values["a"] = 3
        assert ordering.update(values, 10.0 + CALM - 0.1, values.__getitem__, False) == ["a", "b"]
        assert ordering.update(values, 10.0 + CALM, values.__getitem__, False) == ["b", "a"]

    def test_meanwhile_new_ones_come_last_and_gone_ones_leave(self) -> None:
        ordering = Ordering()
        ordering.update(["a", "b"], 10.0, str, False)
        assert ordering.update(["0", "b"], 11.0, str, False) == ["b", "0"]

    def test_a_person_does_not_wait(self) -> None:
        ordering = Ordering()
        ordering.update(["a", "b"], 10.0, str, False)
        ordering.hurry()
        assert ordering.update(["a", "b"], 10.1, str, True) == ["b", "a"]


class TestSettings:
    def test_they_come_back_as_they_were_saved(self, tmp_path) -> None:
        path = tmp_path / "config" / "settings.toml"
        kept = settings.Settings(
            theme='my "own"', view="table", welcomed=True, keys={"container.kill": "ctrl+k"}
        )
        settings.save(path, kept)
        assert settings.load(path) == (kept, "")
        assert [p.name for p in path.parent.iterdir()] == ["settings.toml"]

    def test_no_file_is_no_warning(self, tmp_path) -> None:
        assert settings.load(tmp_path / "none.toml") == (settings.Settings(), "")

    @pytest.mark.parametrize("text", ["theme = 3", "theme = ", 'view = "cards"', "keys = 1", "\udcff"])
    def test_a_file_that_makes_no_sense_is_left_out_with_one_warning(self, tmp_path, text: str) -> None:
        path = tmp_path / "settings.toml"
        path.write_text(text, errors="surrogateescape")
        loaded, warning = settings.load(path)
        assert loaded == settings.Settings()
        assert str(path) in warning


class TestThemes:
    def test_ours_are_there_and_whole(self, tmp_path) -> None:
        themes = theme.load(tmp_path / "none")
        assert list(themes.palettes) == ["dark", "light", "contrast"]
        assert not themes.warnings
        assert not themes.palettes["light"].dark

    def test_a_users_own_is_found_and_may_replace_ours(self, tmp_path) -> None:
        colors = "\n".join(f'{ink} = "#010203"' for ink in theme.INKS)
        (tmp_path / "mine.toml").write_text(f'name = "dark"\ndark = true\n[colors]\n{colors}')
        themes = theme.load(tmp_path)
        assert themes.palettes["dark"].colors["running"] == "#010203"
        assert len(themes.palettes) == 3

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"running": None}, "lacks running"),
            ({"running": '"green"'}, "running is 'green'"),
            ({"running": "3"}, "running is 3"),
            ({"runing": '"#000000"'}, "nothing is called runing"),
        ],
    )
    def test_a_bad_one_gives_one_warning_that_says_what_is_wrong(self, tmp_path, change, said: str) -> None:
        colors = dict.fromkeys(theme.INKS, '"#010203"') | change
        lines = "\n".join(f"{ink} = {color}" for ink, color in colors.items() if color)
        (tmp_path / "bad.toml").write_text(f'name = "mine"\ndark = true\n[colors]\n{lines}')
        themes = theme.load(tmp_path)
        assert list(themes.palettes) == ["dark", "light", "contrast"]
        (warning,) = themes.warnings
        assert said in warning
        assert "bad.toml" in warning

    def test_what_is_not_toml_and_not_readable_is_a_warning_too(self, tmp_path) -> None:
        (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
        (tmp_path / "b.toml").write_text("= =")
        (tmp_path / "c.toml").mkdir()
        assert len(theme.load(tmp_path).warnings) == 3
