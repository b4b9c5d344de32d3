"""Networks and volumes."""

from __future__ import annotations

import msgspec

from engine.client.calls import Calls, part
from engine.model import NetworkSummary, VolumeSummary


class NetworkCalls(Calls):
    """What is done with networks and volumes; see EngineClient."""

    def networks(self) -> list[NetworkSummary]:
        """All networks, the built-in ones too."""
        return self._get("/tiffin/networks", list[NetworkSummary])

    def network(self, name: str) -> NetworkSummary:
        """One network, by name or id."""
        return self._get(f"/tiffin/networks/{part(name, 'network')}", NetworkSummary)

    def network_create(self, name: str, subnet: str = "") -> NetworkSummary:
        """Make a bridge network; an empty subnet is chosen by the engine."""
        ipam = {"Config": [{"Subnet": subnet}]} if subnet else {}
        body = msgspec.json.encode({"Name": name, "Driver": "bridge", "IPAM": ipam})
        self._do("POST", "/networks/create", body=body)
        return self.network(name)

    def network_remove(self, name: str) -> None:
        """Remove a network that no container uses."""
        self._do("DELETE", f"/networks/{part(name, 'network')}")

    def volumes(self) -> list[VolumeSummary]:
        """All named volumes."""
        return self._get("/tiffin/volumes", list[VolumeSummary])

    def volume(self, name: str) -> VolumeSummary:
        """One volume."""
        return self._get(f"/tiffin/volumes/{part(name, 'volume')}", VolumeSummary)

    def volume_create(self, name: str, labels: dict[str, str] | None = None) -> VolumeSummary:
        """Make a volume, or find the one of that name; an empty name is chosen by the engine."""
        body = msgspec.json.encode({"Name": name, "Labels": labels or {}})
        return self.volume(self._send("POST", "/volumes/create", _Named, body=body).name)

    def volume_remove(self, name: str, force: bool = False) -> None:
        """Remove a volume that no container uses; with `force` it may be missing."""
        self._do("DELETE", f"/volumes/{part(name, 'volume')}", {"force": force})


class _Named(msgspec.Struct, rename="pascal"):
    name: str
