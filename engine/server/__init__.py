"""HTTP: Docker's paths and JSON where Docker has the operation, `/tiffin/` for the rest; no policy."""

from engine.server.app import Server, bind

__all__ = ["Server", "bind"]
