"""The one place where the command line knows the deck; imported only when that is asked for."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from engine.instance import find
from engine.model import ScenarioAsk, ScenarioRun
from tui.cli.parser import UsageError

if TYPE_CHECKING:
    from engine.recording import Recording


def launch(args: argparse.Namespace) -> int:
    """Open the deck in this terminal; returns when it is quit."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the deck needs a terminal", "name a verb; tiffin --help lists them")
    from tui.deck.app import main

    return main(find(getattr(args, "root", None)), read_only=args.read_only, theme=args.theme)


def demo(args: argparse.Namespace, name: str, ask: ScenarioAsk) -> ScenarioRun | None:
    """Open the gallery of demos, or play one; the latest run as it stood last, when the screen is left."""
    from tui.deck.app import demos

    return demos(find(args.root), name, ask)


def launch_replay(args: argparse.Namespace, recording: Recording) -> int:
    """Open the deck on a recording; returns when it is quit."""
    from tui.deck.replay.app import main

    return main(find(args.root), recording)
