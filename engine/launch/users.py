"""Who a container's program runs as, by the container's own /etc/passwd and /etc/group: perhaps hostile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.errors import BadRequest

HIGHEST = 2**31 - 1  # as Docker: above it some programs take an id for negative


class Identity(NamedTuple):
    """Ids of a process and its home folder; `groups` holds the primary one too (CVE-2022-36109)."""

    uid: int
    gid: int
    groups: list[int]
    home: str


def resolve(user: str, passwd: str, group: str) -> Identity:
    """The identity for `name|uid[:group|gid]`, empty for root; as runc does it.

    What consists of digits is always an id, never a name: an image with a user named "1000" and uid 0 would
    else make root of whoever asks for 1000 (CVE-2016-3697). A group that is named replaces all memberships.
    Malformed lines are skipped. Raises BadRequest where the name is unknown or the id too large.
    """
    who, colon, group_part = user.partition(":")
    number = _id("user", who or "0")
    entry = next((e for e in _users(passwd) if (e[1] == number if number is not None else e[0] == who)), None)
    if entry is None:
        if number is None:
            raise BadRequest(
                f"user: the container has no user {who!r} in /etc/passwd", "give the uid as a number"
            )
        name, uid, gid, home = "", number, 0, "/"
    else:
        name, uid, gid, home = entry
    if colon and group_part:
        gid = _group(group_part, group)
        return Identity(uid, gid, [gid], home)
    others = [g for _, g, members in _groups(group) if name and name in members and g != gid]
    return Identity(uid, gid, [gid, *dict.fromkeys(others)], home)


def _group(wanted: str, group: str) -> int:
    number = _id("group", wanted)
    if number is not None:
        return number
    for name, gid, _ in _groups(group):
        if name == wanted:
            return gid
    raise BadRequest(f"user: the container has no group {wanted!r} in /etc/group", "give the gid as a number")


def _id(what: str, text: str) -> int | None:
    """The number, None for a name."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 10 or int(text) > HIGHEST:
        raise BadRequest(f"user: the {what} id {text[:40]} is too large", f"choose 0 to {HIGHEST}")
    return int(text)


def _number(text: str) -> int | None:
    return (
        int(text) if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= HIGHEST else None
    )


def _users(passwd: str) -> Iterator[tuple[str, int, int, str]]:
    for line in passwd.split("\n"):
        fields = line.strip().split(":")
        if (
            len(fields) >= 4
            and (uid := _number(fields[2])) is not None
            and (gid := _number(fields[3])) is not None
        ):
            home = fields[5] if len(fields) > 5 and fields[5].startswith("/") else "/"
            yield fields[0], uid, gid, home


def _groups(group: str) -> Iterator[tuple[str, int, list[str]]]:
    for line in group.split("\n"):
        fields = line.strip().split(":")
        if len(fields) >= 3 and (gid := _number(fields[2])) is not None:
            yield fields[0], gid, fields[3].split(",") if len(fields) > 3 else []
