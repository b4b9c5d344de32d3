"""Roots of Debian from its packages: mmdebstrap in a container from `host`, its tar imported.

The packages' maintainer scripts run as root. In a container they have none of this machine's devices, mounts or
powers, and what they change besides the new root goes with the container.
"""

from __future__ import annotations

import codecs
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from engine.building.site import Site
from engine.building.steps import LABEL, LOG
from engine.errors import BadRequest, TiffinError, Unsupported
from engine.images import host
from engine.kernel.paths import open_in_root
from engine.model import BootstrapOptions, BuildProgress, ContainerConfig, ImageSummary

RELEASES = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky"}
UNUPDATED = ("sid", "unstable", "experimental")  # suites that have neither updates nor security
VARIANTS = ("extract", "custom", "essential", "apt", "required", "minbase", "buildd", "important", "standard")
PACKAGES = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
OUT = "/root.tar"

_SUITE = re.compile("[a-z][a-z0-9.-]*")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(?:[:/=][A-Za-z0-9+.:~-]+)?|\?[a-z-]+(\([a-z0-9~^$.*-]*\))?")
_URI = re.compile(r"(?:https?|ftp|mirror(?:\+\w+)?)://[!-~]+")
_LINE = re.compile(r"deb (?:\[[ -~]*\] )?[!-~]+ [!-~]+(?: [!-~]+)*")
_SAYS = re.compile(r"I: (.*?)(?:\.\.\.)?")

# mmdebstrap reads none of the machine's apt settings: its proxies are handed on here.
SCRIPT = """\
eval "$(apt-config shell http Acquire::http::Proxy https Acquire::https::Proxy)"
for name in http https; do
  eval "value=\\${$name:-}"
  case $value in ""|DIRECT) ;; *) export "${name}_proxy=$value" ;; esac
done
exec mmdebstrap "$@"
"""


async def bootstrap(site: Site, options: BootstrapOptions) -> ImageSummary:
    """Make a root and enter it as an image; raises TiffinError, and then nothing is left."""
    suite = check(options)
    if not shutil.which("mmdebstrap"):
        raise Unsupported(
            "making a Debian root takes mmdebstrap, which this machine does not have",
            "install it (apt install mmdebstrap), or use `tiffin pull debian`",
        )
    words = ["--verbose", f"--variant={options.variant}", "--format=tar", "--skip=output/mknod"]
    words += [f"--include={package}" for package in options.include]
    words += [f"--components={','.join(options.components)}"] if options.components else []
    words += [suite, OUT, *(options.mirrors or sources(suite, configured(), options.components or ["main"]))]
    id = await site.containers.create(
        ContainerConfig(
            image=host.ID,
            command=["/bin/sh", "-c", SCRIPT, "mmdebstrap", *words],
            env=["LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"],
            user="0",
            workdir="/",
            hostname="bootstrap",
            network=options.network,
            limits=options.limits,
            labels={LABEL: site.id, f"{LABEL}.step": f"bootstrap {suite}"},
            log=LOG,
        ),
        name=f"bootstrap-{suite}-{site.id[:6]}",
        transient=True,
    )
    try:
        await _program(site, id, suite)
        upper = os.open(site.containers.get(id).folder / "upper", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            archive = open_in_root(upper, OUT, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        finally:
            os.close(upper)
        try:
            await site.tell(BuildProgress(what="step", step=0, text="unpacking the image", container=id))
            return await site.images.import_rootfs(
                f"/proc/self/fd/{archive}", options.name or f"debian:{suite}"
            )
        finally:
            os.close(archive)
    finally:
        await site.containers.remove(id, force=True, volumes=True)


async def _program(site: Site, id: str, suite: str) -> None:
    """Run mmdebstrap to its end and tell what it says: its own lines are steps, all others output."""
    streams = await site.containers.attach(id, input=False)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest, step, complaint = "", 0, ""
    try:
        await site.containers.start(id)
        while (piece := await streams.read()) is not None:
            *lines, rest = (rest + decoder.decode(piece[1])).split("\n")
            for line in lines:
                if says := _SAYS.fullmatch(line):
                    step += 1
                    await site.tell(BuildProgress(what="step", step=step, text=says[1]))
                    continue
                if line.startswith("E: "):
                    complaint = complaint or line[3:]
                await site.tell(BuildProgress(what="output", step=step, text=f"{line}\n"))
    finally:
        streams.close()
    ended = await site.containers.wait(id)
    if ended.exit_code:
        why = complaint or f"mmdebstrap ended with status {ended.exit_code}"
        raise TiffinError(f"bootstrapping debian:{suite}: {why}", "what it printed says more")


def check(options: BootstrapOptions) -> str:
    """The suite that is asked for, by Debian's name for it; raises BadRequest."""
    suite = RELEASES.get(options.suite, options.suite)
    if not _SUITE.fullmatch(suite):
        raise BadRequest(
            f"{options.suite!r} is no release of Debian", "write debian:12, debian:bookworm or debian:stable"
        )
    if options.variant not in VARIANTS:
        raise BadRequest(f"there is no variant {options.variant!r}", f"choose from {', '.join(VARIANTS)}")
    for package in options.include:
        if not _PACKAGE.fullmatch(package):
            raise BadRequest(f"--include: {package!r} is no package's name", "write it as apt lists it")
    for mirror in options.mirrors:
        if not _URI.fullmatch(mirror) and not _LINE.fullmatch(mirror):
            raise BadRequest(
                f"--mirror: {mirror!r} is no address",
                "write http://HOST/debian, or a whole line: deb URI SUITE main",
            )
    for component in options.components:
        if not _SUITE.fullmatch(component):
            raise BadRequest(f"--components: {component!r} is none", "write main, or main,contrib")
    return suite


def sources(suite: str, mirrors: tuple[str, str], components: list[str]) -> list[str]:
    """The lines of sources.list for a suite; `mirrors` are those of the packages and of their security updates."""
    packages, security = mirrors
    parts = " ".join(components)
    lines = [f"deb {packages} {suite} {parts}"]
    if suite not in UNUPDATED:
        lines += [f"deb {packages} {suite}-updates {parts}", f"deb {security} {suite}-security {parts}"]
    return lines


def configured(etc: Path = Path("/etc/apt")) -> tuple[str, str]:
    """The mirrors this machine uses itself for Debian and its security updates, else Debian's own."""
    packages, security = "", ""
    for uri in _uris(etc):
        path = uri.rstrip("/")
        if not packages and path.endswith("/debian"):
            packages = path
        if not security and path.endswith("/debian-security"):
            security = path
    return packages or PACKAGES, security or SECURITY


def _uris(etc: Path) -> Iterator[str]:
    folder = etc / "sources.list.d"
    for path in (etc / "sources.list", *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            if path.suffix == ".sources":
                name, _, value = line.partition(":")
                if name.strip().lower() == "uris":
                    yield from (uri for uri in value.split() if _URI.fullmatch(uri))
            elif line.startswith("deb "):
                yield from (word for word in line.split()[1:] if _URI.fullmatch(word))
