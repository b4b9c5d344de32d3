"""What reads and writes cost a disk: operations and bytes in one figure, as a share of its time.

The linear model of the kernel's own io.cost controller, with the figures it takes for an SSD it knows nothing
about (block/blk-iocost.c, autop[AUTOP_SSD_DFL] and calc_lcoefs): an operation costs a base, and each byte more.
Only the proportion between cgroups is used, and in it only how much an operation weighs against a byte.
"""

from __future__ import annotations

PAGE = 4096
READ_BYTES, WRITE_BYTES = 488_636_629, 427_891_549  # a second
READS, WRITES = 8_518, 21_940  # random operations of one page a second

READ_BYTE, WRITE_BYTE = 1 / READ_BYTES, 1 / WRITE_BYTES
READ = max(0.0, 1 / READS - PAGE * READ_BYTE)
WRITE = max(0.0, 1 / WRITES - PAGE * WRITE_BYTE)


def disk_time(read: float | None, written: float | None, reads: float | None, writes: float | None) -> float:
    """Seconds of a disk's time a second, from bytes and operations a second; what is not known counts as none."""
    return (
        (read or 0.0) * READ_BYTE
        + (written or 0.0) * WRITE_BYTE
        + (reads or 0.0) * READ
        + (writes or 0.0) * WRITE
    )
