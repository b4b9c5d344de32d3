"""Parsers of kernel files, on texts as real kernels print them."""

from __future__ import annotations

from engine.watch import parse

CPU_STAT_V2 = b"""usage_usec 7310029
user_usec 6000000
system_usec 1310029
core_sched.force_idle_usec 0
nr_periods 120
nr_throttled 118
throttled_usec 5811040
nr_bursts 0
burst_usec 0
"""
PRESSURE = b"""some avg10=1.53 avg60=0.43 avg300=0.11 total=2154013
full avg10=0.00 avg60=0.00 avg300=0.00 total=1022
"""
MEMORY_STAT_V1 = b"""cache 1
rss 2
shmem 3
hierarchical_memory_limit 67108864
total_cache 20480000
total_rss 4096
total_shmem 480000
total_mapped_file 7
"""
MEMORY_STAT_V2 = b"""anon 1000
file 20480000
kernel 5
shmem 480000
file_mapped 9
"""
BLKIO = b"""254:0 Read 4096
254:0 Write 8192
254:0 Sync 1
254:0 Total 12288
253:1 Read 4096
253:1 Write 8192
Total 24576
"""
IO_STAT = b"""254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=77 dios=3
253:1 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0
7:0
8:0 rbytes=1 wbytes=1 rios=1 wios=1 dbytes=0 dios=0 cost.usage=9
"""
LAYERED = {b"253:1", b"8:1"}


def test_v2_cpu_stat_with_and_without_the_controller() -> None:
    time = parse.cpu_time(CPU_STAT_V2)
    assert time == (7310029, 6000000, 1310029, (120, 118))
    bare = parse.cpu_time(b"usage_usec 5\nuser_usec 3\nsystem_usec 2\n")
    assert bare == (5, 3, 2, None)


def test_v1_cpuacct_adds_the_cores_and_turns_ns_to_us() -> None:
    data = b"cpu user system\n0 1000000 500000\n1 3000000 500000\n"
    assert parse.cpu_time_v1(data) == (5000, 4000, 1000, None)


def test_throttling_needs_its_lines() -> None:
    assert parse.throttling(b"nr_periods 3\nnr_throttled 1\nthrottled_time 9\n") == (3, 1)
    assert parse.throttling(b"usage_usec 1\n") is None


def test_stall_with_and_without_full() -> None:
    assert parse.stall(PRESSURE) == (2154013, 1022)
    assert parse.stall(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n") == (7, None)


def test_cache_leaves_shared_memory_out() -> None:
    assert parse.memory_stat_v1(MEMORY_STAT_V1).cache == 20_000_000
    assert parse.memory_stat(MEMORY_STAT_V2).cache == 20_000_000


def test_limit() -> None:
    assert parse.limit(b"max\n") is None
    assert parse.limit(b"9223372036854771712\n") is None
    assert parse.limit(b"9223372036854710272\n") is None  # 64 KiB pages
    assert parse.limit(b"67108864\n") == 67108864


def test_memory_events() -> None:
    data = b"low 0\nhigh 3\nmax 17\noom 2\noom_kill 1\noom_group_kill 0\n"
    assert parse.memory_events(data) == (1, 17, 3)


def test_oom_control_of_old_kernels_has_no_count() -> None:
    assert parse.after(b"oom_kill_disable 0\nunder_oom 0\n", b"\noom_kill ") is None
    assert parse.after(b"oom_kill_disable 0\nunder_oom 0\noom_kill 4\n", b"\noom_kill ") == 4


def test_io_counts_no_byte_twice() -> None:
    assert parse.io_v1(BLKIO, LAYERED) == (4096, 8192)
    assert parse.io_v1(b"Total 0\n", LAYERED) == (0, 0)
    assert parse.io(IO_STAT, LAYERED) == (4097, 8193, 2, 3)
    assert parse.io(b"", LAYERED) == (0, 0, 0, 0)


def test_diskstats_takes_whole_disks_only() -> None:
    data = (
        b"   8       0 sda 100 7 2000 5 200 1 4000 3 0 36 94 1 0 8 0 9 6\n"
        b"   8       1 sda1 100 7 2000 5 200 1 4000 3 0 36 94\n"
        b" 253       1 dm-0 100 7 2000 5 200 1 4000 3 0 36 94\n"
    )
    assert parse.diskstats(data, LAYERED) == (2000 * 512, 4000 * 512, 100, 200)


def test_machine_cpu_is_neither_idle_nor_stolen_time() -> None:
    data = b"cpu  100 10 50 9999 888 2 3 777 5 6\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 1 2 3\n"
    usage, user, system, _ = parse.machine_cpu(data)
    assert (usage, user, system) == (165 * parse.TICK, 110 * parse.TICK, 55 * parse.TICK)


def test_meminfo() -> None:
    data = (
        b"MemTotal:   1000 kB\nMemFree:         300 kB\nMemAvailable: 700 kB\nBuffers:      20 kB\n"
        b"Cached:      400 kB\nSwapCached:        9 kB\nShmem:            50 kB\nSReclaimable:   30 kB\n"
    )
    memory = parse.meminfo(data)
    assert memory.total == 1000 << 10
    assert memory.cache == 400 << 10
    assert memory.used == 300 << 10
