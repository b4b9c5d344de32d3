"""The images view: what is listed, and how it is drawn."""
