"""The form for a new container."""
