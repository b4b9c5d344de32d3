"""The README's pictures: real containers on an engine of their own, seen through the deck.

Needs root, python3 (in the containers, which are made of this machine), rsvg-convert and the DejaVu fonts.
Writes NAME.png beside this file; takes about a minute, because the history lines are real too.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from benchmarks import namespaces
from engine.client import EngineClient
from engine.instance import Instance, find
from engine.model import ContainerConfig, Limits, LimitsChange, Mount, Publish, ScenarioAsk
from tui.deck.app import DeckApp
from tui.deck.screens.demo import DemoScreen
from tui.deck.screens.details import DetailsScreen

HERE = Path(__file__).parent
WIDE, NARROW = (120, 36), (80, 24)
WIDTH = 1200  # pixels of a wide picture
CELL = 12.2  # width of a character cell in what Textual exports
ADVANCE = 1233 / 2048  # of DejaVu Sans Mono, in units of its size
PATIENCE = 30.0  # seconds
PORT = 8080
DEMOS = ("cpu", "network")
MiB = 1 << 20

WORD = """
import time
text = "the quick brown fox jumps over the lazy dog".split()
worst, n = 0.0, 0
while True:
    began = time.perf_counter()
    while time.perf_counter() - began < 0.002: pass
    time.sleep(0.018)
    worst, n = max(worst, time.perf_counter() - began - 0.020), n + 1
    if n % 50 == 0:
        print(f"typed {n} keys: {text[n // 50 % len(text)]}, slowest {worst * 1e3:.1f} ms", flush=True)
        worst = 0.0
"""
SETUP = """
import os, time
for _ in range(3): os.fork() or all(True for _ in iter(int, 1))
n = 0
while True:
    n += 1
    print(f"unpacking part {n} of 400", flush=True)
    with open("/var/tmp/part", "wb") as part:
        for _ in range(24): part.write(os.urandom(1 << 20))
        os.fsync(part.fileno())
    time.sleep(1)
"""
HUNGRY = "rows = [bytearray(1 << 20) for _ in range(200)]; import time; time.sleep(60)"
WRECK = (
    "echo 'umask 000' >> /etc/profile; rm /etc/os-release; mkdir -p /opt/setup;"
    "for part in 1 2 3; do head -c 40000 /dev/urandom > /opt/setup/part$part; done; sleep 1000"
)
COUNTING = 'echo "copied 4 812 files to the archive"; exit 0'


def populate(client: EngineClient, folder: Path) -> None:
    """The demo's containers; `folder` takes the programs."""

    def program(name: str, text: str, limits: Limits) -> None:
        (folder / f"{name}.py").write_text(text)
        mounts = [Mount(type="bind", source=str(folder), target="/app", read_only=True)]
        command = ["python3", f"/app/{name}.py"]
        client.run(ContainerConfig(image="host", command=command, mounts=mounts, limits=limits), name)

    run = client.run
    program("word", WORD, Limits(cpus=1, memory=64 * MiB))
    program("setup", SETUP, Limits(memory=512 * MiB, pids=50))
    web = ContainerConfig(
        image="host",
        command=["python3", "-u", "-m", "http.server", "80", "--directory", "/usr/share/common-licenses"],
        publish=[Publish(container_port=80, host_port=PORT)],
        limits=Limits(cpus=0.5, memory=128 * MiB),
    )
    run(web, "web")
    program("db", HUNGRY, Limits(memory=64 * MiB))
    run(ContainerConfig(image="host", command=["sh", "-c", COUNTING]), "nightly")
    run(ContainerConfig(image="host", command=["sleep", "1000"]), "spare")
    client.pause("spare")


def visit(stop: threading.Event) -> None:
    """Ask the web server for something, often; it may still be starting."""
    while not stop.wait(0.05):
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/GPL-3", timeout=PATIENCE) as answer,
        ):
            answer.read()


@asynccontextmanager
async def deck(instance: Instance, size: tuple[int, int], theme: str = "dark") -> AsyncIterator[Pilot[int]]:
    """The deck with its first snapshot drawn."""
    app = DeckApp(instance, theme_name=theme)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.store.snapshot)
        await pilot.pause(2.0)  # the last lines of output follow
        yield pilot


