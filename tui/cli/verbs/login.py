"""tiffin login: log in to a registry."""

from __future__ import annotations

import argparse
import sys

from engine.client import credentials
from engine.errors import BadRequest
from engine.model import RegistryLogin
from tui.cli.door import engine
from tui.cli.output import notice
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("-u", "--username", metavar="NAME", default="", help="asked for where it is not given")
    parser.argument("-p", "--password", metavar="SECRET", help="others on this machine can see it")
    parser.argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.argument("registry", nargs="?", metavar="REGISTRY", default=credentials.HUB, help="host[:port]")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.password is not None and args.password_stdin:
        raise BadRequest("--password and --password-stdin are both given", "choose one")
    if args.password_stdin and not args.username:
        raise BadRequest("the user's name is missing", "give --username beside --password-stdin")
    if args.password is not None:
        notice("a password on the command line is seen by others; --password-stdin is not")
    login = RegistryLogin(registry=args.registry, username=_name(args), password=_password(args))
    print(f"logged in; kept in {credentials.keep(engine(args).login(login))}")
    return 0


def _name(args: argparse.Namespace) -> str:
    if args.username:
        return str(args.username)
    _need_terminal("--username")
    return input("Username: ").strip()


def _password(args: argparse.Namespace) -> str:
    if args.password_stdin:
        return sys.stdin.read().rstrip("\r\n")
    if args.password is not None:
        return str(args.password)
    _need_terminal("--password-stdin")
    from getpass import getpass

    return getpass("Password: ")


def _need_terminal(flag: str) -> None:
    if not sys.stdin.isatty():
        raise BadRequest("nobody can be asked: standard input is not a terminal", f"use {flag}")
