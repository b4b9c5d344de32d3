"""Running a command of tiffin's own in the terminal, with the deck out of the way."""

from __future__ import annotations

import subprocess
import sys

from textual.app import App, SuspendNotSupported

from engine.instance import Instance


def in_terminal(app: App[int], instance: Instance, arguments: list[str]) -> None:
    """Suspend the deck, run `tiffin ARGUMENTS`, come back; says so where it failed.

    The app's thread waits meanwhile: the link keeps only the newest snapshot, so nothing piles up.
    """
    root = ["--root", str(instance.root)] if instance.root else []
    command = [sys.executable, "-m", "tui.cli", *root, *arguments]
    try:
        with app.suspend():
            status = subprocess.run(command, check=False).returncode
    except SuspendNotSupported:
        app.notify("this terminal cannot be handed over to a shell", severity="error")
        return
    app.refresh(layout=True)
    if status in (125, 126, 127):
        app.notify(f"tiffin {' '.join(arguments[:1])} ended with status {status}", severity="warning")
