"""argparse with tiffin's manners: errors are raised, values read strictly, completion can ask."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from engine.errors import BadRequest

USAGE_ERROR = 125  # as Docker's command line answers a flag it cannot take


class UsageError(BadRequest):
    """The command line itself is wrong."""

    exit_code = USAGE_ERROR


class Parser(argparse.ArgumentParser):
    """The arguments of one verb."""

    def __init__(self, prog: str, summary: str, **options: Any) -> None:
        super().__init__(prog=prog, description=summary, add_help=False, allow_abbrev=False, **options)
        self.actions: list[argparse.Action] = []
        self.subverbs: dict[str, Parser] = {}
        self.completes: dict[str, str] = {}  # what an action's values are, by its `dest`
        self.argument("--help", action="help", help="show this and exit")

    def argument(
        self, *names: str, read: Callable[[str], Any] | None = None, completes: str = "", **options: Any
    ) -> None:
        """Declare an argument; `read` turns its text into a value, `completes` names what its values are.

        The text of a BadRequest from `read` gets the flag and the offending text put in front.
        """
        if read:
            name = names[-1] if names[-1].startswith("-") else options.get("metavar", names[-1])
            options["type"] = _named(name, read)
        action = self.add_argument(*names, **options)
        if action.nargs == argparse.REMAINDER:
            action.required = False  # argparse would name it among what is missing
        self.actions.append(action)
        if completes:
            self.completes[action.dest] = completes

    def verbs(self, **summaries: str) -> dict[str, Parser]:
        """Declare verbs of a second level ("network ls") with summaries; the given one is `args.subverb`."""
        group = self.add_subparsers(dest="subverb", metavar="VERB", required=True, parser_class=_Subparser)
        for name, summary in summaries.items():
            self.subverbs[name] = group.add_parser(name, help=summary, summary=summary)
        return self.subverbs

    def format_help(self) -> str:
        """argparse's help under a usage line that has only the operands: the flags are listed below it."""
        operands = [_operand(action) for action in self.actions if not action.option_strings]
        self.usage = self.usage or " ".join(
            [self.prog, "[OPTION ...]", *operands, *["VERB"][: len(self.subverbs)]]
        )
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would have printed."""
        verb = self.prog.partition(" ")[2]
        raise UsageError(f"{verb}: {message}" if verb else message, f"see {self.prog} --help")


class _Subparser(Parser):
    def __init__(self, *, prog: str, summary: str) -> None:
        super().__init__(prog, summary)
        add_root(self)


def add_root(parser: Parser) -> None:
    """Let --root be given after the verb too; there it wins."""
    parser.argument(
        "--root",
        metavar="DIR",
        default=argparse.SUPPRESS,
        completes="folder",
        help="use the instance that lives in DIR (else $TIFFIN_ROOT, else the machine's own)",
    )


def _operand(action: argparse.Action) -> str:
    name = str(action.metavar)
    match action.nargs:
        case "+":
            return f"{name} ..."
        case "*" | argparse.REMAINDER:
            return f"[{name} ...]"
        case "?":
            return f"[{name}]"
        case _:
            return name


def _named(name: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
    def value(text: str) -> Any:
        try:
            return read(text)
        except BadRequest as error:
            raise UsageError(f"{name} {text}: {error.message}", error.remedy) from None

    return value
