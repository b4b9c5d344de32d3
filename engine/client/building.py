"""Building images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from engine.client.calls import Answers, Calls
from engine.client.http import from_problem
from engine.model import BootstrapOptions, BuildOptions, BuildProgress


class Building(Answers[BuildProgress]):
    """How a build goes; where the last that is told has a problem, that is raised instead."""

    def __next__(self) -> BuildProgress:
        progress = super().__next__()
        if progress.problem:
            raise from_problem(progress.problem)
        return progress


class BuildCalls(Calls):
    """How images are built; see EngineClient."""

    def image_build(self, options: BuildOptions, context: Iterable[bytes]) -> Building:
        """Build an image; `context` is the tar stream of what it may copy (see engine.client.context).

        The call returns once the context is sent. Closing the answer early ends the build; nothing is left of
        it but the layers that were finished.
        """
        return Building(self._request("POST", "/tiffin/build", None, _body(options, context)), BuildProgress)

    def image_bootstrap(self, options: BootstrapOptions) -> Building:
        """Make an image of Debian from its packages; closing the answer early ends it and leaves nothing."""
        body = msgspec.json.encode(options)
        return Building(self._request("POST", "/tiffin/bootstrap", None, body), BuildProgress)


def _body(options: BuildOptions, context: Iterable[bytes]) -> Iterator[bytes]:
    asked = msgspec.json.encode(options)
    yield b"%d\n" % len(asked) + asked
    yield from context
