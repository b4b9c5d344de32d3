"""Docker's classic builder API: what its clients ask, and progress as they show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from engine.decoding import decode
from engine.errors import BadRequest, Unsupported
from engine.model import JSON, BuildOptions, BuildProgress, Limits

REFUSED = {
    "remote": "a build's context comes from its client; clone or download it there",
    "squash": "layers are not squashed",
    "platform": "images are built for the machine they are built on",
    "outputs": "a build's output is an image; `docker save` or `docker export` takes it out",
    "extrahosts": "RUN gets no extra hosts",
}
_QUOTA_PERIOD = 100_000  # µs, Docker's default


def options(query: Mapping[str, str], names: list[str], containerfile: str) -> BuildOptions:
    """The build that the query of POST /build asks for; raises BadRequest, Unsupported."""
    for name, why in REFUSED.items():
        if query.get(name, "") not in ("", "0", "false", "[]", "null"):
            raise Unsupported(f"building with {name} is not possible here: {why}", "leave it out")
    if query.get("version", "1") != "1":
        raise Unsupported("BuildKit's own protocol is not spoken here", "set DOCKER_BUILDKIT=0")
    memory, period = _number(query, "memory"), _number(query, "cpuperiod") or _QUOTA_PERIOD
    quota = _number(query, "cpuquota")
    network = query.get("networkmode", "")
    return BuildOptions(
        containerfile=containerfile,
        file=query.get("dockerfile") or "Dockerfile",
        names=[name for name in names if name],
        args={name: value for name, value in _object(query, "buildargs").items() if value is not None},
        labels={name: value or "" for name, value in _object(query, "labels").items()},
        target=query.get("target", ""),
        cache=query.get("nocache", "") in ("", "0", "false"),
        pull=query.get("pull", "") not in ("", "0", "false"),
        network="bridge" if network in ("", "default") else network,
        limits=Limits(
            memory=memory or None,
            cpus=quota / period if quota and quota > 0 else None,
            cpuset=query.get("cpusetcpus") or None,
        ),
    )


def messages(progress: BuildProgress) -> Iterator[JSON]:
    """What the classic builder says of the same."""
    match progress.what:
        case "step" if not progress.container:
            yield _said(f"Step {progress.step}/{progress.steps} : {progress.text}\n")
        case "step":
            yield _said(f" ---> Running in {progress.container[:12]}\n")
        case "cached":
            yield _said(" ---> Using cache\n")
        case "output":
            yield _said(progress.text)
        case "warning":
            yield _said(f"[Warning] {progress.text}\n")
        case "done" if progress.image:
            yield {"aux": {"ID": progress.image.id}}
            yield _said(f"Successfully built {progress.image.id.removeprefix('sha256:')[:12]}\n")
            for name in progress.image.names:
                yield _said(f"Successfully tagged {name}\n")
        case "failed" if progress.problem:
            problem = progress.problem
            text = f"{problem.message}; {problem.remedy}" if problem.remedy else problem.message
            yield {"errorDetail": {"code": 1, "message": text}, "error": text}
        case _:
            pass


def _said(text: str) -> JSON:
    return {"stream": text}


def _object(query: Mapping[str, str], name: str) -> dict[str, str | None]:
    try:
        return decode(query.get(name) or "{}", dict[str, str | None])
    except msgspec.MsgspecError as error:
        raise BadRequest(f"{name} is malformed: {error}", 'give JSON such as {"NAME":"value"}') from error


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "") or "0"
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"{name} is {text!r}"[:100], "give a number") from None
