"""Thin typed wrappers of what the kernel offers; no policy."""
