"""tiffin exec: a further program in a running container."""

from __future__ import annotations

import argparse

from engine.model import ExecConfig
from tui.cli import terminal
from tui.cli.attached import declare_keys, told
from tui.cli.container_options import environment, environment_options
from tui.cli.conversation import Conversation, End
from tui.cli.door import engine
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    add = parser.argument
    add("-d", "--detach", action="store_true", help="do not stay")
    add("-i", "--interactive", action="store_true", help="pass standard input on")
    add("-t", "--tty", action="store_true", help="give it a terminal")
    environment_options(parser)
    add("-w", "--workdir", default="", metavar="DIR", help="working folder")
    add("-u", "--user", default="", metavar="USER", help="name or id, and :group")
    add("--privileged", action="store_true", help="all capabilities")
    declare_keys(parser)
    add("container", metavar="CONTAINER", completes="running")
    add("program", metavar="COMMAND")
    add("words", nargs=argparse.REMAINDER, metavar="ARG")


def run(args: argparse.Namespace) -> int:
    """Run the verb; the program's exit status."""
    stdin = args.interactive and not args.detach
    if args.tty and stdin:
        terminal.need_terminal()
    config = ExecConfig(
        command=[args.program, *args.words],
        env=environment(args),
        workdir=args.workdir,
        user=args.user,
        tty=args.tty,
        stdin=stdin,
        privileged=args.privileged,
    )
    client = engine(args)
    ident = client.exec_create(args.container, config)
    talk = Conversation(
        tty=args.tty,
        stdin=stdin,
        resize=lambda rows, cols: client.exec_resize(ident, rows, cols),
        keys=args.detach_keys,
    )
    with client.exec_start(ident, tty=args.tty) as stream:
        if args.detach or talk.hold(stream) is End.DETACHED:
            return 0
    return told(args.program, client.exec_wait(ident))
