"""`python -m benchmarks [NAME…]`: measure, print, and where all was measured write RESULTS.md and results.json."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks import figures, machine
from benchmarks.world import World

NAMES = ("launching", "fleet", "sampling", "keys", "flood", "starting", "pulling", "unpacking")
HERE = Path(__file__).parent


def main() -> int:
    """Measure what is named, or everything; the exit status says whether it could be measured."""
    names = sys.argv[1:] or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        print(f"no such benchmark: {' '.join(unknown)}; there are {' '.join(NAMES)}", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("benchmarks start containers: run them as root", file=sys.stderr)
        return 2
    described = machine.describe()
    print(described, flush=True)
    rows: list[figures.Row] = []
    with tempfile.TemporaryDirectory(prefix="tiffin-bench-") as folder:
        world = World(Path(folder))
        try:
            for name in names:
                began = time.monotonic()
                for row in importlib.import_module(f"benchmarks.{name}").measure(world):
                    print(figures.plain(row), flush=True)
                    rows.append(row)
                print(f"({name}: {time.monotonic() - began:.0f} s)", flush=True)
        finally:
            world.close()
    if tuple(names) == NAMES:
        (HERE / "RESULTS.md").write_text(figures.markdown(rows, described))
        whole = {"machine": described, "rows": rows}
        (HERE / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
