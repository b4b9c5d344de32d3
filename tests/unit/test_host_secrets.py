from __future__ import annotations

import pytest

from engine.images import secrets
from engine.images.host import mount_gaps


def test_hashes_are_replaced_and_the_rest_is_kept() -> None:
    shadow = b"root:$y$j9T$abc$def:19000:0:99999:7:::\nbin:*:19000:0:99999:7:::\n"
    shadow += b"empty::1::::::\nlocked:!$6$x$y:1::::::\n"
    assert secrets._without_hashes(shadow) == (
        b"root:*:19000:0:99999:7:::\nbin:*:19000:0:99999:7:::\nempty:*:1::::::\nlocked:*:1::::::\n"
    )
    passwd = b"root:x:0:0:root:/root:/bin/sh\nold:AbCdEf:1:1::/:\n"
    assert secrets._without_hashes(passwd) == b"root:x:0:0:root:/root:/bin/sh\nold:*:1:1::/:\n"


@pytest.mark.parametrize(
    ("text", "private"),
    [
        (b"-----BEGIN PRIVATE KEY-----\n", True),
        (b"# my key\n-----BEGIN RSA PRIVATE KEY-----\n", True),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", True),
        (b"-----BEGIN CERTIFICATE-----\n", False),
        (b"//registry.npmjs.org/:_authToken=npm_x\n", True),
        (b"registry=https://registry.npmjs.org/\n", False),
        (b"extra-index-url = https://user:pass@host/simple\n", True),
        (b"deb https://user:pass@host/debian stable main\n", True),
        (b"deb https://host:8080/debian stable main\n", False),
        (b"; https://user:pass@host/\n", False),
    ],
)
def test_settings_with_secrets_are_known_by_their_text(text: bytes, private: bool) -> None:
    assert bool(secrets.PRIVATE_TEXT.search(text)) is private


def test_mounts_that_are_missing_in_containers_are_told() -> None:
    mountinfo = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw - proc proc rw
23 21 8:2 / /usr ro,relatime shared:2 - ext4 /dev/sda2 ro
24 21 8:3 / /var/lib/my\\040data rw - xfs /dev/sda3 rw
25 21 0:30 / /run rw - tmpfs tmpfs rw
26 21 8:4 / /home rw - ext4 /dev/sda4 rw
27 21 0:44 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
"""
    gaps = mount_gaps(mountinfo)
    assert len(gaps) == 2
    assert gaps[0].startswith("/usr (ext4) is mounted on its own")
    assert gaps[1].startswith("/var/lib/my data (xfs)")
