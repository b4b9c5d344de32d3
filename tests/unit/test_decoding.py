"""Types met for the first time by many threads at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MANY = """
import sys, threading, types
sys.setswitchinterval(1e-6)
from engine.decoding import decode

SOURCE = '''
from __future__ import annotations
import msgspec
class Leaf(msgspec.Struct):
    numbers: dict[str, list[int]] = {}
class Branch(msgspec.Struct):
    leaf: Leaf | None = None
    leaves: list[Leaf] = []
class Tree(msgspec.Struct):
    branches: list[Branch] = []
    other: Branch | None = None
'''
for turn in range(200):
    module = sys.modules[f"turn{turn}"] = types.ModuleType(f"turn{turn}")
    exec(SOURCE, module.__dict__)
    start = threading.Barrier(8)
    found = []
    def run():
        start.wait()
        found.append(decode(b'{"branches": [{"leaf": {"numbers": {"a": [1]}}}]}', module.Tree))
    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert [tree.branches[0].leaf.numbers for tree in found] == [{"a": [1]}] * 8
"""


def test_a_type_first_used_by_many_threads_at_once_crashes_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY], cwd=Path(__file__).parents[2], timeout=60, check=False
    )
    assert done.returncode == 0
