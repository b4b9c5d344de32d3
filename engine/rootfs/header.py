"""Tar headers as they are written: ustar, and pax for what does not fit in it."""

from __future__ import annotations

import os

from engine.rootfs.tar import BLOCK, XATTR, Kind, Member

_FLAGS: dict[Kind, bytes] = {
    "file": b"0",
    "link": b"1",
    "symlink": b"2",
    "char": b"3",
    "block": b"4",
    "dir": b"5",
    "fifo": b"6",
}


def header(member: Member) -> bytes:
    """The blocks that precede a member's content; what ustar cannot hold goes into a pax header."""
    name, target = os.fsencode(member.name), os.fsencode(member.target)
    pax: dict[str, bytes] = {}
    if len(name) > 100 or not name.isascii():
        pax["path"] = name
    if len(target) > 100 or not target.isascii():
        pax["linkpath"] = target
    if member.size >= 8**11:
        pax["size"] = b"%d" % member.size
    if member.uid >= 8**7:
        pax["uid"] = b"%d" % member.uid
    if member.gid >= 8**7:
        pax["gid"] = b"%d" % member.gid
    seconds, fraction = divmod(member.mtime_ns, 10**9)
    if fraction or not 0 <= seconds < 8**11:
        sign, whole = ("-", -member.mtime_ns) if member.mtime_ns < 0 else ("", member.mtime_ns)
        pax["mtime"] = f"{sign}{whole // 10**9}.{whole % 10**9:09}".encode()
    pax |= {XATTR + key: value for key, value in sorted(member.xattrs.items())}
    prefix = b""
    if pax:
        records = b"".join(_record(key.encode(errors="surrogateescape"), value) for key, value in pax.items())
        extension = Member("pax", "file", size=len(records))
        prefix = _block(extension, b"././@PaxHeader", b"", b"x") + records + bytes(-len(records) % BLOCK)
    return prefix + _block(member, name, target, _FLAGS[member.kind])


def _block(member: Member, name: bytes, target: bytes, flag: bytes) -> bytes:
    seconds = member.mtime_ns // 10**9
    fields = [
        name[:100].ljust(100, b"\0"),
        b"%07o\0" % (member.mode & 0o7777),
        b"%07o\0" % (member.uid if member.uid < 8**7 else 0),
        b"%07o\0" % (member.gid if member.gid < 8**7 else 0),
        b"%011o\0" % (member.size if member.size < 8**11 else 0),
        b"%011o\0" % (seconds if 0 <= seconds < 8**11 else 0),
        b" " * 8,
        flag,
        target[:100].ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        b"%07o\0%07o\0" % member.device,
    ]
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))  # its own digits count, and may become one more
    length = len(body) + len(str(length))
    return str(length).encode() + body
