"""A container's own registry on the deck: changes as a tree, two texts compared, and the keys that act on them."""

from __future__ import annotations

import pytest
from deck import Deck, deck
from scripted import T0, container

from engine.errors import Conflict
from engine.model import Change, FileChange, FileState, History, ImageSummary, LayerSnapshot
from tui.deck.changes.compare import compare, counts, differences, unified, without_same
from tui.deck.changes.texts import compared
from tui.deck.changes.tree import Tree, flat
from tui.deck.screens.choice import Choice
from tui.deck.screens.compare import CompareScreen
from tui.deck.screens.details import DetailsScreen
from tui.deck.screens.prompt import Prompt

CHANGES = [
    Change(path="/etc", kind="modified", is_dir=True),
    Change(path="/etc/issue", kind="deleted"),
    Change(path="/etc/word.conf", kind="modified", size=40),
    Change(path="/usr", kind="modified", is_dir=True),
    Change(path="/usr/lib", kind="modified", is_dir=True),
    Change(path="/usr/lib/libword.so", kind="deleted"),
    Change(path="/usr/lib/setup", kind="added", is_dir=True),
    Change(path="/usr/lib/setup/part1", kind="added", size=1000),
    Change(path="/usr/lib/setup/part2", kind="added", size=24),
]
BEFORE = "".join(f"line {n}\n" for n in range(20)) + "theme = dark\nsize = 3\n"
AFTER = BEFORE.replace("dark", "loud") + "setup = was here\n"


def side(text: str | None, **fields: object) -> FileState:
    """A text file, or what `fields` say."""
    whole = {"kind": "file", "mode": 0o100644, "uid": 0, "gid": 0, "modified_at": T0, "size": len(text or "")}
    return FileState(**{**whole, "text": text, **fields})  # type: ignore[arg-type]


WORD = FileChange("/etc/word.conf", side(BEFORE), side(AFTER, mode=0o100600))


class TestTree:
    def test_what_has_nothing_below_it_counts_and_folders_add_up(self) -> None:
        tally = Tree(CHANGES).tally
        assert (tally.added, tally.modified, tally.deleted, tally.written) == (2, 1, 2, 1064)

    def test_folders_that_only_hold_one_folder_share_its_row(self) -> None:
        rows = Tree(CHANGES).rows(set())
        assert [(row.label, row.depth) for row in rows] == [
            ("etc", 0), ("issue", 1), ("word.conf", 1),
            ("usr/lib", 0), ("libword.so", 1), ("setup", 1), ("part1", 2), ("part2", 2),
        ]  # fmt: skip

    def test_nothing_below_a_folded_path_is_shown(self) -> None:
        rows = Tree(CHANGES).rows({"/usr/lib"})
        assert [row.label for row in rows] == ["etc", "issue", "word.conf", "usr/lib"]
        assert rows[-1].tally.paths == 3

    def test_a_large_tree_opens_at_its_top_only(self) -> None:
        many = [Change(path=f"/a/{n}/{m}", kind="added", size=1) for n in range(10) for m in range(10)]
        tree = Tree(many)
        assert len(tree.rows(tree.folded_at_first())) == 11
        assert not Tree(CHANGES).folded_at_first()

    def test_flat_leaves_out_folders_that_only_hold_changes(self) -> None:
        assert [node.label for node in flat(CHANGES)] == [
            "etc/issue", "etc/word.conf", "usr/lib/libword.so", "usr/lib/setup", "usr/lib/setup/part1",
            "usr/lib/setup/part2",
        ]  # fmt: skip

    def test_where_most_of_it_is(self) -> None:
        assert Tree(CHANGES).mostly(1) == [("/usr/lib", 3)]


class TestCompare:
    def test_a_changed_line_is_beside_the_one_it_was(self) -> None:
        pairs = compare(["a", "theme = dark", "b"], ["a", "theme = loud", "b", "c"])
        assert [pair.kind for pair in pairs] == ["same", "changed", "same", "added"]
        changed = pairs[1]
        assert changed.left is not None
        assert changed.right is not None
        assert {changed.left.text[a:b] for a, b in changed.left.spans} <= {"dark", "d", "ark", "rk"}
        assert counts(pairs) == (1, 2)

    def test_same_lines_far_off_are_left_out_and_counted(self) -> None:
        texts = compared(WORD)
        shown = without_same(texts.pairs)
        assert shown[0].kind == "left out"
        assert shown[0].count == 17
        assert [pair.kind for pair in shown[1:]] == ["same"] * 3 + ["changed", "same", "added"]
        assert differences(shown) == [4, 6]

    def test_in_one_column_what_was_comes_before_what_is(self) -> None:
        rows = unified(compare(["a", "b"], ["c", "d"]))
        assert [row.kind for row in rows] == ["removed", "removed", "added", "added"]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (FileChange("/a", None, side("x")), "only the container has it"),
            (FileChange("/a", side("x"), None), "the image has it still"),
            (FileChange("/a", side(None, binary=True), side(None, binary=True, size=9)), "it is no text"),
            (WORD, "mode rw-r--r-- → rw-------"),
            (FileChange("/a", side("x"), side("x", uid=7)), "owner 0:0 → 7:0"),
            (FileChange("/a", side("x"), side("x", kind="link")), "it was a file and is a link"),
            (FileChange("/a", side("x", cut=True, size=1 << 20), side("y")), "only the beginning"),
        ],
    )
    def test_what_differs_beside_the_text_is_said(self, change: FileChange, said: str) -> None:
        assert any(said in note for note in compared(change).notes)


