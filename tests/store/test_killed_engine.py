"""The engine is killed at seeded random moments of what changes the store: the next one finds it whole."""

from __future__ import annotations

import os
import random
import select
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command import PATIENCE, Tiffin
from images_made import entry, tar
from roots import busybox_tar

from engine.client import EngineClient
from engine.errors import EngineUnavailable
from engine.instance import Instance
from engine.kernel.inotify import IN_CLOSE_WRITE, IN_CREATE, IN_MODIFY, IN_MOVED_TO, Queue
from engine.model import ContainerConfig

pytestmark = pytest.mark.system

MOMENTS = 3  # for each verb, one in each third of what it does
STEPS = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO
FOLDERS = ("images", "images/blobs/sha256", "layers")
FILES = 400
MAKE = f"mkdir /made; i=0; while [ $i -lt {FILES} ]; do i=$((i+1)); echo $i > /made/$i; done"
NAME, BESIDE, HOST = "changing:latest", "beside:latest", "host:latest"


class Store:
    """The store of an instance: `beside` stays in it, `changing` comes by one verb and goes."""

    def __init__(self, instance: Instance, folder: Path, verb: str) -> None:
        self._state, self._verb, self._root = instance.state, verb, folder / "changing.tar"
        self._client = client = EngineClient.connect(instance)
        files = (entry(f"usr/{n}", random.Random(n).randbytes(60 * n)) for n in range(FILES))
        self._root.write_bytes(tar(entry("usr"), *files))
        beside = folder / "beside.tar"
        beside.write_bytes(busybox_tar())
        client.image_import(beside, BESIDE)
        if verb == "commit":
            id = client.run(ContainerConfig(image=BESIDE, command=["sh", "-c", MAKE]), "worker")
            assert client.wait(id).exit_code == 0
        elif verb == "load":
            client.image_import(self._root, NAME)
            self._archive = b"".join(client.image_save([NAME]))
            self.take()

    def bring(self) -> None:
        """Make the image `changing`."""
        if self._verb == "commit":
            self._client.commit("worker", NAME)
        elif self._verb == "load":
            list(self._client.image_load([self._archive]))
        else:
            self._client.image_import(self._root, NAME)

    def take(self) -> None:
        """Remove the image `changing`."""
        self._client.image_remove(NAME)

    def names(self) -> list[str]:
        """Names of all images that are stored, which `host` is not."""
        return sorted(name for image in self._client.images() for name in image.names if name != HOST)

    def layers(self) -> dict[str, int]:
        """How many files each unpacked layer has, by its name."""
        layers = (path for path in (self._state / "layers").iterdir() if path.is_dir())
        return {path.name: sum(1 for _ in path.rglob("*")) for path in layers}

    def half_made(self) -> list[str]:
        """What is under a temporary name, wherever the engine keeps something of its own."""
        found = (
            path
            for folder in ("", "downloads", "containers", *FOLDERS)
            for path in (self._state / folder).glob("*")
        )
        return [str(path) for path in found if path.name.startswith(".") or path.suffix == ".tmp"]

    def steps(
        self, change: Callable[[], None], kill_at: int = 0, later: float = 0.0
    ) -> tuple[int, bool, float]:
        """How many things `change` was seen to do in the store's folders, whether it was told to be done, and how
        many seconds passed from the first of those things to its end.

        Where it does so many, the engine is killed at that one, `later` seconds after it: the delay is the
        experiment, stands for no event, and no length of it is wrong.
        """
        engine = next(process.pid for process in self._client.status().processes if process.role == "engine")
        seen, killed, first = 0, False, 0.0
        done: list[bool] = []
        reader, writer = os.pipe()

        def begin() -> None:
            try:
                change()
                done.append(True)
            except EngineUnavailable:
                done.append(False)
            finally:
                os.close(writer)

        queue, thread, pidfd = Queue(), threading.Thread(target=begin), os.pidfd_open(engine)
        try:
            for folder in FOLDERS:
                queue.add(str(self._state / folder), STEPS)
            thread.start()
            while reader not in (ready := select.select([reader, queue.fileno()], [], [], PATIENCE)[0]):
                assert ready, "it neither ends nor does anything"
                seen += len(queue.happened())
                first = first or time.monotonic()
                if kill_at and seen >= kill_at and not killed:
                    killed = True
                    thread.join(later)
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    assert select.select([pidfd], [], [], PATIENCE)[0], "the killed engine does not end"
            thread.join()
        finally:
            queue.close()
            for fd in (reader, pidfd):
                os.close(fd)
        return seen, done == [True], time.monotonic() - first


@pytest.mark.timeout(180)  # it starts engines and commands all the time, which a busy machine makes long
@pytest.mark.parametrize("verb", ["import", "load", "commit", "rmi"])
def test_the_store_is_whole_after_a_kill_in_the_middle_of(
    verb: str, instance: Instance, tmp_path: Path
) -> None:
    store, tiffin = Store(instance, tmp_path, verb), Tiffin(tmp_path / "tiffin")
    change, undo = (store.take, store.bring) if verb == "rmi" else (store.bring, store.take)
    without = store.layers()
    store.bring()
    whole = store.layers()
    if verb != "rmi":
        store.take()
    steps, _, took = store.steps(change)
    pace = took / steps  # what is done between two steps is not seen
    undo()
    seeded, interrupted = random.Random(verb), 0
    for number in range(MOMENTS):
        step = max(1, int(steps * (number + seeded.random()) / MOMENTS))
        later = seeded.uniform(0, pace)
        _, done, _ = store.steps(change, step, later)
        told = f"killed {later:.4f} s after step {step} of {steps}, done={done}"
        assert "whole" in tiffin("images", "--verify"), told  # by the next engine, which this starts
        assert store.half_made() == [], told
        there = NAME in store.names()
        assert store.names() == ([BESIDE, NAME] if there else [BESIDE]), told
        assert store.layers() == (whole if there else without), told
        changed = there == (verb != "rmi")
        assert changed or not done, f"{told}: what was done is undone"
        if changed:
            undo()
        interrupted += not done
    assert interrupted, "every kill came too late: nothing was tested"
    change()
    assert store.layers() == (without if verb == "rmi" else whole)
