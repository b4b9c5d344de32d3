"""Which containers there are, and which one a user means."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.containers.container import Container
from engine.errors import BadRequest, Conflict, NotFound

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


class Registry:
    """The containers by id, and their names."""

    def __init__(self) -> None:
        self._by_id: dict[str, Container] = {}
        self._ids: dict[str, str] = {}  # by name, also of those being created

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, ref: str) -> Container:
        """The container with this id, name, or unambiguous beginning of an id; NotFound or BadRequest."""
        ref = ref.removeprefix("/")
        id = ref if ref in self._by_id else self._ids.get(ref, "")
        if id in self._by_id:
            return self._by_id[id]
        matches = [id for id in self._by_id if ref and id.startswith(ref)]
        if len(matches) > 1:
            raise BadRequest(
                f"{len(matches)} containers have an id that begins with {ref}", "give more of it"
            )
        if not matches:
            raise NotFound(f"there is no container {ref!r}", "`tiffin ps -a` lists them")
        return self._by_id[matches[0]]

    def name_of(self, id: str) -> str:
        """A container's name, or the short form of an id that is none's."""
        container = self._by_id.get(id)
        return container.name if container else id[:12]

    def reserve(self, name: str, id: str) -> None:
        """Take a name. Raises BadRequest for a malformed one, Conflict for one in use."""
        if not _NAME.fullmatch(name):
            raise BadRequest(
                f"{name!r} cannot be a container's name",
                "use two or more letters, digits, '_', '.' and '-', beginning with a letter or digit",
            )
        if name in self._ids:
            raise Conflict(
                f"the name {name} is in use by container {self._ids[name][:12]}",
                f"choose another, or `tiffin rm {name}` first",
            )
        self._ids[name] = id

    def free(self, name: str) -> None:
        """Give a name back."""
        self._ids.pop(name, None)

    def has_name(self, name: str) -> bool:
        """Whether a name is taken."""
        return name in self._ids

    def add(self, container: Container) -> None:
        """Take in a container whose name is reserved."""
        self._by_id[container.id] = container

    def drop(self, container: Container) -> None:
        """Forget a container and its name."""
        self._by_id.pop(container.id, None)
        self.free(container.name)
