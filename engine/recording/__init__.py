"""Recordings: what a live view would have drawn, tick by tick, in a file; written while it happens, read later.

The format is told in docs/recording.md. Front ends read recordings through this package as the engine does.
"""

from engine.recording.frame import Frame as Frame
from engine.recording.minute import Minute as Minute
from engine.recording.minute import Worst as Worst
from engine.recording.reader import Recording as Recording
from engine.recording.taker import Taker as Taker
from engine.recording.writer import Writer as Writer
