"""The deck: the Textual app."""
