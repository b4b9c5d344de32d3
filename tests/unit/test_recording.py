"""Recordings: what is written is read, whatever happens to the file in between."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import BadRequest, Conflict, Corrupt, NotFound, TiffinError
from engine.model import (
    SAMPLE_FIELDS,
    ContainerState,
    ContainerSummary,
    Event,
    HostSample,
    Limits,
    Sample,
    Snapshot,
)
from engine.recording import Recording, Taker, Writer, numbers, records
from engine.recording.records import HEAD, Kind

T0 = 1_770_000_000.0
FIELDS = msgspec.structs.fields(Sample)


def container(id: str, **fields: object) -> ContainerSummary:
    whole = {
        "id": id,
        "name": f"name of {id}",
        "image": "host",
        "image_id": "host",
        "command": "sh",
        "created_at": T0,
        "state": ContainerState(status="running", pid=1, started_at=T0),
    }
    return ContainerSummary(**{**whole, **fields})  # type: ignore[arg-type]


def snapshot(n: int, samples: dict[str, Sample], **fields: object) -> Snapshot:
    whole = {
        "seq": n,
        "at": T0 + n,
        "interval": 1.0,
        "host": HostSample(cores=2, cpu=0.5, memory_total=1 << 30),
        "containers": [container(id) for id in samples],
        "samples": samples,
    }
    return Snapshot(**{**whole, **fields})  # type: ignore[arg-type]


def written(path: Path, snapshots: list[Snapshot], close: bool = True) -> Path:
    writer = Writer(path, 1.0, "0.0")
    for one in snapshots:
        writer.add(one)
    if close:
        writer.close()
    return path


def busy(count: int, ids: str = "abc", seed: int = 1) -> list[Snapshot]:
    """Snapshots in which everything moves."""
    r = random.Random(seed)

    def sample() -> Sample:
        return Sample(
            cpu=r.random() * 2, cpu_some=r.random(), memory=r.randrange(1 << 30), io_read=r.random() * 1e7
        )

    return [snapshot(n, {id: sample() for id in ids}) for n in range(count)]


def near(sample: Sample) -> Sample:
    """What a recording keeps of a sample."""
    kept = {}
    for field in SAMPLE_FIELDS:
        value, step = getattr(sample, field), numbers.STEPS.get(field)
        step = step or (1.0 if numbers.is_level(Sample, field) else numbers.FINE)
        if value is not None:
            value = round(value * step) / step
            value = round(value) if numbers.is_level(Sample, field) else value
        kept[field] = value
    return Sample(**kept)


def by_id(snapshot: Snapshot) -> dict[str, ContainerSummary]:
    return {container.id: container for container in snapshot.containers}


measures = st.builds(
    Sample,
    **{
        field.name: st.none()
        | (st.integers(0, 2**52) if numbers.is_level(Sample, field.name) else st.floats(0, 2.0**38))
        for field in FIELDS
    },
)
ticks = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), measures, max_size=4), min_size=1, max_size=8
)


class TestRoundTrip:
    @given(ticks)
    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_every_sample_comes_back_to_its_step(
        self, tmp_path: Path, ticks: list[dict[str, Sample]]
    ) -> None:
        path = tmp_path / "r"
        path.unlink(missing_ok=True)
        snapshots = [snapshot(n, samples) for n, samples in enumerate(ticks)]
        got = [frame.snapshot() for frame in Recording(written(path, snapshots)).frames()]
        assert [one.at for one in got] == [one.at for one in snapshots]
        assert [by_id(one) for one in got] == [by_id(one) for one in snapshots]
        for wrote, read in zip(snapshots, got, strict=True):
            assert read.samples == {id: near(sample) for id, sample in wrote.samples.items()}
            assert read.host == wrote.host

    def test_what_no_kernel_reports_is_not_told(self, tmp_path: Path) -> None:
        odd = Sample(cpu=float("nan"), cpu_some=float("inf"), io_read=-5.0, memory=1 << 80)
        (frame,) = Recording(written(tmp_path / "r", [snapshot(0, {"a": odd})])).frames()
        read = frame.sample("a")
        assert read is not None
        assert (read.cpu, read.cpu_some, read.io_read) == (None, None, 0.0)
        assert read.memory is not None

    def test_containers_events_and_what_else_a_snapshot_has(self, tmp_path: Path) -> None:
        first, second = busy(2)
        second = msgspec.structs.replace(
            second, containers=[container("a", limits=Limits(cpus=0.5)), container("b")], samples={}
        )
        event = Event(at=T0 + 1, type="container", action="update", id="a", attributes={"cpus": "max → 0.5"})
        with_writer = Writer(tmp_path / "r", 1.0, "0.0")
        with_writer.add(first)
        with_writer.add(second, [event])
        with_writer.close()
        one, two = Recording(tmp_path / "r").frames()
        assert one.snapshot().containers == first.containers
        assert two.snapshot().containers == second.containers
        assert two.snapshot().samples == {}
        assert list(two.events) == [event]
        (minute,) = Recording(tmp_path / "r").minutes()
        assert minute.events == [event]

    def test_any_moment_is_found(self, tmp_path: Path) -> None:
        snapshots = busy(150)
        recording = Recording(written(tmp_path / "r", snapshots))
        assert len(recording) == 150
        for n in random.Random(1).choices(range(150), k=40):
            assert recording.at(T0 + n + 0.7).snapshot(n).samples == {
                id: near(sample) for id, sample in snapshots[n].samples.items()
            }
        assert recording.at(0).at == T0
        assert recording.at(T0 + 1e6).at == T0 + 149
        assert [frame.at for frame in recording.frames(T0 + 58, T0 + 62)] == [T0 + n for n in range(58, 63)]

    def test_minutes_tell_mean_and_most(self, tmp_path: Path) -> None:
        snapshots = [snapshot(n, {"a": Sample(cpu=n / 100, pids=None)}) for n in range(90)]
        minutes = Recording(written(tmp_path / "r", snapshots)).minutes()
        assert [minute.frames for minute in minutes] == [60, 30]
        cpu = SAMPLE_FIELDS.index("cpu")
        assert minutes[0].mean["a"][cpu] - 1 == 2950
        assert minutes[0].most["a"][cpu] - 1 == 5900
        assert minutes[0].mean["a"][SAMPLE_FIELDS.index("pids")] == 0


class TestDamage:
    def test_cut_off_at_every_byte_the_frames_before_are_read(self, tmp_path: Path) -> None:
        whole = written(tmp_path / "whole", busy(3, "a")).read_bytes()
        found = records.scan(whole).records
        ends = [record.end for record in found if record.kind in (Kind.KEY, Kind.NEXT)]
        path = tmp_path / "r"
        for size in (*range(0, found[0].end, 17), *range(found[0].end, len(whole))):
            path.write_bytes(whole[:size])
            wanted = sum(1 for end in ends if end <= size)
            if wanted:
                recording = Recording(path)
                assert sum(1 for _ in recording.frames()) == wanted
                assert bool(recording.notes) == (size not in [record.end for record in found])
            else:
                with pytest.raises(TiffinError):
                    Recording(path)

    def test_one_that_was_cut_off_anywhere_is_continued(self, tmp_path: Path) -> None:
        whole = written(tmp_path / "whole", busy(2, "a")).read_bytes()
        ends = [r.end for r in records.scan(whole).records if r.kind in (Kind.KEY, Kind.NEXT)]
        path = tmp_path / "r"
        later = [msgspec.structs.replace(one, at=one.at + 100) for one in busy(2)]
        for size in sorted({*range(0, len(whole), 29), *(end + n for end in ends for n in (-1, 0, 1))}):
            path.write_bytes(whole[:size])
            recording = Recording(written(path, later))
            assert len(list(recording.frames())) == 2 + sum(1 for end in ends if end <= size)
            assert recording.notes == []

    def test_a_changed_byte_is_found_and_what_follows_it_goes_on(self, tmp_path: Path) -> None:
        path = written(tmp_path / "r", busy(130))
        whole = path.read_bytes()
        good = {frame.at: frame.snapshot().samples for frame in Recording(path).frames()}
        r = random.Random(2)
        for _ in range(60):
            data = bytearray(whole)
            data[r.randrange(len(data))] ^= 1 << r.randrange(8)
            path.write_bytes(data)
            try:
                recording = Recording(path)
            except (BadRequest, Corrupt):  # it was in the only header
                continue
            assert recording.notes
            got = {frame.at: frame.snapshot().samples for frame in recording.frames()}
            assert got.items() <= good.items() or all(good[at] == samples for at, samples in got.items())
            assert len(got) >= 60
            assert recording.minutes()

    def test_nonsense_between_records_is_passed_over(self, tmp_path: Path) -> None:
        path = written(tmp_path / "r", busy(70))
        found = records.scan(path.read_bytes()).records
        second = next(record for record in found[5:] if record.kind == Kind.KEY)
        data, place = path.read_bytes(), second.begin - HEAD.size
        path.write_bytes(data[:place] + records.MAGIC + b"nonsense" + records.MAGIC + data[place:])
        recording = Recording(path)
        assert len(list(recording.frames())) == 70
        assert "damaged" in recording.notes[0]

    @given(st.binary(max_size=200))
    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_other_files_are_refused_and_left_alone(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "r"
        path.write_bytes(data)
        with pytest.raises((BadRequest, Corrupt)):
            Recording(path)
        if not records.MAGIC.startswith(data[:4]):
            with pytest.raises(BadRequest):
                Writer(path, 1.0, "0.0")
            assert path.read_bytes() == data

    @given(st.lists(st.tuples(st.sampled_from([*Kind, 9]), st.binary(max_size=60)), max_size=6))
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_whole_records_of_nonsense_raise_sentences(
        self, tmp_path: Path, made: list[tuple[int, bytes]]
    ) -> None:
        path = written(tmp_path / "r", busy(2))
        made_of = b"".join(records.pack(kind, T0 + 9, data, len(data)) for kind, data in made)  # type: ignore[arg-type]
        path.write_bytes(path.read_bytes() + made_of)
        try:
            recording = Recording(path)
        except TiffinError:
            return
        assert len(list(recording.frames())) >= 2
        recording.minutes()

    def test_a_newer_format_is_named(self, tmp_path: Path) -> None:
        path = written(tmp_path / "r", busy(1))
        data = path.read_bytes()
        header = records.scan(data).records[0]
        newer = data[header.begin : header.end].replace(b'"format":1', b'"format":7')
        path.write_bytes(records.pack(Kind.HEADER, T0, newer, len(newer)))
        with pytest.raises(BadRequest, match="format 7"):
            Recording(path)

    def test_fields_this_version_does_not_know_are_left_out(self, tmp_path: Path) -> None:
        path = written(tmp_path / "r", busy(1))
        data = path.read_bytes()
        header = records.scan(data).records[0]
        other = data[header.begin : header.end].replace(b'"cpu_some"', b'"cpu_wait"', 2)
        path.write_bytes(records.pack(Kind.HEADER, T0, other, len(other)) + data[header.end :])
        (frame,) = Recording(path).frames()
        read = frame.sample("a")
        assert read is not None
        assert read.cpu_some is None
        assert read.cpu is not None

    def test_a_missing_file_and_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound):
            Recording(tmp_path / "none")
        for refused in (Recording, lambda path: Writer(path, 1.0, "0.0")):
            with pytest.raises(TiffinError):
                refused(tmp_path)


class TestBounds:
    def test_it_is_rotated_and_read_as_one(self, tmp_path: Path) -> None:
        path = tmp_path / "r"
        bound = 1 << 20
        writer = Writer(path, 1.0, "0.0", bound)
        r = random.Random(1)
        for one in busy(700, "a"):
            bulky = container("a", command=r.randbytes(3000).hex())
            writer.add(msgspec.structs.replace(one, containers=[bulky]))
        writer.close()
        size = sum(file.stat().st_size for file in tmp_path.iterdir())
        assert size <= bound * 1.05
        assert size >= bound * 0.7
        recording = Recording(path)
        assert recording.notes == []
        times = recording.times()
        assert times == sorted(times)
        assert times[-1] == T0 + 699
        assert times[-1] - times[0] + 1 == len(times)
        assert len(list(recording.frames())) == len(times)

    def test_a_small_bound_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BadRequest):
            Writer(tmp_path / "r", 1.0, "0.0", 1000)
        assert not (tmp_path / "r").exists()

    def test_two_writers_of_one_file_are_one_too_many(self, tmp_path: Path) -> None:
        writer = Writer(tmp_path / "r", 1.0, "0.0")
        with pytest.raises(Conflict):
            Writer(tmp_path / "r", 1.0, "0.0")
        writer.close()
        Writer(tmp_path / "r", 1.0, "0.0").close()

    def test_a_container_hour_is_small(self, tmp_path: Path) -> None:
        """Everything moves at random here, which nothing compresses; a real one takes a half."""
        path = written(tmp_path / "r", busy(120, "abcdefghij"))
        assert path.stat().st_size / 120 / 10 * 3600 < 100 << 10


class TestWorst:
    def test_the_worst_seconds_are_named(self, tmp_path: Path) -> None:
        def sample(n: int, id: str) -> Sample:
            return Sample(
                cpu_some=0.9 if id == "b" and 30 <= n < 40 else 0.1, throttled=0.5 if n == 50 else 0.0
            )

        snapshots = [snapshot(n, {id: sample(n, id) for id in "ab"}) for n in range(60)]
        killed = Event(at=T0 + 20.5, type="container", action="oom", id="a", name="name of a")
        writer = Writer(tmp_path / "r", 1.0, "0.0")
        for n, one in enumerate(snapshots):
            writer.add(one, [killed] if n == 21 else [])
        writer.close()
        (minute,) = Recording(tmp_path / "r").minutes()
        worst = {one.kind: one for one in reversed(minute.worst)}  # of a kind the worst comes first
        assert [one.name for one in minute.worst if one.kind == "cpu_some"] == ["name of b", "name of a"]
        assert worst["oom"].at == T0 + 20.5
        assert worst["cpu_some"].name == "name of b"
        assert T0 + 34 <= worst["cpu_some"].at < T0 + 40
        assert worst["cpu_some"].share == pytest.approx(0.9)
        assert worst["throttled"].share == pytest.approx(0.1)

    def test_one_killed_before_its_minute_was_over_tells_of_it_too(self, tmp_path: Path) -> None:
        snapshots = [snapshot(n, {"a": Sample(cpu_some=0.5)}) for n in range(20)]
        (minute,) = Recording(written(tmp_path / "r", snapshots, close=False)).minutes()
        assert minute.frames == 20
        assert minute.worst[0].share == 0.5


class TestTaker:
    def test_what_comes_between_two_ticks_is_no_frame(self) -> None:
        taker = Taker()
        first = snapshot(0, {"a": Sample(cpu=1.0)})
        assert taker.take(first) is first
        assert taker.take(msgspec.structs.replace(first, at=T0 + 0.1)) is None
        assert taker.take(snapshot(1, {})) is not None

    def test_rates_are_averaged_and_states_are_the_last(self) -> None:
        taker = Taker(5)
        got = [
            taken
            for n in range(10)
            if (taken := taker.take(snapshot(n, {"a": Sample(cpu=float(n), memory=n, throttled=None)})))
        ]
        assert [one.at for one in got] == [T0 + 4, T0 + 9]
        assert got[0].samples["a"] == Sample(cpu=2.0, memory=4)
        assert got[1].samples["a"] == Sample(cpu=7.0, memory=9)
        assert got[0].host.cpu == 0.5

    def test_a_clock_that_is_set_back_does_not_stop_it(self) -> None:
        taker = Taker(5)
        for n in range(10):
            taker.take(snapshot(n + 1000, {}))
        assert [n for n in range(12) if taker.take(snapshot(n, {}))]
