"""Staying with a container: its input and output here until it ends, also across the engine's restart."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.client import EngineClient
from engine.errors import EngineUnavailable, TiffinError
from engine.model import ExitStatus
from tui.cli import terminal
from tui.cli.conversation import Conversation, End
from tui.cli.output import complain, notice
from tui.cli.parser import Parser

PATIENCE = 10.0  # seconds for the next engine to be there
RUNNING = ("running", "paused", "restarting")


def declare_keys(parser: Parser) -> None:
    """The flag that chooses the keys which leave a program running."""
    parser.argument(
        "--detach-keys",
        read=terminal.detach_keys,
        default=terminal.DEFAULT_DETACH_KEYS,
        metavar="KEYS",
        help="what to type to leave it running (ctrl-p,ctrl-q)",
    )


def stay(
    client: EngineClient,
    ident: str,
    name: str,
    *,
    tty: bool,
    stdin: bool,
    proxy: bool = True,
    keys: bytes = terminal.DEFAULT_DETACH_KEYS,
    begin: Callable[[], None] | None = None,
    removed: bool = False,
) -> int:
    """Attach, `begin` it, and stay until it ends; its exit status, or 0 where the person detached.

    `name` is what to call it; `removed` says that it removes itself at its end.
    """
    talk = Conversation(
        tty=tty,
        stdin=stdin,
        resize=lambda rows, cols: client.resize(ident, rows, cols),
        kill=(lambda signal: client.kill(ident, signal)) if proxy else None,
        keys=keys,
    )
    # waiting begins before the start, so that neither a quick end nor the removal after it is missed
    ended = client.waiting(ident, "removed" if removed else "next-exit" if begin else "not-running")
    with client.attach(ident, stdin=stdin) as stream:
        try:
            end = talk.hold(stream, begin)
        except BrokenPipeError:
            notice(f"nobody reads its output; {name} goes on")
            raise
    while end is not End.DETACHED:
        try:
            return told(name, ended())
        except EngineUnavailable:
            ended = _wait_again(client, ident, "removed" if removed else "not-running")
            if client.inspect(ident)["State"]["Status"] in RUNNING:
                notice(f"the engine went away and is back; `tiffin logs {name}` has what was missed")
                with client.attach(ident, stdin=stdin) as stream:
                    end = talk.hold(stream)
    notice(f"detached; `tiffin attach {name}` comes back")
    return 0


def _wait_again(client: EngineClient, ident: str, condition: str) -> Callable[[], ExitStatus]:
    """Begin to wait with the next engine, which is started here and adopts the container."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return EngineClient.connect(client.instance).waiting(ident, condition)
        except EngineUnavailable:  # one that is being killed still takes connections
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def told(name: str, status: ExitStatus) -> int:
    """The exit status, after a word on standard error where it does not say all."""
    if status.oom_killed:
        complain(TiffinError(f"{name} ran out of memory and was killed", "give it a larger --memory"))
    elif status.error:
        complain(TiffinError(f"{name}: {status.error}"))
    return status.exit_code
