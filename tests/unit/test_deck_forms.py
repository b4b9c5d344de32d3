"""What is typed in the deck's forms, as what the engine is asked."""

from __future__ import annotations

import pytest

from engine.errors import BadRequest
from engine.model import IoLimit, LimitReading, LimitsChange, Mount, Publish, RestartPolicy
from tui.deck.details.inspect import value_of
from tui.deck.draw.chart import LABEL, SCALE, Chart, draw, levels, nice
from tui.deck.limits import rows
from tui.deck.new import entries
from tui.deck.theme import load

READINGS = [
    LimitReading(name="cpus", value=None, file="cpu.max", raw="max 100000"),
    LimitReading(name="cpu_weight", value=None, file="cpu.weight", raw="100"),
    LimitReading(name="cpu_idle", value=False, file="cpu.idle", raw="0"),
    LimitReading(name="memory", value=64 << 20, file="memory.max", raw="67108864"),
    LimitReading(name="swap", value=None, file="", raw="", supported=False, why_not="no swap"),
    LimitReading(name="io", value="rbps=1048576 wiops=10", file="io.max", raw="", device="/dev/vda"),
    LimitReading(name="pids", value=None, file="pids.max", raw="max"),
]


def row_of(key: str) -> rows.LimitRow:
    return next(row for row in rows.rows(READINGS, ["8:0"]) if row.key == key)


class TestLimits:
    def test_rows_say_what_is_now(self) -> None:
        now = {row.key: row.now for row in rows.rows(READINGS, [])}
        assert now["cpus"] == "∞"
        assert now["cpu_weight"] == "100"
        assert now["cpu_idle"] == "off"
        assert now["memory"] == "64M"
        assert now["swap"] == "–"
        assert now["/dev/vda read_bps"] == "1M"
        assert now["/dev/vda write_bps"] == "∞"
        assert now["/dev/vda write_iops"] == "10"

    def test_only_what_was_typed_is_changed(self) -> None:
        typed = {"cpus": "0.5", "memory": "max", "pids": "", "cpu_idle": "on", "cpu_weight": "  "}
        change = rows.change(rows.rows(READINGS, []), typed)
        assert change == LimitsChange(cpus=0.5, memory=None, cpu_idle=True)

    def test_a_rate_keeps_the_others_of_its_device(self) -> None:
        change = rows.change(
            rows.rows(READINGS, ["8:0"]), {"/dev/vda read_bps": "max", "8:0 write_bps": "2m"}
        )
        assert change.io == {"/dev/vda": IoLimit(write_iops=10), "8:0": IoLimit(write_bps=2 << 20)}

    @pytest.mark.parametrize(
        ("key", "text"),
        [("cpus", "two"), ("memory", "64x"), ("pids", "-3"), ("cpu_weight", "0"), ("8:0 read_iops", "1.5")],
    )
    def test_bad_words_name_their_row(self, key: str, text: str) -> None:
        row = row_of(key)
        with pytest.raises(BadRequest, match=row.label) as caught:
            rows.read(row, text)
        assert caught.value.remedy

    def test_nought_takes_away_where_the_command_line_says_so(self) -> None:
        assert rows.read(row_of("cpus"), "0") is None
        assert rows.read(row_of("swap"), "0") == 0

    def test_devices(self) -> None:
        assert rows.read_device(" /dev/vda ") == "/dev/vda"
        assert rows.read_device("8:16") == "8:16"
        with pytest.raises(BadRequest):
            rows.read_device("vda")

    def test_what_the_kernel_rounded_is_said(self) -> None:
        took = [LimitReading(name="memory", value=999424, file="memory.max", raw="999424")]
        assert rows.otherwise(LimitsChange(memory=1000001), took) == ["memory 1000001B became 976K"]
        assert rows.otherwise(LimitsChange(memory=999424), took) == []


TYPED = {entry.key: entry.default for entry in entries.ENTRIES}
ON = {entry.key: entry.default == "on" for entry in entries.SWITCHES}


class TestNewContainer:
    def test_what_is_there_at_first_is_a_shell(self) -> None:
        made, name = entries.config(TYPED, ON)
        assert (made.image, made.command, made.tty, made.stdin, name) == ("host", ["sh"], True, True, "")

    def test_everything_typed_is_in_it(self) -> None:
        typed = TYPED | {
            "command": "sh -c 'echo $A; sleep 9'",
            "name": " web ",
            "env": "A=1 'B=two words'",
            "publish": "8080:80 53:53/udp",
            "volumes": "data:/data /srv:/srv:ro",
            "network": "none",
            "cpus": "0.5",
            "memory": "64m",
            "pids": "max",
            "restart": "on-failure:3",
        }
        made, name = entries.config(typed, ON | {"tty": False})
        assert name == "web"
        assert made.command == ["sh", "-c", "echo $A; sleep 9"]
        assert made.env == ["A=1", "B=two words"]
        assert made.publish == [
            Publish(container_port=80, host_port=8080),
            Publish(container_port=53, host_port=53, protocol="udp"),
        ]
        assert made.mounts == [
            Mount(type="volume", source="data", target="/data"),
            Mount(type="bind", source="/srv", target="/srv", read_only=True),
        ]
        assert (made.limits.cpus, made.limits.memory, made.limits.swap) == (0.5, 64 << 20, 64 << 20)
        assert made.limits.pids is None
        assert made.restart == RestartPolicy(name="on-failure", max_retries=3)
        assert not made.tty

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            ("image", " "),
            ("command", "sh -c 'open"),
            ("env", "=1"),
            ("publish", "80:http"),
            ("volumes", "/a:b"),
            ("cpus", "many"),
            ("memory", "64 elephants"),
            ("restart", "sometimes"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, key: str, text: str) -> None:
        with pytest.raises(entries.Refused) as caught:
            entries.config(TYPED | {key: text}, ON)
        assert caught.value.key == key
        assert caught.value.remedy

    def test_removed_at_its_end_and_started_again_exclude_each_other(self) -> None:
        with pytest.raises(entries.Refused):
            entries.config(TYPED | {"restart": "always"}, ON | {"auto_remove": True})


class TestCharts:
    def test_a_cell_is_the_mean_of_its_slice(self) -> None:
        points = [(100.0 + n, float(n % 2)) for n in range(10)]
        assert levels(points, 109.0, 10, 5) == [0.5] * 5

    def test_where_nothing_was_measured_there_is_nothing(self) -> None:
        points = [(100.0, 1.0), (109.0, None)]
        assert levels(points, 109.0, 10, 10) == [1.0] + [None] * 9

    def test_columns_have_the_colour_of_their_meaning(self, tmp_path) -> None:
        palette = load(tmp_path).palettes["dark"]
        one = Chart("stall", "50%", [(100.0, 0.5), (101.0, 0.0)], 1.0, ink="stalled")
        (line,) = draw(one, 101.0, 2, LABEL + SCALE + 2, 1, palette, "background")
        inks = {s.text: s.style for s in line}
        assert inks["▄"] == palette.style("stalled")
        assert inks["▁"] == palette.style("border")  # measured, and nothing

    def test_scales_are_round_and_large_enough(self) -> None:
        assert nice(0, 10) == 10
        assert nice(37, 10) == 50
        assert nice(3000, 10) == 5000
        assert nice(5 << 20, 4096, 1024) == 8 << 20


def test_the_value_of_a_line_of_json() -> None:
    assert value_of('    "Gateway": "10.88.0.1",') == "10.88.0.1"
    assert value_of('    "Pid": 12,') == "12"
    assert value_of('    "a \\"b\\"",') == 'a "b"'
    assert value_of("  {") == "{"
