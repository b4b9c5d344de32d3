"""Transfers as Docker's clients are told them: a JSON message for each thing that happens (jsonmessage.go)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model import JSON, Transfer, TransferPart

_WORDS = {
    "pull": {
        "waiting": "Waiting",
        "moving": "Downloading",
        "retrying": "Retrying",
        "unpacking": "Extracting",
        "done": "Pull complete",
        "there": "Already exists",
        "mounted": "Already exists",
    },
    "load": {
        "waiting": "Waiting",
        "moving": "Loading layer",
        "retrying": "Retrying",
        "unpacking": "Loading layer",
        "done": "Loaded",
        "there": "Already exists",
        "mounted": "Already exists",
    },
    "push": {
        "waiting": "Preparing",
        "moving": "Pushing",
        "retrying": "Retrying",
        "unpacking": "Preparing",
        "done": "Pushed",
        "there": "Layer already exists",
        "mounted": "Mounted",
    },
}


def messages(transfer: Transfer, before: Transfer | None) -> Iterator[JSON]:
    """What is new since the snapshot before."""
    if before is None:
        yield from _first(transfer)
    known = {part.digest: part for part in before.parts} if before else {}
    for part in transfer.parts:
        if part != known.get(part.digest):
            yield _part(transfer.verb, part)
    for note in transfer.notes[len(before.notes) if before else 0 :]:
        yield {"status": note}
    if transfer.finished:
        yield from _last(transfer)


def _first(transfer: Transfer) -> Iterator[JSON]:
    at = "@" if "@" in transfer.name else ":"
    place, _, tag = transfer.name.rpartition(at)
    if transfer.verb == "pull":
        yield {"status": f"Pulling from {place}", "id": tag}
    elif transfer.verb == "push":
        yield {"status": f"The push refers to repository [{place}]"}


def _part(verb: str, part: TransferPart) -> JSON:
    told: JSON = {"status": _WORDS[verb][part.state], "id": part.digest[7:19], "progressDetail": {}}
    if part.state == "moving":
        told["progressDetail"] = {"current": part.done, "total": part.size}
    elif part.state == "retrying":
        told["status"] += f": {part.note}"
    return told


def _last(transfer: Transfer) -> Iterator[JSON]:
    if transfer.problem:
        problem = transfer.problem
        told = f"{problem.message}; {problem.remedy}" if problem.remedy else problem.message
        yield {"errorDetail": {"message": told}, "error": told}
    elif transfer.verb == "pull":
        yield {"status": f"Digest: {transfer.digest}"}
        new = any(part.state == "done" for part in transfer.parts)
        told = "Downloaded newer image for" if new else "Image is up to date for"
        yield {"status": f"Status: {told} {transfer.name}"}
    elif transfer.verb == "push":
        yield {"status": f"{transfer.name.rpartition(':')[2]}: digest: {transfer.digest}"}
    else:
        for name in transfer.names:
            yield {"stream": f"Loaded image{' ID' if name.startswith('sha256:') else ''}: {name}\n"}
