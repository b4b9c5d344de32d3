"""One container's root: what it changed, and copying in and out of it."""