async def until(pilot: Pilot[int], true: Callable[[], object]) -> None:
    """Wait for what a thread brings about."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise RuntimeError("the deck did not come to show what was waited for")
        await pilot.pause(0.05)


def save(pilot: Pilot[int], name: str) -> None:
    """Draw the screen as it is now into NAME.png."""
    svg = pilot.app.export_screenshot(title="tiffin")
    svg = re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono")
    # librsvg knows no textLength, so the font has to be as wide as the cells, and it drops leading blanks.
    svg = svg.replace("font-size: 20px", f"font-size: {CELL / ADVANCE:.3f}px")
    svg = svg.replace("<text ", '<text xml:space="preserve" ')
    width = WIDTH if pilot.app.size.width >= WIDE[0] else WIDTH * NARROW[0] // WIDE[0]
    words = ["rsvg-convert", "--width", str(width), "--output", str(HERE / f"{name}.png")]
    subprocess.run(words, input=svg.encode(), check=True)


async def choose(pilot: Pilot[int], name: str) -> None:
    """Put the selection on a container."""
    app = pilot.app
    assert isinstance(app, DeckApp)
    await pilot.press("g")
    for _ in app.store.containers:
        current = app.store.containers.get(app.selection.current)
        if current and current.name == name:
            return
        await pilot.press("j")


async def shoot(instance: Instance) -> None:
    """All pictures."""
    async with deck(instance, WIDE) as pilot:
        await choose(pilot, "setup")
        await pilot.pause(1.2)
        save(pilot, "panes")
        await pilot.press("L")
        await pilot.pause(1.5)
        save(pilot, "limits")
        await pilot.press("escape", "enter")
        await pilot.pause(2.0)
        save(pilot, "details")
    await changes(instance)
    async with deck(instance, WIDE, "light") as pilot:
        await pilot.press("v")
        await pilot.pause(1.2)
        save(pilot, "table")
    async with deck(instance, NARROW) as pilot:
        await pilot.press("1")
        await choose(pilot, "setup")
        await pilot.pause(1.2)
        save(pilot, "narrow")


async def changes(instance: Instance) -> None:
    """What an installer did to its own copy of the machine's settings."""
    client = EngineClient(instance)
    installer = client.run(ContainerConfig(image="host", command=["sh", "-c", WRECK]), "installer")
    async with deck(instance, WIDE) as pilot:
        await until(pilot, lambda: any(change.path.endswith("part3") for change in client.diff(installer)))
        app = pilot.app
        assert isinstance(app, DeckApp)
        app.push_screen(DetailsScreen(app.link, app.store, installer, "changes"))
        await pilot.pause(2.0)
        for _ in range(30):
            if "/etc/profile" in seen(pilot):
                break
            await pilot.press("j")
            await pilot.pause(0.3)
        save(pilot, "changes")
    client.remove(installer, force=True)


async def accuse(instance: Instance) -> None:
    """Who makes word wait, once setup may take what it wants."""
    async with deck(instance, WIDE) as pilot:
        app = pilot.app
        assert isinstance(app, DeckApp)
        await choose(pilot, "word")
        await pilot.press("x")
        await pilot.pause(3.0)
        save(pilot, "suspects")


def seen(pilot: Pilot[int]) -> str:
    """The text on the screen."""
    return pilot.app.export_screenshot(simplify=True).replace("&#160;", " ")


async def play(instance: Instance, demo: str) -> None:
    """One demo to its end, as it is seen then."""
    app = DeckApp(instance, theme_name="dark", opening=lambda link: DemoScreen(link, demo, ScenarioAsk()))
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        for _ in range(3):  # a run takes as long as a third of this patience, and preparing it some more
            with contextlib.suppress(RuntimeError):
                await until(pilot, lambda: app.demo_run and app.demo_run.state == "done")
        assert app.demo_run
        assert app.demo_run.state == "done", app.demo_run.error
        save(pilot, f"demo-{demo}")


def main() -> None:
    """Start the containers, let a minute of history come about, take the pictures, remove everything."""
    namespaces.enter()
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="tiffin-shots-") as folder:
        client = EngineClient.connect(find(Path(folder, "tiffin")))
        programs = Path(folder, "app")
        programs.mkdir()
        visitor = threading.Thread(target=visit, args=(stop,))
        try:
            populate(client, programs)
            visitor.start()
            for seconds, cpus in ((35, 1.0), (15, 0.5), (8, 0.5)):
                time.sleep(seconds)
                client.update("setup", LimitsChange(cpus=cpus))
            asyncio.run(shoot(client.instance))
            client.update("setup", LimitsChange(cpus=None, cpu_weight=1000))
            time.sleep(60)
            asyncio.run(accuse(client.instance))
            stop.set()
            remove_all(client)  # demos measure, so nothing else may run
            for demo in DEMOS:
                asyncio.run(play(client.instance, demo))
        finally:
            stop.set()
            remove_all(client)
            client.shutdown()


def remove_all(client: EngineClient) -> None:
    """Every container."""
    for container in client.containers():
        client.remove(container.id, force=True)


if __name__ == "__main__":
    main()
