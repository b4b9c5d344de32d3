"""The programs of a scenario: `python -I -S actors.py` reads who is to do what, forks each into its cgroup, and ends
with all of them when its standard input closes. It imports nothing of the project: it is small, and many.
"""

import json
import mmap
import os
import random
import signal
import sys
import time

PAGE = 4096


def spin(actor, folder):
    """Use a core."""
    for _ in bursts(actor):
        for _ in range(20000):
            pass


def work(actor, folder):
    """Use a share of a core, in small pieces: a keystroke, a request."""
    piece = 0.002 if actor["load"] > 0.03 else 0.004
    while True:
        end = time.thread_time() + piece
        while time.thread_time() < end:
            pass
        time.sleep(piece / actor["load"] * random.uniform(0.6, 1.4))


def sleep(actor, folder):
    """Nothing."""
    while True:
        time.sleep(1000)


def churn(actor, folder):
    """Take memory, touch it, give it back, again and again."""
    for _ in bursts(actor):
        with mmap.mmap(-1, actor["size"]) as memory:
            for at in range(0, actor["size"], PAGE):
                memory[at] = 1


def scan(actor, folder):
    """Read a file larger than the cache that there is."""
    path = made(folder, actor["name"], actor["size"])
    for _ in bursts(actor):
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def nibble(actor, folder):
    """Now and then a little memory."""
    while True:
        with mmap.mmap(-1, actor["size"]) as memory:
            for at in range(0, actor["size"], PAGE):
                memory[at] = 1
        time.sleep(actor["load"])


def look_up(actor, folder):
    """Read here and there in a file that would fit the cache."""
    with open(made(folder, actor["name"], actor["size"]), "rb", buffering=0) as file:
        while True:
            os.pread(file.fileno(), 1 << 19, random.randrange(actor["size"] >> 19) << 19)
            time.sleep(0.0005)


def read_disk(actor, folder):
    """Read past the cache as fast as it goes."""
    path = made(folder, actor["name"], 64 << 20)
    direct(actor, path, os.O_RDONLY, lambda fd, buffer, at: os.preadv(fd, [buffer], at))


def write_disk(actor, folder):
    """Write past the cache as fast as it goes."""
    path = made(folder, actor["name"], 64 << 20)
    direct(actor, path, os.O_WRONLY, lambda fd, buffer, at: os.pwritev(fd, [buffer], at))


def direct(actor, path, mode, move):
    fd = os.open(path, mode | os.O_DIRECT)
    size = actor["size"]
    buffer = mmap.mmap(-1, size)  # aligned, as O_DIRECT wants it
    for _ in bursts(actor):
        move(fd, buffer, random.randrange((64 << 20) // size) * size)


def note(actor, folder):
    """Now and then a line that has to last."""
    fd = os.open(f"{folder}/{actor['name']}.{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
    while True:
        os.pwrite(fd, b"x" * actor["size"], 0)
        os.fdatasync(fd)
        time.sleep(actor["load"])


def save(actor, folder):
    """Save a page, so many times a second."""
    fd = os.open(f"{folder}/{actor['name']}.{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
    while True:
        os.pwrite(fd, b"x" * actor["size"], 0)
        os.fdatasync(fd)
        time.sleep(0.2 / actor["load"])


def seek(actor, folder):
    """Read a page past the cache, so many times a second."""
    fd = os.open(made(folder, actor["name"], 16 << 20), os.O_RDONLY | os.O_DIRECT)
    buffer = mmap.mmap(-1, PAGE)
    while True:
        os.preadv(fd, [buffer], random.randrange((16 << 20) // PAGE) * PAGE)
        time.sleep(0.02 / actor["load"])


def bursts(actor):
    """For ever; with rests, at the actor's own times."""
    random.seed(actor["name"])
    if not actor["off"]:
        while True:
            yield
    time.sleep(random.uniform(0, actor["off"]))
    while True:
        end = time.monotonic() + actor["on"]
        while time.monotonic() < end:
            yield
        time.sleep(actor["off"])


def made(folder, name, size):
    """A file with something in it."""
    path = f"{folder}/{name}.{os.getpid()}"
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(b"tiffin! " * (1 << 17))
        file.flush()
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path


def main():
    given = json.loads(sys.stdin.readline())
    pids = []
    for actor in given["actors"]:
        for _ in range(actor["processes"]):
            pid = os.fork()
            if pid == 0:
                os.close(0)
                for group in given["groups"][actor["name"]]:
                    with open(f"{group}/cgroup.procs", "w") as file:
                        file.write("0")
                globals()[actor["role"]](actor, given["folder"])
            pids.append(pid)
    print("ready", flush=True)
    sys.stdin.read()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


main()
