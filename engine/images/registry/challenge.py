"""What a registry answers to those it does not know: RFC 9110 section 11.6.1, as registries use it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)(?=[\s,]|$)(?!\s*=)\s*")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')


class Challenge(NamedTuple):
    """One way to prove who is asking."""

    scheme: str  # in lower case: "basic", "bearer"
    parameters: dict[str, str]


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """All challenges in WWW-Authenticate headers; what is malformed is passed over."""
    found: list[Challenge] = []
    for header in headers:
        position = 0
        while position < len(header):
            if scheme := _SCHEME.match(header, position):
                found.append(Challenge(scheme[1].lower(), {}))
                position = scheme.end()
            elif found and (parameter := _PARAMETER.match(header, position)):
                value = parameter[2] if parameter[2] is not None else parameter[3]
                found[-1].parameters[parameter[1].lower()] = re.sub(r"\\(.)", r"\1", value)
                position = parameter.end()
            else:
                position += 1
    return found
