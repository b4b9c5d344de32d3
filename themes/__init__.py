"""Colour themes, one TOML file each; see tui.deck.themes."""
