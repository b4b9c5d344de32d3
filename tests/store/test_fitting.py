"""Which images run on this machine, judged by what is in them."""

from __future__ import annotations

import io
import os
import struct
import tarfile
from pathlib import Path

import pytest
from images_made import entry, put, tar

from engine.errors import Unsupported
from engine.images import Images
from engine.images.fitting import LEAST_KERNEL, Fitting
from tui.presentation import checks

pytestmark = pytest.mark.system

NOTE = struct.pack("III4sI", 4, 16, 1, b"GNU\0", 0)  # .note.ABI-tag, up to the version


def needing(library: bytes, *version: int) -> bytes:
    """The same ELF file with another least kernel in its ABI note."""
    at = library.index(NOTE) + len(NOTE)
    return library[:at] + struct.pack("III", *version) + library[at + 12 :]


def debian_files(archive: Path) -> dict[str, bytes]:
    """The shell, the C library, its loader and os-release of a real Debian root."""
    wanted = ("bin/dash", "libc.so.6", "ld-linux-x86-64.so.2", "usr/lib/os-release")
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as root:
        for member in root:
            if member.isreg() and member.name.endswith(wanted):
                file = root.extractfile(member)
                assert file is not None
                found[member.name.rpartition("/")[2]] = file.read()
    return found


def debian(files: dict[str, bytes]) -> bytes:
    """They alone, where Debian has them."""
    link = {"type": tarfile.SYMTYPE, "linkname": "usr/lib64"}
    return tar(
        entry("lib64", b"", **link),
        entry("bin", b"", type=tarfile.SYMTYPE, linkname="usr/bin"),
        entry("usr/bin/dash", files["dash"], mode=0o755),
        entry("usr/bin/sh", b"", type=tarfile.SYMTYPE, linkname="dash"),
        entry("usr/lib64/ld-linux-x86-64.so.2", files["ld-linux-x86-64.so.2"], mode=0o755),
        entry("usr/lib/x86_64-linux-gnu/libc.so.6", files["libc.so.6"], mode=0o755),
        entry("usr/lib/os-release", files["os-release"]),
        entry("etc/os-release", b"", type=tarfile.SYMTYPE, linkname="../usr/lib/os-release"),
    )


async def test_a_c_library_that_needs_a_newer_kernel_is_refused(images: Images, debian12: Path) -> None:
    files = debian_files(debian12)
    fits = await put(images, [debian(files)], "now")
    newer = {**files, "libc.so.6": needing(files["libc.so.6"], 99, 1, 0)}
    await put(images, [debian(newer)], "newer")
    # A later layer may bring another library: what is seen in the end counts.
    upgrade = tar(entry("usr/lib/x86_64-linux-gnu/libc.so.6", newer["libc.so.6"]))
    upgraded = await put(images, [debian(files), upgrade], "upgraded")
    found = {check.names[0]: check for check in await images.check()}
    good = found["now:latest"].packaged
    assert (good.libc, good.libc_version, good.kernel) == ("glibc", "2.36", "3.2.0")
    assert (good.distribution_id, good.distribution_version, good.machine) == ("debian", "12", "amd64")
    assert found["now:latest"].verdict == "fits"
    for name in ("newer:latest", "upgraded:latest"):
        assert found[name].verdict == "refused"
        assert found[name].packaged.kernel == "99.1.0"
        assert "needs Linux 99.1.0 or later (glibc 2.36" in found[name].reason
        assert os.uname().release in found[name].reason
        assert "newer kernel" in found[name].remedy
    await images.lower(fits)
    with pytest.raises(Unsupported, match=r"running upgraded:latest: it needs Linux 99\.1\.0"):
        await images.lower(upgraded)
    report = "\n".join(checks.report(list(found.values()), colour=False))
    assert "✕ newer:latest" in report
    assert "≥ 99.1.0" in report


async def test_an_old_kernel_refuses_what_is_new_to_it(images: Images, debian12: Path) -> None:
    await put(images, [debian(debian_files(debian12))], "now")
    images.fitting = Fitting(images._layers, "3.1.9-old")
    [check] = await images.check("now")
    assert check.verdict == "refused"
    assert "this machine runs 3.1.9-old" in check.reason


@pytest.mark.parametrize("where", ["label", "annotation"])
async def test_a_label_or_annotation_states_the_least_kernel(images: Images, where: str) -> None:
    from engine.images import oci

    words = {LEAST_KERNEL: "98.7"}
    more: dict[str, object] = (
        {"config": oci.Execution(labels=words)} if where == "label" else {"annotations": words}
    )
    await put(images, [tar(entry("x", b"x"))], "stated", **more)  # type: ignore[arg-type]
    [check] = await images.check("stated")
    assert (check.verdict, "98.7" in check.reason) == ("refused", True)


async def test_what_is_not_stated_is_not_guessed(images: Images) -> None:
    await put(images, [tar(entry("data", b"no program at all"))], "data")
    [check] = await images.check("data")
    assert (check.verdict, check.packaged.kernel, check.packaged.libc) == ("fits", "", "")
    assert checks.kernel(check) == "not stated"


@pytest.mark.parametrize(
    ("os_name", "cpu", "why"), [("windows", "amd64", "virtual machine"), ("linux", "s390x", "no emulator")]
)
async def test_other_systems_and_cpus_are_refused_unopened(
    images: Images, tmp_path: Path, os_name: str, cpu: str, why: str
) -> None:
    await put(images, [tar(entry("x", b"x"))], "other", os=os_name, architecture=cpu)
    [check] = await images.check("other")
    assert check.verdict == "refused"
    assert why in check.reason + check.remedy
    assert os.listdir(tmp_path / "root/state/layers") == []


HOSTILE = {
    "release without end": entry("etc/os-release", b'PRETTY_NAME="' + b"x" * 200_000),
    "release with controls": entry("etc/os-release", b'PRETTY_NAME="\x1b[2Jevil\x07"\nID=a'),
    "release is a pipe": entry("etc/os-release", b"", type=tarfile.FIFOTYPE),
    "release leads out": entry(
        "etc/os-release", b"", type=tarfile.SYMTYPE, linkname="/../../../etc/os-release"
    ),
    "endless headers": entry("bin/sh", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0" + b"\xff" * 200),
    "cut header": entry("bin/sh", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0"),
    "links in a circle": entry("bin/sh", b"", type=tarfile.SYMTYPE, linkname="sh"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_hostile_files_say_nothing(images: Images, case: str) -> None:
    await put(images, [tar(HOSTILE[case])], "hostile")
    [check] = await images.check("hostile")
    assert check.verdict == "fits"
    assert check.packaged.kernel == ""
    assert check.packaged.distribution.isprintable()
    assert len(check.packaged.distribution) <= 120


def test_the_note_is_where_this_test_believes_it_is() -> None:
    library = Path("/lib/x86_64-linux-gnu/libc.so.6").resolve().read_bytes()
    assert io.BytesIO(needing(library, 99, 0, 0)).getbuffer().nbytes == len(library)
