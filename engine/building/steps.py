"""The steps that make layers: RUN in a container, COPY and ADD in confined workers, WORKDIR's folder."""

from __future__ import annotations

import codecs
import posixpath
from collections.abc import Mapping

import msgspec

from engine.building import stages
from engine.building.config import Config
from engine.building.copying import Gathered, Inline, Wanted
from engine.building.reading import Instruction
from engine.building.site import Made, Site, key
from engine.building.worker import Done, Gather, Make, Put
from engine.errors import BadRequest, LaunchError, TiffinError, revived
from engine.images.workers import work
from engine.launch.users import resolve
from engine.model import BuildProgress, ContainerConfig, LogOptions
from engine.rootfs import read_text
from engine.rootfs.root import Stopped

WORKER = "engine.building.worker"
HOSTNAME = "build"  # the same in every build: a program may write it into what it makes
LOG = LogOptions(max_size=1 << 20, max_files=2)  # the client has been told all of it
INLINE_LIMIT = 64 << 10  # characters; it goes to the worker on its command line
LABEL = "io.tiffin.build"


async def run(
    site: Site,
    about: BuildProgress,
    instruction: Instruction,
    config: Config,
    parent: str,
    given: Mapping[str, str],
) -> Made:
    """RUN: a container on the image `parent`, its private layer the new one; `given` are proxies and the like.

    `about` is the step, for what is told of it. Raises TiffinError where the program fails.
    """
    place = instruction.place
    if not parent:
        raise place.wrong("RUN: the stage is still empty, there is no program in it", "COPY or ADD one first")
    argv, env = config.argv(instruction), {**config.args, **config.env}
    options = site.options
    keyed = key(
        "run",
        parent=_layers(site, parent),
        argv=argv,
        env=sorted(env.items()),
        user=config.user,
        workdir=config.folder,
        network=options.network,
        epoch=options.epoch,
    )
    if hit := site.found(keyed):
        return site.reuse(hit, parent)
    id = await site.containers.create(
        ContainerConfig(
            image=parent,
            command=argv,
            entrypoint=[],
            env=[f"{name}={value}" for name, value in {**given, **env}.items()],
            workdir=config.folder,
            user=config.user,
            hostname=HOSTNAME,
            network=options.network,
            limits=options.limits,
            labels={LABEL: site.id, f"{LABEL}.step": f"{about.step}/{about.steps} {instruction.shown}"[:200]},
            log=LOG,
        ),
        name=f"build-{site.id[:6]}-{about.step}",
        transient=True,
    )
    try:
        await _program(site, about, instruction, id)
        folder = site.containers.get(id).folder
        spec = msgspec.json.decode((folder / "config.json").read_bytes())
        stubs = [mount["destination"] for mount in spec["mounts"]]
        lower = await site.images.lower(site.images.get(parent))
        return await site.keep(keyed, parent, folder / "upper", lower, stubs)
    finally:
        await site.containers.remove(id, force=True, volumes=True)


async def _program(site: Site, about: BuildProgress, instruction: Instruction, id: str) -> None:
    """Run the container to its end, and pass on what it prints."""
    streams = await site.containers.attach(id, input=False)
    decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")}
    try:
        await site.tell(msgspec.structs.replace(about, what="step", container=id))
        try:
            await site.containers.start(id)
        except LaunchError as error:
            raise instruction.place.wrong(
                f"{instruction.shown[:100]}: {error.message}", error.remedy
            ) from error
        while (piece := await streams.read()) is not None:
            name, data = piece
            if text := decoders[name].decode(data):
                told = msgspec.structs.replace(about, what="output", text=text, stream=name)
                await site.tell(told)
    finally:
        streams.close()
    ended = await site.containers.wait(id)
    if ended.exit_code:
        why = (
            "it was killed for using too much memory"
            if ended.oom_killed
            else f"it ended with status {ended.exit_code}"
        )
        remedy = "give it more with --memory" if ended.oom_killed else "what it printed says why"
        raise TiffinError(
            f"{instruction.place.file}:{instruction.place.line}: {instruction.shown[:100]}: {why}", remedy
        )


