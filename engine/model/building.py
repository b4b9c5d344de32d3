"""Building an image: what is asked, and what is told meanwhile."""

from __future__ import annotations

from typing import Literal

from engine.model.base import Noun
from engine.model.config import Limits
from engine.model.engine import Problem
from engine.model.images import ImageSummary


class BuildOptions(Noun, frozen=True):
    """What a user asks of one build; the context comes beside it."""

    containerfile: str  # its text
    file: str = "Containerfile"  # what to call it in messages
    names: list[str] = []
    args: dict[str, str] = {}
    labels: dict[str, str] = {}
    target: str = ""  # the stage to end with; empty: the last one
    cache: bool = True
    pull: bool = False  # ask the registry for newer base images
    network: str = "bridge"  # of the RUN containers, as a container's
    limits: Limits = Limits()  # of each RUN container
    epoch: int | None = None  # SOURCE_DATE_EPOCH: no time in the image is later


class BuildProgress(Noun, frozen=True):
    """One thing that happened in a build; the last one has `image` or `problem`."""

    what: Literal["step", "cached", "output", "layer", "warning", "done", "failed"]
    step: int = 0  # from 1; 0: of none in particular
    steps: int = 0
    stage: str = ""  # name or number of the stage
    text: str = ""  # of a step: the instruction; of output: a piece as the program wrote it; else a sentence
    stream: Literal["stdout", "stderr"] = "stdout"  # of output
    size: int = 0  # bytes of the layer's files
    seconds: float = 0  # the step took
    container: str = ""  # id of the RUN container that a step is about to start
    image: ImageSummary | None = None
    problem: Problem | None = None


class BootstrapOptions(Noun, frozen=True):
    """What a user asks of one bootstrap; it is told as a build is."""

    suite: str  # "bookworm", "12", "stable"
    name: str = ""  # of the image; empty: debian:SUITE
    variant: str = "minbase"  # mmdebstrap's
    include: list[str] = []  # further packages
    components: list[str] = []
    mirrors: list[str] = []  # addresses, or lines of sources.list; empty: the machine's own
    network: str = "bridge"
    limits: Limits = Limits()
