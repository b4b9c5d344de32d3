"""The engine as the verbs reach it."""

from __future__ import annotations

import argparse

from engine.client import EngineClient
from engine.instance import find


def engine(args: argparse.Namespace, start: bool = True) -> EngineClient:
    """A client of the chosen instance's engine; started in the background if none runs."""
    return EngineClient.connect(find(args.root), start=start)
