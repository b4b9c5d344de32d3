"""The deck on the past: a recording in the place of an engine."""