async def copy(
    site: Site, instruction: Instruction, config: Config, parent: str, origin: str | None, where: str
) -> Made:
    """COPY and ADD, from the context or, with `origin`, from the root of that image ("": an empty one)."""
    place = instruction.place
    target = await site.root(parent)
    source: Stopped | str = str(site.context) if origin is None else await site.root(origin)
    out = site.folder / f"copied-{place.line}.tar"
    try:
        wanted = _wanted(site, instruction, config, target, where)
        if origin is None and wanted.owner is None and not wanted.archives:  # archives and stages have owners
            wanted = msgspec.structs.replace(wanted, owner=(0, 0))
        gathered = await work(Gather(wanted, source, target, out, site.room), Gathered, module=WORKER)
        keyed = key(
            "copy",
            parent=_layers(site, parent),
            content=gathered.digest,
            into=posixpath.normpath(wanted.target),
            epoch=site.options.epoch,
        )
        if hit := site.found(keyed):
            return site.reuse(hit, parent)
        with out.open("rb") as stream:
            await work(Put(target), Done, source=stream.fileno(), module=WORKER)
        upper, *lower = target.layers
        return await site.keep(keyed, parent, upper, lower)
    except TiffinError as error:
        raise _placed(instruction, error) from error
    finally:
        out.unlink(missing_ok=True)
        await site.discard(target)
        if isinstance(source, Stopped):
            await site.discard(source)


def _wanted(site: Site, instruction: Instruction, config: Config, target: Stopped, where: str) -> Wanted:
    place, variables, escape = instruction.place, config.variables, config.escape
    given = [stages.expanded(place, word, variables, escape) for word in stages.operands(instruction, escape)]
    heredocs = {f"<<{dash}{heredoc.name}": heredoc for heredoc in instruction.heredocs for dash in ("", "-")}
    inline = []
    for word in given[:-1]:
        if heredoc := heredocs.get(word):
            text = heredoc.text
            if heredoc.expand:
                text = stages.expanded(place, text, variables, escape, keep_quotes=True)
            if len(text) > INLINE_LIMIT:
                raise place.wrong(f"the heredoc <<{heredoc.name} is very long", "put it into a file")
            inline.append(Inline(heredoc.name, text))
    sources = [word for word in given[:-1] if word not in heredocs]
    into = posixpath.join(config.folder, given[-1])
    if given[-1] in (".", "./") or given[-1].endswith("/."):
        into += "/"
    mode = stages.expanded(place, instruction.flags.get("chmod", ""), variables, escape)
    if mode and not (mode.isdecimal() and len(mode) <= 4 and set(mode) <= set("01234567")):
        raise place.wrong(f"--chmod={mode}: that is no mode", "write it in octal, such as 0644")
    return Wanted(
        sources=sources,
        target=into,
        where=where,
        inline=inline,
        owner=_owner(instruction, config, target),
        mode=int(mode, 8) if mode else None,
        archives=instruction.keyword == "ADD",
    )


def _owner(instruction: Instruction, config: Config, target: Stopped) -> tuple[int, int] | None:
    wanted = stages.expanded(
        instruction.place, instruction.flags.get("chown", ""), config.variables, config.escape
    )
    if not wanted:
        return None
    try:
        found = resolve(wanted, read_text(target.layers, "etc/passwd"), read_text(target.layers, "etc/group"))
    except BadRequest as error:
        message = error.message.replace("the container", "the stage")
        raise instruction.place.wrong(f"--chown={wanted}: {message}", error.remedy) from None
    # Docker takes a lone number for both, whatever the user's own group is.
    return found.uid, found.uid if wanted.isdecimal() else found.gid


async def make_folder(site: Site, instruction: Instruction, config: Config, parent: str) -> Made | None:
    """WORKDIR: its folder, where it is not there yet; None where it is."""
    keyed = key("folder", parent=_layers(site, parent), path=config.folder, epoch=site.options.epoch)
    if hit := site.found(keyed):
        return site.reuse(hit, parent)
    target = await site.root(parent)
    try:
        made = await work(Make(target, config.folder), Done, module=WORKER)
        upper, *lower = target.layers
        return await site.keep(keyed, parent, upper, lower) if made.changed else None
    except TiffinError as error:
        raise _placed(instruction, error) from error
    finally:
        await site.discard(target)


def _placed(instruction: Instruction, error: TiffinError) -> TiffinError:
    """The error with the place of its instruction, if it does not tell one already."""
    place = f"{instruction.place.file}:{instruction.place.line}: "
    if error.message.startswith(place):
        return error
    return revived(error.kind, f"{place}{instruction.keyword}: {error.message}", error.remedy)


def _layers(site: Site, image: str) -> list[str]:
    return list(site.images.documents(image)[1].rootfs.diff_ids) if image else []
