"""Charts of one measure over time, several containers in one picture."""
