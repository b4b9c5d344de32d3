"""What a person meets in a terminal: the command line and the deck."""
