"""Pure formatting shared by the command line and the deck, and its inverse: reading what a person typed.

    quantities  bytes, rates, cores, shares, counts → short text of a bounded width
    times       durations and moments → text
    states      a container's state → glyph, tone, words
    text        cell widths, clipping, plain tables, control characters made harmless
    entry       typed text → sizes, durations, cores, signals …; refuses with one sentence and a remedy
    options     the same for compound words: ports, mounts, ulimits, restart policies …

Nothing here does any I/O or imports a user interface library at import time.
"""
