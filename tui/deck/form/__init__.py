"""Fields to type in and to choose with."""
