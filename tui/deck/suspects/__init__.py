"""The screen on which a stall's suspects are weighed and acted upon."""
