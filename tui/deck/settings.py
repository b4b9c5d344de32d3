"""What the deck remembers, in `settings.toml` of the settings folder; read once, replaced as a whole.

theme = "dark"          the theme chosen last
view = "panes"          or "table", or "tree"
welcomed = true         the first run has been; see welcome.py

[keys]                  other keys for actions, by the id that `?` shows beside each
"container.kill" = "ctrl+k"
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Literal

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The deck's settings; every field has a default."""

    theme: str = "dark"
    view: Literal["panes", "table", "tree"] = "panes"
    welcomed: bool = False
    keys: dict[str, str] = {}


def load(path: Path) -> tuple[Settings, str]:
    """The settings in `path`, and a warning where they could not be used, else ""; it may be missing."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Settings), ""
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, ValueError) as error:  # ValidationError and TOMLDecodeError are ValueErrors
        return Settings(), f"the settings in {path} were left out: {error}"


def save(path: Path, settings: Settings) -> None:
    """Replace the file as a whole. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"theme = {_quoted(settings.theme)}", f"view = {_quoted(settings.view)}"]
    lines.append(f"welcomed = {str(settings.welcomed).lower()}")
    if settings.keys:
        lines += ["", "[keys]", *(f"{_quoted(id)} = {_quoted(keys)}" for id, keys in settings.keys.items())]
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # JSON's escapes are TOML's
