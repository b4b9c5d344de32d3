"""Widgets of the deck."""
