"""Images from and to registries and archives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from engine.client.calls import Answers, Calls, decoded
from engine.client.http import Query, Response, from_problem
from engine.model import RegistryLogin, Transfer

TAR = "application/x-tar"


class Transfers(Answers[Transfer]):
    """How far a transfer is, snapshot by snapshot; where the last has a problem, that is raised instead."""

    def __next__(self) -> Transfer:
        transfer = super().__next__()
        if transfer.problem:
            raise from_problem(transfer.problem)
        return transfer


class Saved:
    """An archive on its way: `size` bytes in all. Close it, or drop it, to end the request."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.size = int(response.headers["content-length"])

    def __iter__(self) -> Iterator[bytes]:
        return self._response.pieces()

    def close(self) -> None:
        """End the request."""
        self._response.close()


class TransferCalls(Calls):
    """How images come and go; see EngineClient. `login` is what credentials.find says of the registry."""

    def image_pull(self, name: str, platform: str = "", login: RegistryLogin | None = None) -> Transfers:
        """Fetch an image from its registry; closing it early ends a pull that nobody else follows.

        What has arrived by then is kept, and the next pull goes on with it.
        """
        query: Query = {"name": name, "platform": platform}
        return self._transfers("pull", query, msgspec.json.encode(login or RegistryLogin()))

    def image_push(self, ref: str, to: str = "", login: RegistryLogin | None = None) -> Transfers:
        """Send an image to the registry that its name says, or to the name `to`."""
        return self._transfers("push", {"ref": ref, "to": to}, msgspec.json.encode(login or RegistryLogin()))

    def image_load(
        self, archive: Iterable[bytes], platform: str = "", on_bytes: Callable[[int], None] | None = None
    ) -> Transfers:
        """Take in the images of an archive that docker, podman, skopeo or tiffin wrote.

        It is sent before this returns; `on_bytes` hears how many bytes have gone.
        """
        return self._transfers("load", {"platform": platform}, _counted(archive, on_bytes), TAR)

    def image_save(self, refs: Sequence[str], format: str = "docker-archive") -> Saved:
        """Images as one archive, docker-archive or oci-archive."""
        query: Query = {"names": ",".join(refs), "format": format}
        return Saved(self._request("GET", "/tiffin/images/save", query))

    def login(self, login: RegistryLogin) -> RegistryLogin:
        """Have a registry say whether it knows this user; the login as it is to be kept (credentials.keep)."""
        body = msgspec.json.encode(login)
        with self._request("POST", "/tiffin/login", body=body) as response:
            return decoded(response.read(), RegistryLogin)

    def _transfers(
        self, verb: str, query: Query, body: bytes | Iterator[bytes], content_type: str = "application/json"
    ) -> Transfers:
        path = f"/tiffin/images/{verb}"
        return Transfers(self._request("POST", path, query, body, content_type=content_type), Transfer)


def _counted(pieces: Iterable[bytes], hear: Callable[[int], None] | None) -> Iterator[bytes]:
    sent = 0
    for piece in pieces:
        yield piece
        sent += len(piece)
        if hear:
            hear(sent)
