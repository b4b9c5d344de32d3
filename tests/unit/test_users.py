"""User resolution against passwd and group files, kind and hostile ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest
from engine.launch.users import Identity, resolve

PASSWD = """root:x:0:0:root:/root:/bin/sh
# comment
bob:x:1000:1000:Bob:/home/bob:/bin/sh
1000:x:0:0:evil:/root:/bin/sh
77:x:0:0::/:
nofields
neg:x:-1:0::/:
huge:x:99999999999999999999:0::/:
big:x:4294967295:0::/:
+nis::::::
tab:x:5:6:gecos:relative:
short:x:8:9
"""
GROUP = """root:x:0:
wheel:x:10:root,bob
users:x:100:bob
1000:x:0:
broken:x:abc:bob
negative:x:-5:bob
bob:x:1000:bob
wheel:x:11:bob
"""


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ("", Identity(0, 0, [0, 10], "/root")),
        ("root", Identity(0, 0, [0, 10], "/root")),
        ("bob", Identity(1000, 1000, [1000, 10, 100, 11], "/home/bob")),
        ("1000", Identity(1000, 1000, [1000, 10, 100, 11], "/home/bob")),  # the number, never the name
        ("77", Identity(77, 0, [0], "/")),
        ("4000", Identity(4000, 0, [0], "/")),
        ("0001000", Identity(1000, 1000, [1000, 10, 100, 11], "/home/bob")),
        ("bob:users", Identity(1000, 100, [100], "/home/bob")),
        ("bob:1000", Identity(1000, 1000, [1000], "/home/bob")),
        ("4000:4001", Identity(4000, 4001, [4001], "/")),
        ("tab", Identity(5, 6, [6], "/")),
        ("short", Identity(8, 9, [9], "/")),
        ("bob:", Identity(1000, 1000, [1000, 10, 100, 11], "/home/bob")),
    ],
)
def test_resolve(user: str, identity: Identity) -> None:
    assert resolve(user, PASSWD, GROUP) == identity


@pytest.mark.parametrize(
    "user",
    [
        *("nobody", "neg", "huge", "big", "nofields", "# comment", "2147483648", "9" * 5000),
        *("-1", "+1", " 0", "²", "0x0", "bob:nogroup", "bob:4294967295", "bob:-1", "bob:broken"),
    ],
)
def test_refused(user: str) -> None:
    with pytest.raises(BadRequest, match=r"^user: "):
        resolve(user, PASSWD, GROUP)


def test_without_files() -> None:
    assert resolve("", "", "") == Identity(0, 0, [0], "/")
    assert resolve("12:34", "", "") == Identity(12, 34, [34], "/")


@given(st.text(), st.text(), st.text(alphabet="ab01:\n,x-"))
def test_noise_never_escapes_as_another_error(user: str, passwd: str, group: str) -> None:
    for text in (passwd, group):
        try:
            identity = resolve(user, text, group)
        except BadRequest:
            continue
        assert 0 <= identity.uid < 2**31
        assert 0 <= identity.gid < 2**31


@given(st.integers(0, 2**31 - 1), st.text(alphabet="ab01:\n,x-"))
def test_a_number_is_always_that_user(uid: int, passwd: str) -> None:
    assert resolve(str(uid), passwd, "").uid == uid
