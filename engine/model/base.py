"""What all nouns are made of."""

from __future__ import annotations

from typing import Any

import msgspec

JSON = dict[str, Any]


class Noun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the nouns; fields that hold their default are left out of JSON."""
