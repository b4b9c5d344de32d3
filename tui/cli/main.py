"""The command `tiffin`: find the verb, run it, and turn every failure into a sentence and an exit status."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from engine.errors import TiffinError
from tui.cli.output import complain
from tui.cli.parser import Parser, UsageError, add_root
from tui.cli.verbs import VERBS, module_of

INTERRUPTED = 130  # 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except TiffinError as error:
        complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter's last flush complains
        return PIPE_CLOSED
    except Exception as error:
        if os.environ.get("TIFFIN_DEBUG"):
            raise
        complain(TiffinError(f"internal error: {error!r}", "set TIFFIN_DEBUG=1 to see where, and report it"))
        return 1


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["__complete"]:
        from tui.cli.complete import answer

        return answer(words[1:])
    parser = _top()
    args = parser.parse_args(words)
    if args.version:
        from importlib.metadata import version

        print(f"tiffin {version('tiffin')}")
        return 0
    if args.verb is None:
        from tui.cli.deck import launch

        return int(launch(args))
    if args.verb == "help":
        parser.print_help()
        return 0
    if args.verb not in VERBS:
        raise UsageError(f"{args.verb!r} is not a verb", _nearest(args.verb))
    return _verb(args.verb, args.arguments, getattr(args, "root", None))


def _verb(name: str, words: list[str], root: str | None) -> int:
    module = importlib.import_module(module_of(name))
    args = parser_of(name).parse_args(words, argparse.Namespace(root=root))
    try:
        return int(module.run(args))
    except TiffinError as error:
        if error.exit_code == TiffinError.exit_code:
            error.exit_code = VERBS[name].failure
        raise


def parser_of(name: str) -> Parser:
    """The parser of one verb."""
    parser = Parser(f"tiffin {name}", VERBS[name].summary)
    importlib.import_module(module_of(name)).arguments(parser)
    add_root(parser)
    return parser


def _nearest(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, VERBS, n=1)
    return f"did you mean tiffin {near[0]}?" if near else "tiffin --help lists the verbs"


def _top() -> Parser:
    parser = Parser(
        "tiffin",
        "Launch isolated containers and see which of them is hurting which. Without a verb: the deck.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_verb_list(),
    )
    parser.usage = "tiffin [--root DIR] [--read-only] [--theme NAME]\n       tiffin [--root DIR] VERB ..."
    add_root(parser)
    parser.argument("-h", action="help", help=argparse.SUPPRESS)
    parser.argument("--version", action="store_true", help="print the version and exit")
    parser.argument("--read-only", action="store_true", help="the deck changes nothing")
    parser.argument("--theme", metavar="NAME", help="the deck's colours")
    parser.argument("verb", nargs="?", metavar="VERB", help=argparse.SUPPRESS)
    parser.argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _verb_list() -> str:
    wide = max(map(len, VERBS))
    lines = (f"  {name:{wide}}  {verb.summary}" for name, verb in VERBS.items())
    return "verbs (tiffin VERB --help says more):\n" + "\n".join(lines)
