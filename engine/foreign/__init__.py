"""Acting on cgroups that are not tiffin's: with consent, on record, and put back on request."""

from engine.foreign.caller import Caller
from engine.foreign.foreign import Foreign

__all__ = ["Caller", "Foreign"]
