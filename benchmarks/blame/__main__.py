"""See the package."""

from __future__ import annotations

import sys
import time

from benchmarks.blame.judging import judge, told
from benchmarks.blame.plan import plan
from benchmarks.blame.record import record
from benchmarks.blame.trace import save


def main() -> int:
    """Do what is named; the exit status says whether the score is met."""
    what, *rest = sys.argv[1:] or ["score"]
    if what == "record":
        first, _, end = rest[0].partition(":")
        for seed in range(int(first), int(end or int(first) + 1)):
            began = time.monotonic()
            trace = record(plan(seed))
            outcome = judge(trace)
            print(f"{told(outcome)} ({time.monotonic() - began:.0f} s)", flush=True)
            save(trace)
        return 0
    return 2


if __name__ == "__main__":
    sys.exit(main())
