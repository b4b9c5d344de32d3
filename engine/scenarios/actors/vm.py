"""A virtual machine that does nothing but come up, for comparison: qemu, a kernel of /boot, busybox as its init."""

from __future__ import annotations

import glob
import os
import select
import subprocess
import time

from .wire import Wire

BUSYBOX, INITRD = "/bin/busybox", "/var/tmp/initrd"
UP = b"tiffin: up"
INIT = b"#!/bin/busybox sh\n/bin/busybox echo " + UP + b"\nexec /bin/busybox sleep 1000\n"
PATIENCE = 40.0  # seconds; an emulated machine is slow
MEMORY = 128  # MiB
INTERP = 3  # PT_INTERP of elf(5): what a program that is linked statically has not


def play(wire: Wire) -> None:
    """Start one, say how long its first program took to speak and what it takes of memory, and end it."""
    wire.await_go()
    machine = os.uname().machine
    qemu, kernels = f"/usr/bin/qemu-system-{machine}", sorted(glob.glob("/boot/vmlinu*"))
    kernels = [kernel for kernel in kernels if os.access(kernel, os.R_OK)]
    if not os.path.exists(qemu):
        wire.tell(why_not=f"there is no qemu-system-{machine} on this machine")
    elif not kernels:
        wire.tell(why_not="there is no kernel in /boot that may be read")
    elif not is_static(BUSYBOX):
        wire.tell(why_not=f"there is no static {BUSYBOX} to be its first program")
    else:
        wire.tell(**start(qemu, kernels[-1]))
    wire.order()


def start(qemu: str, kernel: str) -> dict[str, object]:
    """One start; what was measured, or why not."""
    with open(INITRD, "wb") as file:
        file.write(archive())
    words = [qemu, "-m", str(MEMORY), "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"]
    words += ["-kernel", kernel, "-initrd", INITRD, "-append", "console=ttyS0 quiet panic=-1"]
    began = time.monotonic()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        assert machine.stdout
        try:
            said = b""
            while UP not in said:
                left = began + PATIENCE - time.monotonic()
                if left <= 0 or not select.select([machine.stdout], [], [], left)[0]:
                    return {"why_not": f"qemu did not come up within {PATIENCE:.0f} s"}
                piece = os.read(machine.stdout.fileno(), 4096)
                if not piece:
                    return {"why_not": "qemu ended before its machine was up"}
                said += piece
            took = time.monotonic() - began
            with open(f"/proc/{machine.pid}/status") as lines:
                rss = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
            return {"ms": took * 1000, "memory": rss * 1024, "kernel": os.path.basename(kernel)}
        finally:
            machine.kill()


def is_static(path: str) -> bool:
    """Whether a program needs no loader: no PT_INTERP among its program headers, elf(5)."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            offset = int.from_bytes(head[32:40], "little")
            size, count = (int.from_bytes(head[at : at + 2], "little") for at in (54, 56))
            file.seek(offset)
            headers = file.read(size * count)
    except OSError:
        return False
    kinds = [int.from_bytes(headers[at : at + 4], "little") for at in range(0, len(headers), size or 1)]
    return head[:4] == b"\x7fELF" and INTERP not in kinds


def archive() -> bytes:
    """The initramfs: a cpio archive as the kernel wants it ("newc")."""
    with open(BUSYBOX, "rb") as file:
        busybox = file.read()
    members = [("bin", 0o040755, b""), ("bin/busybox", 0o100755, busybox), ("init", 0o100755, INIT)]
    return b"".join(member(*one) for one in [*members, ("TRAILER!!!", 0, b"")])


def member(name: str, mode: int, data: bytes) -> bytes:
    """One file; Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's source."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
