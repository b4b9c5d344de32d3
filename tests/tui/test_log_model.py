"""The model under the log pane against naive readings of the same log: pages, walks, text, patterns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.errors import BadRequest
from engine.model import LogExtent
from tui.deck.logs import pages
from tui.deck.logs.pages import Book
from tui.deck.logs.pattern import Pattern
from tui.deck.logs.records import Line
from tui.deck.logs.text import plain, shown
from tui.deck.logs.walk import Walk

STAMP = b"2026-01-02T03:04:%02d.000000000Z"
SMALL = 256  # bytes of a page in these tests, so that everything spans several


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch) -> None:
    monkeypatch.setattr("tui.deck.logs.pages.PAGE", SMALL)
    monkeypatch.setattr("tui.deck.logs.walk.PAGE", SMALL)
    monkeypatch.setattr("tui.deck.logs.pages.MORE", 16)


class Log:
    """A log in memory, read as the engine lets it be read: short reads at the ends of segments."""

    def __init__(self, written: list[tuple[bool, bool, bytes]], first: int = 0) -> None:
        self.records: list[tuple[int, bool, bool, bytes]] = []
        self.raw = b""
        self.first = first
        for n, (stderr, whole, text) in enumerate(written):
            self.add(stderr, whole, text, n)

    def add(self, stderr: bool, whole: bool, text: bytes, second: int = 0) -> None:
        self.records.append((len(self.raw), stderr, whole, text))
        tag, stream = (b"F" if whole else b"P"), (b"stderr" if stderr else b"stdout")
        self.raw += b" ".join((STAMP % (second % 60), stream, tag, text)) + b"\n"

    def read(self, offset: int, size: int) -> bytes:
        if offset < self.first:
            raise BadRequest("below the first")
        segment = offset // 1000 * 1000 + 1000
        return self.raw[offset : min(offset + size, segment)]

    def extent(self) -> LogExtent:
        return LogExtent(first=self.first, end=len(self.raw))

    def book(self) -> Book:
        book = Book(self.read, self.extent)
        book.refresh()
        return book

    def lines(self) -> list[tuple[int, bool, bytes]]:
        """Its lines put together without any pages."""
        begun: dict[bool, tuple[int, bytes]] = {}
        found = []
        for offset, stderr, whole, text in self.records:
            at, before = begun.pop(stderr, (offset, b""))
            if whole:
                found.append((at, stderr, before + text))
            else:
                begun[stderr] = (at, before + text)
        found += [(at, stderr, text) for stderr, (at, text) in begun.items()]
        return sorted(found)


def only_lines(steps) -> list[Line]:
    return [step for step in steps if isinstance(step, Line)]


text = st.binary(max_size=60).map(lambda b: b.replace(b"\n", b""))
written = st.lists(st.tuples(st.booleans(), st.booleans(), text), max_size=80)
short_runs = st.lists(
    st.tuples(st.booleans(), text, text).map(lambda t: [(t[0], False, t[1]), (t[0], True, t[2])])
    | st.tuples(st.booleans(), text).map(lambda t: [(t[0], True, t[1])]),
    max_size=40,
).map(lambda runs: [record for run in runs for record in run])


class TestPages:
    @given(short_runs)
    def test_lines_are_those_of_a_naive_reading(self, written) -> None:
        log = Log(written)
        found = only_lines(Walk(log.book()).forward(0))
        assert [(line.offset, line.stderr, line.text) for line in found] == log.lines()

    @given(written)
    def test_whatever_the_pieces_every_byte_is_in_exactly_one_line(self, written) -> None:
        log = Log(written)
        found = only_lines(Walk(log.book()).forward(0))
        for stream in (False, True):
            said = b"".join(text for _, stderr, _, text in log.records if stderr == stream)
            assert b"".join(line.text for line in found if line.stderr == stream) == said

    @given(written)
    def test_backward_is_forward_reversed(self, written) -> None:
        log = Log(written)
        there = only_lines(Walk(log.book()).forward(0))
        assert only_lines(Walk(log.book()).backward(len(log.raw) + 1))[::-1] == there

    @given(written, st.data())
    def test_a_walk_begins_anywhere(self, written, data) -> None:
        log = Log(written)
        everything = only_lines(Walk(log.book()).forward(0))
        at = data.draw(st.integers(0, len(log.raw) + 300))
        walk = Walk(log.book())
        assert only_lines(walk.forward(at)) == [line for line in everything if line.offset >= at]
        assert only_lines(walk.backward(at)) == [line for line in everything if line.offset < at][::-1]

    @given(written, written)
    @settings(max_examples=50)
    def test_a_log_that_grew_reads_as_one_that_was_always_so_long(self, before, after) -> None:
        log = Log(before)
        walk = Walk(log.book())
        only_lines(walk.forward(0))
        for stderr, whole, text in after:
            log.add(stderr, whole, text)
            walk.book.refresh()
            only_lines(walk.backward(walk.book.end + 1))
        assert only_lines(walk.forward(0)) == only_lines(Walk(log.book()).forward(0))

    @given(short_runs, st.data())
    def test_dropped_output_is_told_and_the_rest_is_whole(self, written, data) -> None:
        log = Log(written)
        starts = [at for at, *_ in log.lines()]
        first = data.draw(st.sampled_from(starts or [0]))
        walk = Walk(log.book())
        only_lines(walk.forward(0))  # read before it was dropped
        log.first = first
        walk.book.refresh()
        found = only_lines(walk.forward(0))
        assert found[:1] == ([walk.note] if first else found[:1])
        kept = [line for line in found if not line.note]
        assert (
            [(line.offset, line.stderr, line.text) for line in kept] == log.lines()[starts.index(first) :]
            if starts
            else not kept
        )

    def test_output_dropped_while_it_is_read_is_no_error(self) -> None:
        log = Log([(False, True, b"x" * 20)] * 100)
        walk = Walk(log.book())
        log.first = log.records[50][0]
        assert only_lines(walk.forward(0))[-1].offset == log.records[-1][0]

    def test_a_torn_record_is_passed_over(self) -> None:
        log = Log([(False, True, b"one")])
        log.raw += b"2026-01-02T03:0\n"
        log.add(False, True, b"two")
        log.raw += b"2026-01-02T03:04:05.000000000Z stdout F thr"
        assert [line.text for line in only_lines(Walk(log.book()).forward(0))] == [b"one", b"two"]

    def test_only_a_few_pages_are_kept(self) -> None:
        log = Log([(False, True, b"x" * 50)] * 500)
        book = log.book()
        only_lines(Walk(book).forward(0))
        assert len(book._pages) <= pages.KEPT


class TestFilterAndTime:
    @given(short_runs, st.sampled_from([b"a", b"0", b"ab", b"\x1b", b"f", b" "]))
    def test_a_filter_finds_what_a_naive_reading_finds(self, written, needle) -> None:
        log = Log(written)
        pattern = Pattern(needle.decode())
        walk = Walk(log.book(), pattern)
        expected = [at for at, _, text in log.lines() if needle.decode().lower() in plain(text).lower()]
        assert [line.offset for line in only_lines(walk.forward(0))] == expected
        assert [line.offset for line in only_lines(walk.forward(0))] == expected  # from what was remembered
        assert [line.offset for line in only_lines(walk.backward(len(log.raw)))] == expected[::-1]

    def test_a_capital_letter_makes_the_case_matter(self) -> None:
        line = Line(0, b"", False, b"an Error")
        assert Pattern("error").matches(line)
        assert Pattern("Error").matches(line)
        assert not Pattern("ERROR").matches(line)

    def test_a_match_is_found_across_colours_and_pieces(self) -> None:
        log = Log([(False, False, b"a\x1b[31mer"), (True, True, b"other"), (False, True, b"ror\x1b[0m")])
        found = only_lines(Walk(log.book(), Pattern("aerror")).forward(0))
        assert [line.offset for line in found] == [0]

    @given(st.integers(0, 59), st.integers(0, 120))
    def test_a_window_begins_at_its_time(self, second, count) -> None:
        from datetime import UTC, datetime

        log = Log([])
        for n in range(count):
            log.add(False, True, b"%d" % n, n // 2)
        since = datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC).timestamp()
        found = [line for line in only_lines(Walk(log.book(), since=since).forward(0)) if not line.note]
        assert [int(line.text) for line in found] == [n for n in range(count) if n // 2 >= second]


class TestText:
    @pytest.mark.parametrize(
        ("written", "plain"),
        [
            (b"plain", "plain"),
            (b"\x1b[1;31mred\x1b[0m", "red"),
            (b"10%\r50%\r100%\r", "100%"),
            (b"crlf\r", "crlf"),
            (b"a\tb", "a       b"),
            ("字\tb".encode(), "字      b"),
            (b"a\x00b", "a␀b"),
            (b"bell\x07", "bell"),
            (b"ab\bc", "ac"),
            (b"\x1b]0;title\x07text", "text"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"\x1b[2J\x1b[Hclear", "clear"),
            (b"\x1bcreset", "reset"),
            (b"\x1b(0lines", "lines"),
            (b"\x1bPq#0\x1b\\sixel", "sixel"),
            (b"\x1b[?1049h\x1b[6nask", "ask"),
            (b"cut\x1b[3", "cut"),
            (b"\xff\xfe", "\ufffd\ufffd"),
            ("\u202egnp.exe".encode(), "gnp.exe"),
            (b"\xc2\x9b31mc1", "31mc1"),
            ("e\u0301".encode(), "e\u0301"),
        ],
    )
    def test_what_is_left_of_it(self, written, plain) -> None:
        assert shown(written).plain == plain

    @given(st.binary(max_size=200).map(lambda b: b.replace(b"\n", b"")))
    def test_nothing_that_drives_a_terminal_is_left(self, written) -> None:
        text = shown(written)
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text.plain)
        ends = [(run.begin, run.end) for run in text.runs]
        assert all(0 <= a < b <= len(text.plain) for a, b in ends)
        assert [at for pair in ends for at in pair] == sorted(at for pair in ends for at in pair)

    @given(
        st.lists(
            st.sampled_from(
                [b"\x1b[", b"3", b"8", b";", b"5", b"2", b"1", b"m", b"x", b":", b"0", b"255", b"999"]
            )
        )
    )
    def test_no_colour_code_is_an_error(self, pieces) -> None:
        shown(b"".join(pieces))

    def test_colours_are_kept(self) -> None:
        text = shown(b"a\x1b[31mb\x1b[1mc\x1b[38;5;200md\x1b[48;2;1;2;3me\x1b[0mf")
        drawn = {text.plain[run.begin : run.end]: run.style for run in text.runs}
        assert drawn["b"].color.number == 1
        assert drawn["c"].bold
        assert drawn["d"].color.number == 200
        assert drawn["e"].bgcolor.triplet == (1, 2, 3)
        assert "f" not in drawn

    @given(st.text(st.sampled_from("ab字e\u0301 🙂"), max_size=60), st.integers(2, 12))
    def test_wrapping_loses_nothing_and_fits(self, text, room) -> None:
        rows = shown(text.encode()).wrapped(room)
        assert "".join(text[a:b] for a, b in rows) == text
        assert all(cell_len(text[a:b]) <= room for a, b in rows)
        assert [a for a, _ in rows[1:]] == [b for _, b in rows[:-1]]

    def test_what_is_sought_is_found_over_the_edge_of_a_row(self) -> None:
        assert Pattern("cd").spans("abcdef", 0, 3) == [(2, 4)]
        assert Pattern("cd").spans("abcdef", 3, 6) == [(2, 4)]
