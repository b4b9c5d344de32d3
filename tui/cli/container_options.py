"""The flags of run and create, and the ContainerConfig they add up to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from engine.errors import BadRequest
from engine.model import ContainerConfig, LogOptions, RestartPolicy
from tui.cli import limit_options
from tui.cli.parser import Parser, UsageError
from tui.presentation import entry, options


def declare(parser: Parser) -> None:
    """Add the flags, then IMAGE and its command."""
    add = parser.argument
    add("-i", "--interactive", action="store_true", help="keep standard input open")
    add("-t", "--tty", action="store_true", help="give it a terminal")
    add("--rm", action="store_true", help="remove it when it has ended")
    add("--name", default="", metavar="NAME", help="its name (else one is made up)")
    add("--cidfile", metavar="FILE", completes="file", help="write its id to a new file")
    _program(parser)
    _places(parser)
    _network(parser)
    _rights(parser)
    limit_options.declare(parser)
    add("image", metavar="IMAGE", completes="image")
    add("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run instead of the image's own")


def _program(parser: Parser) -> None:
    add = parser.argument
    environment_options(parser)
    add("-w", "--workdir", default="", metavar="DIR", help="working folder")
    add("-u", "--user", default="", metavar="USER", help="name or id, and :group")
    add("--entrypoint", metavar="PROGRAM", help='program put before COMMAND; "" for none')
    add("--init", action="store_true", help="a small init as first process, which reaps")
    add("--stop-signal", read=entry.signal_name, metavar="SIGNAL", completes="signal")
    add("--stop-timeout", read=entry.duration, metavar="SECONDS", help="before SIGKILL (10)")
    add(
        "--restart",
        read=options.restart,
        default=RestartPolicy(),
        metavar="POLICY",
        completes="restart",
        help="no, on-failure[:n], always or unless-stopped",
    )
    add("-l", "--label", read=options.label, action="append", default=[], metavar="NAME=VALUE")
    add(
        "--log-opt",
        read=options.log_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="max-size=64m, max-file=4",
    )


def _places(parser: Parser) -> None:
    add = parser.argument
    add(
        "-v",
        "--volume",
        read=options.volume,
        action="append",
        default=[],
        metavar="SOURCE:TARGET[:ro]",
        completes="file",
        help="mount a folder of this machine, or a named volume",
    )
    add("--mount", read=options.mount, action="append", default=[], metavar="type=…,source=…,target=…")
    add("--tmpfs", read=options.tmpfs, action="append", default=[], metavar="TARGET[:size=…,mode=…]")
    add("--read-only", action="store_true", help="its root file system cannot be written")


def _network(parser: Parser) -> None:
    add = parser.argument
    add("-h", "--hostname", default="", metavar="NAME")
    add(
        "--network",
        "--net",
        default="bridge",
        metavar="NETWORK",
        completes="network",
        help="bridge, none, host or a network's name",
    )
    add(
        "-p",
        "--publish",
        read=options.publish,
        action="append",
        default=[],
        metavar="[IP:]HOST:CONTAINER[/udp]",
        help="a port of this machine leads to one of its",
    )
    add("--add-host", read=options.extra_host, action="append", default=[], metavar="NAME:IP")
    add("--dns", read=options.ip_address, action="append", default=[], metavar="IP")


def _rights(parser: Parser) -> None:
    add = parser.argument
    add("--privileged", action="store_true", help="all capabilities and devices: no protection from it")
    add("--cap-add", action="append", default=[], metavar="CAPABILITY")
    add("--cap-drop", action="append", default=[], metavar="CAPABILITY")
    add("--ulimit", read=options.ulimit, action="append", default=[], metavar="NAME=SOFT[:HARD]")


def environment_options(parser: Parser) -> None:
    """The flags that set variables; exec has them too."""
    environ = dict(os.environ)
    parser.argument(
        "-e",
        "--env",
        read=lambda text: options.env(text, environ),
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="set a variable; without a value: as it is here",
    )
    parser.argument("--env-file", action="append", default=[], metavar="FILE", completes="file")


def environment(args: argparse.Namespace) -> list[str]:
    """The variables, those of files first; a later one of the same name wins."""
    found: dict[str, str] = {}
    for name in args.env_file:
        try:
            text = Path(name).read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise UsageError(f"--env-file {name}: {why}", "name a file of NAME=value lines") from error
        try:
            found |= _by_name(options.env_lines(text.splitlines(), dict(os.environ)))
        except BadRequest as error:
            raise UsageError(f"--env-file {name}: {error.message}", error.remedy) from error
    return list((found | _by_name([word for word in args.env if word])).values())


def _by_name(words: list[str]) -> dict[str, str]:
    return {word.partition("=")[0]: word for word in words}


def config(args: argparse.Namespace) -> ContainerConfig:
    """What the flags ask for."""
    if args.rm and args.restart.name != "no":
        raise UsageError("--rm and --restart exclude each other", "leave one of them out")
    return ContainerConfig(
        image=args.image,
        command=args.command,
        entrypoint=None if args.entrypoint is None else [args.entrypoint] if args.entrypoint else [],
        env=environment(args),
        workdir=args.workdir,
        user=args.user,
        hostname=args.hostname,
        tty=args.tty,
        stdin=args.interactive,
        read_only=args.read_only,
        mounts=[*args.volume, *args.mount, *args.tmpfs],
        network=args.network,
        publish=[port for ports in args.publish for port in ports],
        extra_hosts=args.add_host,
        dns=args.dns,
        ulimits=args.ulimit,
        labels=dict(args.label),
        stop_signal=args.stop_signal or "",
        stop_grace=args.stop_timeout,
        restart=args.restart,
        init=args.init,
        privileged=args.privileged,
        cap_add=args.cap_add,
        cap_drop=args.cap_drop,
        limits=limit_options.limits(args),
        auto_remove=args.rm,
        log=LogOptions(**dict(args.log_opt)),
    )
