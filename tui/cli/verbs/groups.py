"""tiffin groups: look at one cgroup of the host, and act on those that are not tiffin's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from msgspec import UNSET

from engine.client import EngineClient
from engine.errors import BadRequest, TiffinError
from engine.model import Group, GroupApplied, GroupChange, GroupSnapshot, PutBack, Sample
from tui.cli import limit_options
from tui.cli.door import engine
from tui.cli.output import complain, notice, print_json, print_json_line
from tui.cli.parser import Parser, UsageError
from tui.cli.verbs.tree import Usage, settled, signs
from tui.presentation import limits as limit_words
from tui.presentation import quantities as show
from tui.presentation.groups import whose
from tui.presentation.limits import differences
from tui.presentation.text import harmless, table
from tui.presentation.times import clock

STATS = ("NAME", "PATH", "CPU", "STALL", "MEM", "CACHE", "IO R", "IO W", "NET ↓", "NET ↑", "PIDS", "")
LIMITS = ("LIMIT", "VALUE", "FILE", "KERNEL", "")
TOP = ("PID", "PPID", "USER", "STATE", "CPU TIME", "MEMORY", "COMMAND")
CHANGES = ("PATH", "OF", "SINCE", "CHANGED", "STEPS")

Act = Callable[[EngineClient, Group, str], GroupApplied]


def arguments(parser: Parser) -> None:
    """Declare the verbs of a cgroup."""
    verbs = parser.verbs(
        stats="show what cgroups use, live",
        inspect="show all that is known of cgroups, as JSON",
        limits="show every limit of a cgroup, and the kernel file it is in",
        top="list the processes of a cgroup and of those below it",
        update="change limits of cgroups that are not tiffin's; asks first",
        freeze="stop all processes of cgroups that are not tiffin's; asks first",
        thaw="let them go on; asks first",
        undo="take back the last thing that was done to cgroups",
        changes="list what tiffin changed and has not put back",
        **{"put-back": "put cgroups, or with --all everything, back as they were"},
    )
    several = ("stats", "inspect", "update", "freeze", "thaw", "undo", "put-back")
    for name in several:
        optional = name in ("stats", "put-back")
        verbs[name].argument(
            "groups", nargs="*" if optional else "+", metavar="CGROUP", help="path, id or name"
        )
    for name in ("limits", "top"):
        verbs[name].argument("group", metavar="CGROUP", help="path, id or name")
    for name in ("update", "freeze", "thaw"):
        verbs[name].argument("-y", "--yes", action="store_true", help="do not ask: the names given are meant")
    for name in ("stats", "limits", "top", "update", "freeze", "thaw", "undo", "changes", "put-back"):
        verbs[name].argument("--json", action="store_true", help="everything, for scripts")
    verbs["stats"].argument("--once", action="store_true", help="print one reading and end")
    verbs["put-back"].argument("-a", "--all", action="store_true", help="everything that was changed")
    limit_options.declare(verbs["update"])


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    return _VERBS[args.subverb](engine(args), args)


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────


def _stats(client: EngineClient, args: argparse.Namespace) -> int:
    wanted = [client.group(ref).id for ref in args.groups]
    if args.once:
        _show_stats(settled(client), wanted, args.json)
        return 0
    for snapshot in client.groups_live():
        _show_stats(snapshot, wanted, args.json, line=True)
    return 0


def _show_stats(snapshot: GroupSnapshot, wanted: list[str], as_json: bool, line: bool = False) -> None:
    chosen = [
        group for group in snapshot.groups if group.id in wanted or not (wanted or group.kind == "root")
    ]
    if as_json:
        usage = [Usage(group=group, sample=snapshot.samples.get(group.id)) for group in chosen]
        (print_json_line if line else print_json)(usage)
        return
    rows = [_usage(group, snapshot.samples.get(group.id) or Sample()) for group in chosen]
    print(table(STATS, rows, right=range(2, 11)), flush=True)


def _usage(group: Group, sample: Sample) -> list[str]:
    return [
        group.name,
        group.path,
        show.cores(sample.cpu),
        show.share(sample.cpu_some),
        show.size(sample.memory),
        show.size(sample.cache),
        show.size(sample.io_read),
        show.size(sample.io_write),
        show.size(sample.net_rx),
        show.size(sample.net_tx),
        show.count(sample.pids),
        " ".join(signs(group)),
    ]


def _inspect(client: EngineClient, args: argparse.Namespace) -> int:
    print_json([client.group(ref) for ref in args.groups])
    return 0


def _limits(client: EngineClient, args: argparse.Namespace) -> int:
    readings = client.group_limits(args.group)
    if args.json:
        print_json(readings)
        return 0
    rows = [
        [
            limit_words.label(one.name),
            limit_words.value(one.name, one.value) if one.supported else show.ABSENT,
            f"{one.file} {one.device}".strip(),
            one.raw.replace("\n", " ") if one.supported else "",
            one.why_not,
        ]
        for one in readings
    ]
    print(table(LIMITS, rows))
    return 0


def _top(client: EngineClient, args: argparse.Namespace) -> int:
    processes = client.group_top(args.group)
    if args.json:
        print_json(processes)
        return 0
    rows = [
        [
            str(one.pid),
            str(one.ppid),
            one.user,
            one.state,
            f"{one.cpu_seconds:.2f}s",
            show.size(one.rss),
            one.command,
        ]
        for one in processes
    ]
    print(table(TOP, rows, right=(0, 1, 4, 5)))
    return 0


def _changes(client: EngineClient, args: argparse.Namespace) -> int:
    changes = client.group_changes()
    if args.json:
        print_json(changes)
    elif changes:
        rows = [
            [one.path, one.engine, clock(one.at), ", ".join(_changed(one)), str(one.undo_left)]
            for one in changes
        ]
        print(table(CHANGES, rows, right=(4,)))
    return 0


def _changed(change: GroupChange) -> list[str]:
    told = differences(change.before, change.after)
    return [*told, "frozen"] if change.frozen and not change.was_frozen else told


# ── acting ──────────────────────────────────────────────────────────────────────────────────────────────────


def _update(client: EngineClient, args: argparse.Namespace) -> int:
    if not limit_options.any_given(args):
        raise UsageError("groups update: nothing to change", "give a limit such as --cpus 0.5")

    def act(client: EngineClient, group: Group, consent: str) -> GroupApplied:
        memory = None
        if args.memory_swap is not UNSET and args.memory is UNSET:  # --memory-swap counts from it
            readings = {one.name: one.value for one in client.group_limits(group.id)}
            known = readings.get("memory")
            memory = known if isinstance(known, int) else None
        return client.group_update(group.id, limit_options.limits_change(args, memory), consent)

    return _each(client, args, "Change the limits of", act)


def _freeze(client: EngineClient, args: argparse.Namespace) -> int:
    return _each(
        client, args, "Freeze", lambda client, group, consent: client.group_freeze(group.id, consent)
    )


def _thaw(client: EngineClient, args: argparse.Namespace) -> int:
    return _each(client, args, "Thaw", lambda client, group, consent: client.group_thaw(group.id, consent))


def _undo(client: EngineClient, args: argparse.Namespace) -> int:
    status = 0
    for ref in args.groups:
        try:
            _say(client.group_undo(ref), args.json)
        except TiffinError as error:
            complain(error)
            status = error.exit_code
    return status


def _each(client: EngineClient, args: argparse.Namespace, question: str, act: Act) -> int:
    """Ask about each cgroup by its path and whose it is, and do what was agreed to."""
    status = 0
    for ref in args.groups:
        try:
            group = client.group(ref)
            if not (
                args.yes or group.own or group.kind == "root"
            ):  # which the engine refuses, with the reason
                _consent(f"{question} {whose(group)} ({group.path})?")
            _say(act(client, group, group.path), args.json)
        except TiffinError as error:
            complain(error)
            status = error.exit_code
    return status


def _consent(question: str) -> None:
    """Raise BadRequest unless somebody says yes."""
    if not sys.stdin.isatty():
        raise BadRequest(f"not done, for nobody can be asked: {question}", "say --yes if it is meant")
    print(harmless(question), "[y/N] ", end="", flush=True, file=sys.stderr)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadRequest("nothing was changed")


def _say(applied: GroupApplied, as_json: bool) -> None:
    if as_json:
        print_json(applied)
        return
    told = _told(applied)
    print("  ".join([_called(applied), *(told or ["as it was"])]), flush=True)
    if applied.note and told:
        notice(applied.note)


def _told(done: GroupApplied | PutBack) -> list[str]:
    told = differences(done.before, done.after)
    if done.was_frozen != done.frozen:
        told.append("frozen" if done.frozen else "thawed")
    return told


def _called(done: GroupApplied | PutBack) -> str:
    last = done.path.rpartition("/")[2]
    return harmless(done.path if done.name == last else f"{done.name} ({done.path})")


def _put_back(client: EngineClient, args: argparse.Namespace) -> int:
    if args.all == bool(args.groups):
        raise UsageError(
            "groups put-back: name cgroups, or everything with --all", "`tiffin groups changes` lists them"
        )
    results = list(_backs(client, args.groups))
    if args.json:
        print_json(results)
    status = 0
    for one in results:
        if one.problem:
            complain(TiffinError(f"{one.path}: {one.problem}", one.remedy))
            status = 1
        elif not args.json:
            told = ["has ended"] if one.gone else _told(one) or ["as it was"]
            print("  ".join([_called(one), *told]))
    return status


def _backs(client: EngineClient, refs: list[str]) -> Iterator[PutBack]:
    if not refs:
        yield from client.group_put_back()
    for ref in refs:
        yield from client.group_put_back(ref)


_VERBS: dict[str, Callable[[EngineClient, argparse.Namespace], int]] = {
    "stats": _stats,
    "inspect": _inspect,
    "limits": _limits,
    "top": _top,
    "update": _update,
    "freeze": _freeze,
    "thaw": _thaw,
    "undo": _undo,
    "changes": _changes,
    "put-back": _put_back,
}
