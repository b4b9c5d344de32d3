"""Screens of the deck."""
