"""--cidfile: a file that gets the container's id, and is gone again where there is no container."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from tui.cli.parser import UsageError


@contextmanager
def cidfile(name: str | None) -> Generator[Callable[[str], str]]:
    """A function that writes the id it is given and returns it; without a name it only returns it."""
    if name is None:
        yield lambda ident: ident
        return
    path = Path(name)
    try:
        file = path.open("x")
    except OSError as error:
        raise UsageError(
            f"--cidfile {name}: {error.strerror}", "name a new file in a folder that is there"
        ) from error
    try:
        with file:
            yield lambda ident: (file.write(ident) and ident) or ident
    except BaseException:
        path.unlink(missing_ok=True)
        raise
