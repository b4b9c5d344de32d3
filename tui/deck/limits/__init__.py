"""The limits editor."""
