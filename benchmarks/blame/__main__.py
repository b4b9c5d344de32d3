"""See the package."""

from __future__ import annotations

import sys
import time

from benchmarks.blame.judging import judge
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
            verdict = outcome.verdict
            print(
                f"{seed:4} {trace.kind:6} {trace.resource:6} {'void' if outcome.void else 'ok' if outcome.right else 'WRONG':5} "
                f"first {outcome.first or '–':8} hogs {','.join(trace.hogs) or '–':15} "
                f"stall {verdict.stall if verdict else 0:.2f} {verdict.cause if verdict else '–':9} "
                f"accused {','.join(sorted(outcome.accused)) or '–'} ({time.monotonic() - began:.0f} s)",
                flush=True,
            )
            save(trace)
        return 0
    return 2


if __name__ == "__main__":
    sys.exit(main())
