"""The images on the deck: what is listed, why one would be refused, and long work behind other screens."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import msgspec
import pytest
from deck import Deck, deck
from scripted import T0, some

from engine.errors import EngineUnavailable, NotFound
from engine.model import (
    DiskUse,
    HistoryStep,
    ImageCheck,
    ImageSummary,
    ImageUse,
    Packaged,
    Pruned,
    Transfer,
    TransferPart,
)
from tui.deck.images.about import tidy_command, wrapped
from tui.deck.jobs.job import Job, Part
from tui.deck.screens.images import ImagesScreen
from tui.deck.screens.job import JobScreen
from tui.deck.screens.main import MainScreen
from tui.deck.screens.new import NewScreen

MiB = 1 << 20
DEBIAN = ImageSummary(
    id="sha256:deb", names=["debian:12"], created_at=T0 - 86400 * 3, size=120 * MiB, layers=["sha256:l1"], os="linux",
    architecture="amd64",
)  # fmt: skip
WEB = ImageSummary(
    id="sha256:web", names=["registry.lan:5000/web:3", "web:latest"], created_at=T0 - 3600, size=150 * MiB,
    layers=["sha256:l1", "sha256:l2"], os="linux", architecture="amd64",
)  # fmt: skip
FUTURE = ImageSummary(id="sha256:fut", names=["future:9"], created_at=T0 - 60, size=MiB, layers=["sha256:l3"])
HOST = ImageSummary(id="host", names=["host"], created_at=0, size=0)
REASON = "its C library needs Linux 9.1, and this is Linux 6.18"


def check(image: ImageSummary, verdict: str = "fits", reason: str = "", **packaged: str) -> ImageCheck:
    """What the engine found out about one image."""
    return ImageCheck(
        id=image.id, names=image.names, os="linux", architecture="amd64", verdict=verdict,  # type: ignore[arg-type]
        packaged=Packaged(**packaged), reason=reason, remedy="run it on a newer kernel" if reason else "",  # type: ignore[arg-type]
        running_kernel="6.18",
    )  # fmt: skip


class Pulling:
    """A pull that goes on when the test says so."""

    def __init__(self) -> None:
        self.steps: queue.Queue[Transfer | None] = queue.Queue()
        self.closed = False

    def __enter__(self) -> Pulling:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Transfer]:
        while (step := self.steps.get()) is not None:
            yield step
        if self.closed:
            raise EngineUnavailable("the engine went away", "")

    def close(self) -> None:
        self.closed = True
        self.steps.put(None)


class Store:
    """What the engine has, for one deck."""

    def __init__(self, it: Deck, images: list[ImageSummary]) -> None:
        self.images = images
        self.pulls: list[Pulling] = []
        fake = it.link.fake
        found = {
            DEBIAN.id: check(
                DEBIAN, distribution="Debian 12", libc="glibc", libc_version="2.36", kernel="3.2.0"
            ),
            WEB.id: check(WEB, distribution="Debian 12", libc="glibc", libc_version="2.36", kernel="3.2.0"),
            FUTURE.id: check(
                FUTURE, "refused", REASON, distribution="Future 9", libc="glibc", kernel="9.1.0"
            ),
            HOST.id: check(HOST, distribution="Debian 13", libc="glibc", libc_version="2.41", kernel="3.2.0"),
        }
        fake.images = lambda: self.images
        fake.images_check = lambda id: [found[id]]
        fake.disk_use = lambda: DiskUse(
            images=[ImageUse(id=WEB.id, names=WEB.names, size=150 * MiB, own=30 * MiB, shared=120 * MiB)],
            containers=[], volumes=[], layers=151 * MiB, blobs=60 * MiB, reclaimable=30 * MiB,
        )  # fmt: skip
        fake.image_history = lambda id: [
            HistoryStep(T0, command="/bin/sh -c #(nop)  CMD [\"web\"]"),
            HistoryStep(T0, command="RUN /bin/sh -c make # buildkit", layer="sha256:l2", blob="b", size=30 * MiB),
            HistoryStep(T0, "bootstrap", layer="sha256:l1", blob="a", size=120 * MiB, shared_with=["debian:12"]),
        ]  # fmt: skip

        def pull(name: str, login: object = None) -> Pulling:
            fake.calls.append(("pull", name))
            self.pulls.append(Pulling())
            return self.pulls[-1]

        def prune(**how: bool) -> Pruned:
            fake.calls.append(("prune", how))
            return Pruned(images=["future:9"], reclaimed=MiB)

        fake.image_pull, fake.prune = pull, prune


async def images_of(it: Deck, images: list[ImageSummary] | None = None) -> Store:
    """Open the screen."""
    store = Store(it, [DEBIAN, WEB, FUTURE, HOST] if images is None else images)
    await it.press("o")
    await it.until(lambda: isinstance(it.app.screen, ImagesScreen))
    await it.until(lambda: all(image.id in it.app.checks for image in store.images))
    await it.pilot.pause()
    return store


def moving(done: int, state: str = "moving") -> Transfer:
    """A pull of one layer of 40 MiB, so far."""
    part = TransferPart(digest="sha256:feedbeef", size=40 * MiB, done=done, rate=8.0 * MiB, state=state)  # type: ignore[arg-type]
    return Transfer(verb="pull", name="debian:13", parts=[part])


def users() -> list:  # type: ignore[type-arg]
    """The usual containers, one of them from an image that is here."""
    return [
        (msgspec.structs.replace(one, image_id=DEBIAN.id) if one.name == "web" else one, sample)
        for one, sample in some()
    ]


class TestList:
    async def test_each_image_with_what_it_is_and_who_uses_it(self, tmp_path) -> None:
        async with deck(tmp_path, users()) as it:
            await images_of(it)
            line = it.line("debian:12 ")
            for part in ("Debian 12", "glibc 2.36", "≥ 3.2.0", "runs here", "120M", "3d", "1 web"):
                assert part in line
            assert "151M unpacked, 60M packed · 30M in no use" in it.text()

    async def test_a_refused_image_says_why_and_what_to_do(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await images_of(it)
            assert "✕ refused" in it.line("future:9")
            await it.press("j")
            await it.until(lambda: "its C library needs Linux" in it.text())
            assert "→ run it on a newer kernel" in " ".join(it.text().split())

    async def test_layers_have_their_commands_and_who_shares_them(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await images_of(it)
            await it.until(lambda: "RUN make" in it.text())
            lines = it.text().splitlines()
            first = next(n for n, line in enumerate(lines) if "bootstrap" in line)
            assert "1  120M ≡ bootstrap  with debian:12" in lines[first]
            assert "2   30M   RUN make" in lines[first + 1]
            assert 'CMD ["web"]' in lines[first + 2]

    async def test_it_is_filtered_and_sorted(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await images_of(it)
            await it.press("slash", *"refused", "enter")
            assert "future:9" in it.text()
            assert "1 match" in it.text()
            await it.press("escape")
            await it.pilot.click(offset=(it.line("NAME").index("SIZE") + 1, 1))
            await it.pilot.pause()
            names = [line.split()[0] for line in it.text().replace("▌", "").splitlines()[2:7]]
            assert names[0] in ("web", "registry.lan:5000/web:3")

    async def test_nothing_stored_says_what_to_do(self, tmp_path) -> None:
        async with deck(tmp_path, size=(80, 24)) as it:
            await images_of(it, [HOST])
            assert "none stored yet · p pulls one" in it.text()

    async def test_an_engine_that_does_not_answer_is_said(self, tmp_path) -> None:
        async with deck(tmp_path) as it:

            def fails() -> None:
                raise EngineUnavailable("no engine answers", "start one")

            it.link.fake.images = fails
            await it.press("o")
            await it.until(lambda: "no engine answers; start one" in it.text())

    async def test_run_from_here_opens_the_form_with_the_image(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await images_of(it)
            await it.press("n")
            await it.until(lambda: isinstance(it.app.screen, NewScreen))
            assert it.app.screen.query_one("#image").value == "debian:12"
            assert it.app.screen.query_one("#command").value == ""

    async def test_the_form_says_that_an_image_is_refused(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            Store(it, [FUTURE, HOST])
            await it.press("n")
            await it.until(lambda: "✕ future:9" in it.text())
            await it.press("right")
            await it.until(lambda: REASON in " ".join(it.text().split()))


class TestDoing:
    async def test_a_name_is_removed_after_a_question(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await images_of(it)
            await it.press("d")
            assert "Remove debian:12 and its 120M?" in it.text()
            await it.press("y")
            await it.until(lambda: it.calls("image_remove") == [("debian:12",)])

    async def test_one_in_use_is_not_removed(self, tmp_path) -> None:
        async with deck(tmp_path, users()) as it:
            await images_of(it)
            await it.press("d")
            assert isinstance(it.app.screen, ImagesScreen)
            assert any("in use by web" in notice for notice in it.notices)

    async def test_cleaning_up_says_what_it_frees_before_it_does(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await images_of(it)
            await it.press("c")
            await it.until(lambda: "This frees 1.0M." in it.text())
            assert it.calls("prune") == [({"all_images": True, "dry": True},)]
            await it.press("y")
            await it.until(lambda: len(it.calls("prune")) == 2)
            assert it.calls("prune")[1] == ({"all_images": True},)

    @pytest.mark.parametrize("key", ["p", "d", "t", "c", "b", "l", "P", "n"])
    async def test_read_only_changes_nothing(self, tmp_path, key) -> None:
        async with deck(tmp_path, read_only=True) as it:
            await images_of(it)
            await it.press(key)
            assert isinstance(it.app.screen, ImagesScreen)
            assert any("read-only" in notice for notice in it.notices)


class TestPull:
    async def test_it_goes_on_behind_other_screens_and_says_when_it_is_done(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            store = await images_of(it)
            await it.press("p", *"debian:13", "enter")
            await it.until(lambda: store.pulls)
            (pulling,) = store.pulls
            pulling.steps.put(moving(10 * MiB))
            await it.until(lambda: "8.0M/s" in it.text())
            assert "10M / 40M" in it.line("feedbeef")
            await it.press("escape")
            assert isinstance(it.app.screen, MainScreen)
            made = ImageSummary(id="sha256:new", names=["debian:13"], created_at=T0, size=90 * MiB)
            last = msgspec.structs.replace(moving(40 * MiB, "done"), finished=True, images=[made])
            pulling.steps.put(last)
            pulling.steps.put(None)
            await it.until(lambda: any("debian:13 is here: 40M came" in notice for notice in it.notices))

    async def test_it_is_cancelled_while_nothing_comes(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            store = await images_of(it)
            await it.press("p", *"debian:13", "enter")
            await it.until(lambda: store.pulls)
            store.pulls[0].steps.put(moving(MiB))
            await it.until(lambda: "feedbeef" in it.text())
            await it.press("tab")
            await it.until(lambda: "cancel" in it.text())
            await it.press("x")
            await it.until(lambda: "cancelled" in it.text())
            assert store.pulls[0].closed

    async def test_several_at_once_each_with_its_bar(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            store = await images_of(it)
            for name in ("one:1", "two:2"):
                await it.press("p", *name, "enter")
            await it.until(lambda: len(store.pulls) == 2)
            for pulling in store.pulls:
                pulling.steps.put(moving(20 * MiB))
            await it.until(
                lambda: "20M / 40M" in it.line("pull one:1") and "20M / 40M" in it.line("pull two:2")
            )
            for pulling in store.pulls:
                pulling.close()

    async def test_a_refusal_is_one_sentence(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            await images_of(it)

            def refuses(name: str, login: object = None) -> None:
                raise NotFound(f"there is no {name} at its registry", "check the name")

            it.link.fake.image_pull = refuses
            await it.press("p", *"nix:1", "enter")
            await it.until(lambda: "there is no nix:1 at its registry; check the name" in it.text())

    async def test_a_flood_of_progress_does_not_hold_up_the_screen(self, tmp_path) -> None:
        async with deck(tmp_path) as it:
            store = await images_of(it)
            await it.press("p", *"debian:13", "enter")
            await it.until(lambda: store.pulls)
            for n in range(20_000):
                store.pulls[0].steps.put(moving(n * 1000))
            drawn = it.app.screen.job_pane._line
            count = 0

            def counting(*args: object) -> object:
                nonlocal count
                count += 1
                return drawn(*args)  # type: ignore[arg-type]

            it.app.screen.job_pane._line = counting
            await it.press("j")
            await it.until(lambda: "19M / 40M" in it.text())
            assert count < 2_000  # rows: a few looks a second, however much was told
            store.pulls[0].close()


class TestJob:
    async def test_all_of_it_on_a_screen_that_follows(self, tmp_path) -> None:
        async with deck(tmp_path, size=(80, 24)) as it:
            await images_of(it)
            release: queue.Queue[None] = queue.Queue()

            def work(job: Job) -> str:
                job.show(
                    [
                        Part("1/2 FROM debian:12", status="cached", finished=True),
                        Part("2/2 RUN make", status="runs"),
                    ]
                )
                for n in range(100):
                    job.write(f"  compiling part {n}")
                release.get()
                return "web:4 is built"

            job = it.app.jobs.start("build", "web:4", work)
            it.app.screen.open_job(job.id)
            await it.until(lambda: "compiling part 99" in it.text())
            assert isinstance(it.app.screen, JobScreen)
            assert "✓ cached" in it.line("1/2 FROM")
            release.put(None)
            await it.until(lambda: "web:4 is built" in it.text())
            await it.press("escape")
            assert isinstance(it.app.screen, ImagesScreen)

    def test_output_is_bounded(self) -> None:
        job = Job(1, "build", "web")
        for n in range(6_000):
            job.write(str(n))
        assert len(job.output()) == 5_000
        assert job.view().lines == 6_000


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("COPY . /app # buildkit", "COPY . /app"),
    ],
)
def test_commands_read_as_in_a_containerfile(said: str, shown: str) -> None:
    assert tidy_command(said) == shown


def test_long_facts_are_broken_at_blanks_and_only_then_within_words() -> None:
    assert wrapped("a bb ccc", 4) == ["a bb", "ccc"]
    assert wrapped("abcdefgh", 3) == ["abc", "def", "gh"]
    assert wrapped("", 3) == [""]
