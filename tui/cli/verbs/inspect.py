"""tiffin inspect: everything that is known, as JSON in Docker's shape."""

from __future__ import annotations

import argparse
import re
from typing import Any

import msgspec

from engine.client import EngineClient
from engine.errors import BadRequest, NotFound, TiffinError
from tui.cli.door import engine
from tui.cli.output import complain, plain, print_json
from tui.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Declare flags and operands."""
    parser.argument("--json", action="store_true", help="print JSON, which is what it does anyway")
    parser.argument(
        "-f",
        "--format",
        read=_path,
        metavar="FIELD.PATH",
        help="print only this field: State.OOMKilled (no Go templates)",
    )
    parser.argument("names", nargs="+", metavar="NAME", completes="inspectable")


def _path(text: str) -> str:
    """A dotted path; also as the simplest of Docker's templates, "{{.State.Pid}}"."""
    path = re.sub(r"^\{\{\s*(\S*?)\s*\}\}$", r"\1", text.strip()).removeprefix(".")
    if "{" in path or " " in path:
        raise BadRequest("Go templates are not understood", "name one field: State.OOMKilled")
    return path


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    client = engine(args)
    found, status = [], 0
    for name in args.names:
        try:
            known = look_up(client, name)
            found.append(known if args.format is None else field(known, args.format, name))
        except TiffinError as error:
            complain(error)
            status = error.exit_code
    if args.format is None:
        print_json(found)
    else:
        for value in found:
            print(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    return status


def look_up(client: EngineClient, name: str) -> Any:
    """What the engine knows of a container, or else of an image, of that name."""
    try:
        return client.inspect(name)
    except NotFound:
        try:
            return plain(client.image(name))
        except NotFound:
            raise NotFound(
                f"looking for {name}: there is no such container or image", "tiffin ps -a lists containers"
            ) from None


def field(known: Any, path: str, name: str) -> Any:
    """The part of a JSON document at a dotted path; keys may have dots in them, lists take numbers."""
    value, words = known, path.split(".") if path else []
    while words:
        length = next((n for n in range(len(words), 0, -1) if _has(value, ".".join(words[:n]))), 0)
        if not length:
            raise NotFound(f"looking into {name}: it has no field {path}", f"tiffin inspect {name} shows all")
        key = ".".join(words[:length])
        value = value[int(key)] if isinstance(value, list) else value[key]
        words = words[length:]
    return value


def _has(value: Any, key: str) -> bool:
    if isinstance(value, list):
        return key.isdecimal() and int(key) < len(value)
    return isinstance(value, dict) and key in value
