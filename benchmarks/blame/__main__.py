"""See the package."""

from __future__ import annotations

import sys
import time

from benchmarks.blame.fit import fitted
from benchmarks.blame.judging import judge, told
from benchmarks.blame.plan import plan
from benchmarks.blame.record import record
from benchmarks.blame.score import REPORT, report
from benchmarks.blame.trace import FOLDER, load, save
from benchmarks.machine import describe

CALIBRATION, TEST = 0, 1  # seeds, even and odd


def main() -> int:
    """Do what is named; the exit status says whether the score is met."""
    what, *rest = sys.argv[1:] or ["score"]
    if what == "record":
        first, _, end = (rest or ["0:72"])[0].partition(":")
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / "machine.txt").write_text(f"{describe()}\n")
        for seed in range(int(first), int(end or int(first) + 1)):
            began = time.monotonic()
            trace = record(plan(seed))
            outcome = judge(trace)
            print(f"{told(outcome)} ({time.monotonic() - began:.0f} s)", flush=True)
            save(trace)
        return 0
    if what == "fit":
        for resource, curve in fitted(load(CALIBRATION)).items():
            print(f"{resource}: {curve}")
        return 0
    if what == "score":
        text, good = report(load(TEST), (FOLDER / "machine.txt").read_text().strip())
        print(text)
        REPORT.write_text(text)
        return 0 if good else 1
    print(f"there is no {what!r}: record FROM:TO, fit or score", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
