"""Facts in two columns: what is asked, and what is so."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.model import JSON, ContainerSummary
from tui.deck.draw.line import Line, Row
from tui.deck.theme import Ink, Palette
from tui.presentation.limits import io, label, value
from tui.presentation.quantities import NO_LIMIT
from tui.presentation.states import look, port, status_line, why
from tui.presentation.text import clip, harmless, pad, width
from tui.presentation.times import local_stamp

NAMES = 12  # cells


class Fact(msgspec.Struct, frozen=True):
    """One of them; a name without a text is a heading, and long texts go on in further rows."""

    name: str
    text: str = ""
    ink: Ink = "text"


def lines(facts: Sequence[Fact], wide: int, palette: Palette) -> list[Line]:
    """All of them in rows of at most `wide` cells."""
    found = []
    room = max(8, wide - NAMES - 2)
    for fact in facts:
        if not fact.text:
            style = palette.style("text", bold=True)
            found.append(Row().add(clip(f" {fact.name}", wide), style).segments)
            continue
        for place, piece in enumerate(_pieces(harmless(fact.text), room)):
            name = "" if place else fact.name
            row = Row().add(pad(f" {name}", NAMES + 1), palette.style("muted"))
            found.append(row.add(f" {piece}", palette.style(fact.ink)).segments)
    return found


def _pieces(text: str, room: int) -> list[str]:
    """The text in pieces of so many cells, broken at blanks where there are any."""
    pieces = []
    while width(text) > room:
        fits = len(clip(text, room)) - 1
        at = text.rfind(" ", 1, fits + 1)
        at = at if at > 0 else fits
        pieces.append(text[:at])
        text = text[at:].lstrip()
    return [*pieces, text]


def state(container: ContainerSummary, now: float) -> list[Fact]:
    """What it is and how it does."""
    s = container.state
    glyph, tone = look(s)
    facts = [Fact("state", f"{glyph} {status_line(s, now)}", tone)]
    if reason := why(s):
        facts.append(Fact("why", reason, "failed" if tone == "failed" else "text"))
    if s.started_at:
        facts.append(Fact("started", local_stamp(s.started_at)))
    if s.finished_at:
        facts.append(Fact("ended", local_stamp(s.finished_at)))
    if s.restart_count:
        facts.append(Fact("restarts", str(s.restart_count)))
    facts += [
        Fact("created", local_stamp(container.created_at)),
        Fact("image", container.image),
        Fact("image id", container.image_id),
        Fact("id", container.id),
        Fact("command", container.command),
    ]
    if s.pid:
        facts.append(Fact("pid", f"{s.pid} on this machine"))
    return facts


def config(inspected: JSON) -> list[Fact]:
    """What it was asked to be, out of inspect's answer; only what is not the default."""
    host, own = inspected["HostConfig"], inspected["Config"]
    policy = host["RestartPolicy"]
    retries = f", {policy['MaximumRetryCount']} times at most" if policy["MaximumRetryCount"] else ""
    facts = [Fact("restart", f"{policy['Name']}{retries}")]
    for name, text in (
        ("entrypoint", " ".join(own["Entrypoint"] or [])),
        ("user", own["User"]),
        ("folder", own["WorkingDir"]),
        ("hostname", own["Hostname"]),
    ):
        if text:
            facts.append(Fact(name, text))
    flags = [
        word
        for word, on in (
            ("terminal", own["Tty"]),
            ("input open", own["OpenStdin"]),
            ("removed when it ends", host["AutoRemove"]),
            ("read-only root", host["ReadonlyRootfs"]),
            ("privileged", host["Privileged"]),
            ("small init", host["Init"]),
        )
        if on
    ]
    if flags:
        facts.append(Fact("also", ", ".join(flags)))
    for mount in inspected["Mounts"]:
        mode = "" if mount.get("RW", True) else ", read-only"
        source = mount.get("Name") or mount.get("Source") or mount.get("Type", "")
        facts.append(Fact("mount", f"{mount['Destination']} ← {source}{mode}"))
    facts += [Fact("variable", word) for word in own["Env"] or []]
    facts += [Fact("label", f"{name}={text}") for name, text in (own["Labels"] or {}).items()]
    return facts


def limits(container: ContainerSummary) -> list[Fact]:
    """The limits that are set; what is not said has none."""
    now = container.limits
    facts = [
        Fact(label(name), value(name, getattr(now, name)))
        for name in now.__struct_fields__
        if name != "io" and getattr(now, name) not in (None, False)
    ]
    facts += [Fact(f"io {device.removeprefix('/dev/')}", io(limit)) for device, limit in now.io.items()]
    return facts or [Fact("none", f"{NO_LIMIT}  L sets some", "muted")]


def network(container: ContainerSummary, inspected: JSON | None) -> list[Fact]:
    """Where it is reached and how it reaches others."""
    facts = [Fact("network", container.network or "none")]
    for name, found in (inspected["NetworkSettings"]["Networks"] if inspected else {}).items():
        if found["IPAddress"]:
            facts.append(Fact("address", f"{found['IPAddress']}/{found['IPPrefixLen']} on {name}"))
            facts.append(Fact("gateway", found["Gateway"] or "–"))
            facts.append(Fact("mac", found["MacAddress"] or "–"))
    if len(facts) == 1:
        facts.append(Fact("address", container.address or "none", "text" if container.address else "muted"))
    if inspected:
        facts.append(Fact("hostname", inspected["Config"]["Hostname"] or "–"))
        facts += [Fact("name server", server) for server in inspected["HostConfig"]["Dns"] or []]
        facts += [Fact("known host", host) for host in inspected["HostConfig"]["ExtraHosts"] or []]
    facts += [Fact("port", port(publish)) for publish in container.publish]
    if not container.publish:
        facts.append(Fact("ports", "none is published", "muted"))
    return facts
