"""The demos: playing one in a thread, and drawing how it stands."""
