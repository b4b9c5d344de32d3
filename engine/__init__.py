"""The engine: launches containers, watches them, and answers clients."""
