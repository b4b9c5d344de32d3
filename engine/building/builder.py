"""Builds: a Containerfile and a context in, progress and an image out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial

import msgspec

from engine.building import stages, steps
from engine.building.bootstrap import bootstrap
from engine.building.config import Config
from engine.building.reading import Instruction, read, read_one
from engine.building.site import Made, Site
from engine.building.stages import Plan, Stage
from engine.building.worker import Done, Read, Receive
from engine.containers import Containers
from engine.errors import NotFound, TiffinError, Unsupported, revived
from engine.images import names, oci, platforms
from engine.images.shelf import in_thread
from engine.images.workers import work
from engine.kernel.paths import delete
from engine.model import BootstrapOptions, BuildOptions, BuildProgress, ImageSummary, Problem

SCRATCH = "scratch"
# Given to RUN when the user gives them, without ARG, and no part of a layer's key.
UNDECLARED = tuple(
    spelled
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for spelled in (name, name.lower())
)
EPOCH = "SOURCE_DATE_EPOCH"

log = logging.getLogger(__name__)


class Builder:
    """All builds of one instance; one object in the one engine process."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._folder = containers.rooms.instance.state / "builds"
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Delete what a killed engine left of its builds; their containers are swept with the others."""
        await asyncio.to_thread(delete, self._folder)

    async def close(self) -> None:
        """End all builds, and leave nothing of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def site(self, context: AsyncIterable[bytes]) -> AsyncIterator[Site]:
        """A place for one build, its context received; gone at the end of the block. Raises BadRequest."""
        async with self._place("building an image") as site:
            await work(Receive(site.context, site.room), Done, source=context, module=steps.WORKER)
            yield site

    @asynccontextmanager
    async def _place(self, doing: str) -> AsyncIterator[Site]:
        self._containers.rooms.require_root(doing)
        id = secrets.token_hex(8)
        site = Site(self._containers, self._folder / id, id)
        await asyncio.to_thread(site.context.mkdir, 0o700, True)
        try:
            yield site
        finally:
            await in_thread(delete, site.folder)  # a client that leaves now must not keep it from being done

    async def containerfile(self, site: Site, path: str) -> str:
        """The text of a file in the context; raises BadRequest."""
        return (await work(Read(site.context, path, 1 << 20), Done, module=steps.WORKER)).text

    async def build(self, site: Site, options: BuildOptions) -> AsyncGenerator[BuildProgress, None]:
        """Build, and tell how it goes; the last that is told has the image or the problem.

        Who closes the iterator ends the build, and nothing is left of it but its layers.
        """
        site.options = options
        async with aclosing(self._told(site, "build", options.names, _Build(site).run)) as told:
            async for progress in told:
                yield progress

    async def bootstrap(self, options: BootstrapOptions) -> AsyncGenerator[BuildProgress, None]:
        """Make an image of Debian's packages, and tell how it goes, as `build` does."""
        async with self._place("bootstrapping an image") as site:
            name = options.name or f"debian:{options.suite}"
            async with aclosing(
                self._told(site, "import", [name], partial(bootstrap, site, options))
            ) as told:
                async for progress in told:
                    yield progress

    async def _told(
        self, site: Site, action: str, given: list[str], making: Callable[[], Awaitable[ImageSummary]]
    ) -> AsyncGenerator[BuildProgress, None]:
        task = asyncio.create_task(self._guarded(site, action, given, making))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while True:
                progress = await site.events.get()
                yield progress
                if progress.what in ("done", "failed"):
                    return
        finally:
            task.cancel()
            try:
                await asyncio.wait(
                    [task]
                )  # not gather: that would cancel it again, in the midst of tidying up
            except asyncio.CancelledError:
                await asyncio.wait([task])
                raise

    async def _guarded(
        self, site: Site, action: str, given: list[str], making: Callable[[], Awaitable[ImageSummary]]
    ) -> None:
        try:
            async with site.images.coming():
                image = await making()
            last = BuildProgress(what="done", image=image)
            for name in given:
                self._containers.rooms.events.emit("image", action, image.id, names.normal(name))
        except TiffinError as error:
            problem = Problem(
                message=error.message, remedy=error.remedy, kind=error.kind, exit_code=error.exit_code
            )
            last = BuildProgress(what="failed", problem=problem)
        except asyncio.CancelledError:
            if site.events.full():
                site.events.get_nowait()
            problem = Problem(
                message="the build was broken off", remedy="build again: finished steps are kept"
            )
            site.events.put_nowait(BuildProgress(what="failed", problem=problem))
            raise
        except Exception as error:
            log.exception("a build failed")
            text = f"building failed: {type(error).__name__}: {error}"
            last = BuildProgress(what="failed", problem=Problem(message=text, remedy="see engine.log"))
        await site.tell(last)


