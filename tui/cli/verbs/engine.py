"""tiffin engine: the background process behind this command."""

from __future__ import annotations

import argparse
import time

from engine.errors import EngineUnavailable, TiffinError
from engine.model import EngineStatus
from tui.cli.door import engine
from tui.cli.output import complain, notice, print_json
from tui.cli.parser import Parser
from tui.presentation.quantities import size
from tui.presentation.text import table
from tui.presentation.times import duration

HEADER = ("ROLE", "PID", "MEMORY", "CPU TIME", "CONTAINER")
NOT_RUNNING = 3  # as `systemctl status` answers


def arguments(parser: Parser) -> None:
    """Declare the verbs of the engine."""
    verbs = parser.verbs(
        status="name its socket, its processes and their memory",
        start="start it in the background, which other verbs do as needed",
        stop="end it; containers go on",
    )
    verbs["status"].argument("--json", action="store_true", help="everything, for scripts")
    verbs["stop"].argument("--all", action="store_true", help="stop all containers first")
    back = "put back first what tiffin changed of cgroups that are not its own"
    verbs["stop"].argument("--put-back", action="store_true", help=back)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.subverb == "start":
        engine(args)
        return 0
    try:
        client = engine(args, start=False)
    except EngineUnavailable as error:
        if args.subverb == "stop" and not args.all:
            return 0  # it is as was asked
        if args.subverb == "stop":
            client = engine(args)  # containers may run without it
        else:
            complain(error)
            return NOT_RUNNING
    if args.subverb == "stop":
        status = _stop_containers(args) if args.all else 0
        if args.put_back:
            for one in client.group_put_back():
                if one.problem:
                    complain(TiffinError(f"{one.path}: {one.problem}", one.remedy))
                    status = 1
        if left := ", ".join(change.path for change in client.group_changes()):
            notice(f"still changed, and not tiffin's: {left}; `tiffin groups put-back --all` puts them back")
        client.shutdown()
        return status
    known = client.status()
    if args.json:
        print_json(known)
    else:
        _show(known)
    return 0


def _stop_containers(args: argparse.Namespace) -> int:
    """Stop what runs, all at once: their grace times would add up."""
    from concurrent.futures import ThreadPoolExecutor

    client = engine(args)
    running = [container.name for container in client.containers(all=False)]
    failures: list[TiffinError] = []

    def stop(name: str) -> None:
        try:
            client.stop(name)
        except TiffinError as error:
            failures.append(error)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(stop, running))
    for error in failures:
        complain(error)
    return failures[0].exit_code if failures else 0


def _show(status: EngineStatus) -> None:
    total = sum(process.pss for process in status.processes)
    print(f"version     {status.version}, up {duration(time.time() - status.started_at)}")
    print(f"socket      {status.socket}")
    print(f"state       {status.state}")
    print(f"cgroups     {status.cgroup_mode}")
    print(f"containers  {status.containers}, {status.running} running")
    print(f"memory      {size(total)} in {len(status.processes)} processes")
    print()
    rows = [
        [
            process.role,
            str(process.pid),
            size(process.pss),
            duration(process.cpu_seconds),
            process.container[:12],
        ]
        for process in status.processes
    ]
    print(table(HEADER, rows, right=(1, 2, 3)))