class Answers:
    """What the engine answers about one container's layer, and notes of what it was told to do."""

    def __init__(self, it: Deck) -> None:
        self.diff = CHANGES
        fake = it.link.fake
        fake.history = lambda id, seconds: History(id=id, at=[], fields={})
        fake.diff = lambda id: self.diff
        fake.change = lambda id, path: WORD if path == WORD.path else FileChange(path, side("x"), None)
        fake.snapshots = lambda id: [
            LayerSnapshot(name="good", created_at=T0, note="as it came", files=3, size=9)
        ]

        def reset(*args: object, **kwargs: object) -> None:
            fake.calls.append(("reset", *args, kwargs))
            self.diff = []

        def commit(id: str, name: str, *, message: str = "") -> ImageSummary:
            fake.calls.append(("commit", name, message))
            return ImageSummary(id="sha256:1", names=[name], created_at=T0, size=9)

        fake.reset, fake.commit = reset, commit


async def changes_of(it: Deck, name: str = "setup") -> Answers:
    """Open the tab on one container."""
    answers = Answers(it)
    it.app.push_screen(DetailsScreen(it.link, it.app.store, container(name).id, "changes"))
    await it.until(lambda: "1 changed" in it.text())
    return answers


class TestChanges:
    async def test_how_much_it_is_and_who_sees_it(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await changes_of(it)
            assert "~ 1 changed  + 2 added  − 2 deleted" in it.text()
            assert "mostly in /usr/lib (3), /etc (2)" in it.text()
            assert "see none of it" in it.text()

    async def test_the_selected_text_is_compared_below(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await changes_of(it)
            await it.press("j", "j")
            await it.until(lambda: "theme = loud" in it.text())
            line = it.line("theme = loud")
            assert line.index("theme = dark") < line.index("│") < line.index("theme = loud")
            assert "−1 +2 lines" in it.text()
            assert "17 same lines" in it.text()

    async def test_a_small_terminal_has_the_tree_and_the_comparison_in_one_column(self, tmp_path) -> None:
        async with deck(tmp_path, size=(80, 24)) as it:
            await changes_of(it)
            assert "theme" not in it.text()
            await it.press("j", "j", "enter")
            await it.until(lambda: "theme = loud" in it.text())
            assert isinstance(it.app.screen, CompareScreen)
            assert "− theme = dark" in it.line("theme = dark")
            assert "+ theme = loud" in it.line("theme = loud")
            await it.press("w")
            assert "same lines" not in it.text()
            await it.press("J")
            await it.until(lambda: "libword.so" in it.text())
            await it.press("escape")
            await it.until(lambda: isinstance(it.app.screen, DetailsScreen))
            assert "▌D −" in it.line("libword.so")

    async def test_folders_fold(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await changes_of(it)
            await it.press("left")
            assert "word.conf" not in it.text()
            assert "▸ etc/" in it.text()
            await it.press("right", "j")
            assert "word.conf" in it.text()
            await it.press("left")
            assert "▌" in it.line("▾ etc/")
            await it.press("z")
            assert "part1" not in it.text()

    async def test_a_reset_says_what_is_lost_and_may_leave_it_stopped(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await changes_of(it)
            await it.press("D")
            assert isinstance(it.app.screen, Choice)
            assert "Thrown away: 1 changed, 2 added, 2 deleted, 1.0K written." in it.text()
            assert "It runs, and is stopped" in it.text()
            await it.press("s")
            await it.until(lambda: "as its image again" in it.text())
            await it.until(lambda: "nothing was changed" in it.text())
            assert it.calls("stop") == [(container("setup").id, 1.0)]
            assert it.calls("reset")[0][-1] == {"restart": False, "grace": None}

    async def test_a_reset_that_was_not_meant_does_nothing(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await changes_of(it)
            await it.press("D", "escape")
            assert not it.calls("reset")
            assert "1 changed" in it.text()

    async def test_a_refusal_is_said_where_it_was_asked(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await changes_of(it)

            def refuses(*args: object, **kwargs: object) -> None:
                raise Conflict("resetting setup: it is being removed", "wait a moment")

            it.link.fake.reset = refuses
            await it.press("D", "y")
            await it.until(lambda: "it is being removed; wait a moment" in it.text())

    async def test_a_commit_asks_for_a_name(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await changes_of(it)
            await it.press("c")
            assert isinstance(it.app.screen, Prompt)
            await it.press(*"mine:1", "enter", *"why", "enter")
            await it.until(lambda: "mine:1 is made" in it.text())
            assert it.calls("commit") == [("mine:1", "why")]

    async def test_a_snapshot_is_put_back_after_a_question(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await changes_of(it)
            await it.press("B")
            await it.until(lambda: "as it came" in it.text())
            await it.press("enter")
            assert "What it has now is thrown away" in it.text()
            await it.press("y")
            await it.until(lambda: "as in snapshot good again" in it.text())
            assert it.calls("rollback") == [(container("setup").id, "good")]

    async def test_read_only_changes_nothing(self, tmp_path) -> None:
        async with deck(tmp_path, read_only=True) as it:
            await changes_of(it)
            for key in ("D", "c", "S"):
                await it.press(key)
                assert isinstance(it.app.screen, DetailsScreen)
            assert any("read-only" in notice for notice in it.notices)
