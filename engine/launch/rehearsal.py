"""The life of a monitor, lived a few times by the launcher before it forks any.

The interpreter writes to what it runs for the first times: it binds, caches and specialises. What the launcher
has had written, its forks share for ever; what not, each of them copies, page by page: 200 KB a monitor.
"""

from __future__ import annotations

import os

from engine.kernel import mount
from engine.launch import child, wire
from engine.launch.container import Container

ROUNDS = 10  # the interpreter specialises at the eighth


class Rehearsal(Container):
    """A monitor of a program that says a word and ends."""

    def spawn(self) -> child.Child:
        """Clone what stands in for init."""
        return child.spawn(0, [], _program)


def rehearse() -> None:
    """Be a monitor of nothing, on a file system that nobody else sees."""
    stage = mount.filesystem("tmpfs", {"size": "1m"})
    folder = f"/proc/self/fd/{stage}"
    os.mkdir(f"{folder}/log")
    plan = {
        "id": "", "state_file": f"{folder}/state.json", "socket": f"{folder}/socket", "log_dir": f"{folder}/log",
        "log_max_size": 1 << 16, "log_max_files": 2, "cgroups": [], "monitor_cgroups": [], "oom_files": [],
        "restart": {"name": "no", "max_retries": 0}, "stop_signal": 15, "stop_grace": 10.0, "tty": False,
        "stdin": False, "own_network": True, "auto_start": False,
    }  # fmt: skip
    with open(f"{folder}/launch.json", "w") as file:
        file.write(wire.dumps(plan))
    for _ in range(ROUNDS):
        ours, theirs = wire.pair()
        ours.send(b'C{"op": "attach"}')
        ours.send(b'C{"op": "go"}')
        taken, takes = os.pipe()
        Rehearsal(folder, "", theirs).run(takes)
        os.close(taken)
        ours.close()
    os.close(stage)


def _program(channel: child.Channel) -> None:
    channel.ready()
    os.write(1, b"a line\nand a piece")
    os._exit(0)