class _State:
    """A stage while it is built."""

    def __init__(self, config: Config, image: str) -> None:
        self.config = config
        self.image = image  # id of the image that ends with its last layer; "" while it is empty
        self.layers: list[oci.Descriptor] = []
        self.diff_ids: list[str] = []
        self.history: list[oci.Step] = []
        self.author = ""


class _Build:
    def __init__(self, site: Site) -> None:
        self.site = site
        self._options = site.options
        self._done: dict[int, _State] = {}
        self._images: dict[str, ImageSummary] = {}  # bases and sources by the name they were asked for
        self._about = BuildProgress(what="step")
        self._args = dict(site.options.args)
        self._used: set[str] = set()
        if site.options.epoch is not None:
            self._args.setdefault(EPOCH, str(site.options.epoch))
            self._used.add(EPOCH)

    async def run(self) -> ImageSummary:
        """Build all that is needed; raises TiffinError."""
        options = self._options
        for name in options.names:
            names.for_new(name)
        source = read(options.containerfile, options.file)
        predefined = _platform_args()
        plan = stages.plan(source, self._args, predefined, options.target)
        total = sum(1 + len(stage.instructions) for stage in plan.stages)
        self._about = BuildProgress(what="step", steps=total)
        for stage in plan.stages:
            self._done[stage.index] = await self._stage(stage, plan, source.escape)
        if unused := sorted(set(options.args) - self._used - set(UNDECLARED) - set(plan.defaults)):
            await self._warn(f"no ARG takes in {', '.join(unused)}")
        return await self._enter(self._done[plan.stages[-1].index])

    async def _stage(self, stage: Stage, plan: Plan, escape: str) -> _State:
        text = f"FROM {stage.base}" + (f" AS {stage.name}" if stage.name else "")
        begun = await self._begin(stage, text)
        state, triggers = await self._base(stage, escape)
        await self._layer_told(begun, None)
        inherited = [read_one(trigger, stage.place) for trigger in triggers]
        for trigger in inherited:
            stages.check(trigger, escape)
        self._about = msgspec.structs.replace(self._about, steps=self._about.steps + len(inherited))
        for instruction in (*inherited, *stage.instructions):
            begun = await self._begin(stage, instruction.shown)
            made = await self._instruction(instruction, stage, state, plan)
            self._record(state, instruction, made)
            await self._layer_told(begun, made)
        return state

    async def _base(self, stage: Stage, escape: str) -> tuple[_State, list[str]]:
        """The stage as FROM makes it, and the ONBUILD instructions of its base."""
        if stage.platform and not platforms.fit(platforms.parse(stage.platform)).rank == 0:
            raise stage.place.wrong(
                f"--platform={stage.platform}: this machine is {platforms.here()}",
                "leave it out: images are built for the machine they are built on",
            )
        if stage.parent is not None:
            before = self._done[stage.parent.index]
            state = _State(Config(before.config.execution(), escape), before.image)
            state.layers, state.diff_ids = list(before.layers), list(before.diff_ids)
            state.history = list(before.history)
            return state, before.config.triggers
        if stage.base == SCRATCH:
            return _State(Config(oci.Execution(), escape), ""), []
        image = await self._image(stage.base, stage)
        try:
            manifest, config = self.site.images.documents(image.id)
        except Unsupported as error:
            raise stage.place.wrong(f"FROM {stage.base}: {error.message}", error.remedy) from error
        state = _State(Config(config.config or oci.Execution(), escape), image.id)
        state.layers, state.diff_ids = list(manifest.layers), list(config.rootfs.diff_ids)
        state.history = list(config.history or [])
        return state, (config.config or oci.Execution()).on_build or []

    async def _image(self, name: str, where: Stage | Instruction) -> ImageSummary:
        """The image of that name, fetched from its registry where it is not here."""
        if name in self._images:
            return self._images[name]
        try:
            if self._options.pull:
                with contextlib.suppress(NotFound):
                    if self.site.images.get(name).id == name:
                        return self.site.images.get(name)  # an id: there is nothing newer by that
                await self._pull(name)
            try:
                image = self.site.images.get(name)
            except NotFound:
                await self._pull(name)
                image = self.site.images.get(name)
        except TiffinError as error:
            place = f"{where.place.file}:{where.place.line}"
            raise revived(error.kind, f"{place}: {name}: {error.message}", error.remedy) from error
        self._images[name] = image
        return image

    async def _pull(self, name: str) -> None:
        events = self.site.containers.rooms.events

        def announce(action: str, id: str, name: str) -> None:
            events.emit("image", action, id, name)

        await self._tell("output", text=f"pulling {name}\n")
        async with self.site.images.exchange.pull(name, announce) as transfers:
            async for transfer in transfers:
                if problem := transfer.problem:
                    raise revived(problem.kind, problem.message, problem.remedy)

    async def _instruction(
        self, instruction: Instruction, stage: Stage, state: _State, plan: Plan
    ) -> Made | None:
        config, site = state.config, self.site
        match instruction.keyword:
            case "RUN":
                given = {name: self._args[name] for name in UNDECLARED if name in self._args}
                return await steps.run(site, self._about, instruction, config, state.image, given)
            case "COPY" | "ADD":
                origin, where = await self._origin(instruction, plan)
                return await steps.copy(site, instruction, config, state.image, origin, where)
            case "WORKDIR":
                config.apply(instruction)
                return await steps.make_folder(site, instruction, config, state.image)
            case "ARG":
                outer = {**_platform_args(), **plan.defaults}
                before = set(config.args)
                config.declare(instruction, self._args, outer)
                self._used |= {
                    name for name, _ in stages.arguments(instruction, config.variables, config.escape)
                } | (set(config.args) - before)
            case "MAINTAINER":
                state.author = instruction.text
            case _:
                config.apply(instruction)
        return None

    async def _origin(self, instruction: Instruction, plan: Plan) -> tuple[str | None, str]:
        """The image that COPY takes its sources from, and what to call it; None for the context."""
        wanted = instruction.flags.get("from", "")
        if not wanted:
            return None, "the context"
        if stage := plan.names.get(wanted.lower()):
            return self._done[stage.index].image, f"the stage {stage.label}"
        return (await self._image(wanted, instruction)).id, f"the image {wanted}"

    def _record(self, state: _State, instruction: Instruction, made: Made | None) -> None:
        if made is not None:
            state.image = made.image
            if made.layer is not None:
                state.layers.append(made.layer)
                state.diff_ids.append(made.diff_id)
        state.history.append(
            oci.Step(
                created=made.created if made else None,
                created_by=instruction.shown,
                comment="tiffin build",
                author=state.author or None,
                empty_layer=made is None or made.layer is None,
            )
        )

    async def _enter(self, state: _State) -> ImageSummary:
        """The finished image, under all its names. One of cached steps alone is the same as before."""
        options, config = self._options, state.config
        config.labels.update(options.labels)
        made = [step.created for step in state.history if step.created]
        created = self.site.now() if options.epoch is not None or not made else max(made)
        history = [
            step if step.created else msgspec.structs.replace(step, created=created) for step in state.history
        ]
        image = oci.Image(
            architecture=platforms.here().architecture,
            os="linux",
            created=created,
            author=state.author or None,
            config=config.execution(),
            rootfs=oci.RootFs(diff_ids=state.diff_ids),
            history=history,
        )
        entered = await self.site.images.enter(image, state.layers, options.names[0] if options.names else "")
        for name in options.names[1:]:
            entered = await self.site.images.enter(image, state.layers, name)
        return entered

    # ── telling ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _begin(self, stage: Stage, text: str) -> float:
        self._about = msgspec.structs.replace(
            self._about, step=self._about.step + 1, stage=stage.label, text=text
        )
        await self._tell("step")
        return time.monotonic()

    async def _layer_told(self, begun: float, made: Made | None) -> None:
        what = "cached" if made is not None and made.cached else "layer"
        await self._tell(what, size=made.size if made else 0, seconds=time.monotonic() - begun)

    async def _warn(self, text: str) -> None:
        await self._tell("warning", text=text)

    async def _tell(self, what: str, **fields: object) -> None:
        await self.site.tell(msgspec.structs.replace(self._about, what=what, **fields))


def _platform_args() -> Mapping[str, str]:
    """The variables that every Containerfile may ask for, as BuildKit names them."""
    here = platforms.here()
    parts = {"PLATFORM": str(here), "OS": here.os, "ARCH": here.architecture, "VARIANT": here.variant}
    return {f"{prefix}{name}": value for prefix in ("TARGET", "BUILD") for name, value in parts.items()}
