"""Reading and showing output of containers."""
