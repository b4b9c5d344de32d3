"""How registries are reached: `registries.toml` of the settings folder, and authorities of their own.

plain_http = ["registry.lan:5000"]     these are spoken to without TLS

A registry's own authority is in `certs.d/HOST[:PORT]/*.crt` of tiffin's settings folder, of /etc/containers or of
/etc/docker; a client's certificate is beside it as `NAME.cert` with `NAME.key`, as with Docker.
"""

from __future__ import annotations

import ipaddress
import ssl
import tomllib
from pathlib import Path

import msgspec

from engine.errors import BadRequest

FILE = "registries.toml"
COMMON = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    plain_http: list[str] = []


class Settings:
    """What the settings folder says now; read at each use, so that no restart is needed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.folders = (folder / "certs.d", *COMMON)

    def plain_http(self) -> list[str]:
        """Registries that are spoken to without TLS; raises BadRequest for a malformed file."""
        try:
            return msgspec.convert(tomllib.loads(self.path.read_text()), _File).plain_http
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:  # ValidationError and TOMLDecodeError are ValueErrors
            raise BadRequest(
                f"reading {self.path}: {error}", 'write plain_http = ["HOST:PORT"], or remove the file'
            ) from error

    def certificates(self, host: str) -> list[Path]:
        """The folders in which something is kept for this host."""
        return [path for folder in self.folders if (path := folder / host).is_dir()]

    def tls(self, host: str) -> ssl.SSLContext:
        """What proves that a server is this host: the system's authorities and its own; blocks.

        Raises BadRequest for a certificate that cannot be read.
        """
        context = ssl.create_default_context()
        for folder in self.certificates(host):
            for path in sorted(folder.iterdir()):
                try:
                    if path.suffix == ".crt":
                        context.load_verify_locations(path)
                    elif path.suffix == ".cert":
                        context.load_cert_chain(path, path.with_suffix(".key"))
                except OSError as error:  # SSLError is one
                    raise BadRequest(
                        f"reading the certificate {path}: {error.strerror or error}",
                        "put a PEM certificate there",
                    ) from error
        return context


def is_loopback(host: str) -> bool:
    """Whether a registry is this machine itself, which nobody can listen in on."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
