"""Networks."""

from __future__ import annotations

import msgspec
from aiohttp import web

from engine.containers import Containers
from engine.docker import networks as shapes
from engine.errors import BadRequest, Conflict, Unsupported
from engine.model import JSON, NetworkSummary
from engine.server.http import Route, answer, body, done, filters

FILTERS = ("name", "id", "driver", "scope", "type", "label")


class _Subnet(msgspec.Struct, rename="pascal"):
    subnet: str | None = None
    gateway: str | None = None


class _Ipam(msgspec.Struct, rename="pascal"):
    config: list[_Subnet] | None = None
    driver: str | None = None


class _Create(msgspec.Struct, rename="pascal"):
    name: str = ""
    driver: str | None = None
    internal: bool | None = None
    enable_i_pv6: bool | None = msgspec.field(default=None, name="EnableIPv6")
    ipam: _Ipam | None = msgspec.field(default=None, name="IPAM")


class NetworkRoutes:
    """Under /networks and /tiffin/networks."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._networks = containers.rooms.networks

    def routes(self) -> list[Route]:
        """Its operations."""
        return [
            Route("GET", "/networks", self.list),
            Route("POST", "/networks/create", self.create),
            Route("POST", "/networks/prune", self.prune),
            Route("GET", "/networks/{ref}", self.inspect),
            Route("DELETE", "/networks/{ref}", self.remove),
            Route("GET", "/tiffin/networks", self.nouns),
            Route("GET", "/tiffin/networks/{ref}", self.noun),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """GET /networks."""
        wanted = filters(request, FILTERS)
        return answer([self._shape(net) for net in self._networks.list() if _matches(net, wanted)])

    async def inspect(self, request: web.Request) -> web.Response:
        """GET /networks/{ref}."""
        return answer(self._shape(self._networks.get(request.match_info["ref"])))

    async def create(self, request: web.Request) -> web.Response:
        """POST /networks/create."""
        asked = await body(request, _Create)
        subnets = (asked.ipam.config if asked.ipam else None) or []
        if (asked.driver or "bridge") != "bridge":
            raise Unsupported(f"networks of the driver {asked.driver!r} are not supported", "use bridge")
        if asked.internal or asked.enable_i_pv6:
            raise Unsupported(
                "internal and IPv6 networks are not supported", "leave Internal and EnableIPv6 out"
            )
        if len(subnets) > 1:
            raise BadRequest(f"{len(subnets)} subnets are given", "give one subnet at most")
        made = await self._networks.create(asked.name, (subnets[0].subnet or "") if subnets else "")
        self._tell("create", made)
        return answer({"Id": made.id, "Warning": ""}, 201)

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE /networks/{ref}."""
        network = self._networks.get(request.match_info["ref"])
        await self._networks.remove(network.id)
        self._tell("destroy", network)
        return done()

    async def prune(self, request: web.Request) -> web.Response:
        """POST /networks/prune: remove all that users made and no container uses."""
        filters(request, ())
        removed = []
        for network in self._networks.list():
            if network.name in ("bridge", "host", "none") or network.containers:
                continue
            try:
                await self._networks.remove(network.id)
            except Conflict:  # taken meanwhile
                continue
            self._tell("destroy", network)
            removed.append(network.name)
        return answer({"NetworksDeleted": removed})

    async def nouns(self, request: web.Request) -> web.Response:
        """GET /tiffin/networks."""
        return answer(self._networks.list())

    async def noun(self, request: web.Request) -> web.Response:
        """GET /tiffin/networks/{ref}."""
        return answer(self._networks.get(request.match_info["ref"]))

    def _shape(self, network: NetworkSummary) -> JSON:
        return shapes.network(network, {summary.id: summary.name for summary in self._containers.list()})

    def _tell(self, action: str, network: NetworkSummary) -> None:
        events = self._containers.rooms.events
        events.emit("network", action, network.id, network.name, {"type": network.driver})


def _matches(network: NetworkSummary, wanted: dict[str, list[str]]) -> bool:
    tests = {
        "name": lambda v: v in network.name,
        "id": lambda v: network.id.startswith(v),
        "driver": lambda v: v == shapes.DRIVERS.get(network.driver, network.driver),
        "scope": lambda v: v == "local",
        "type": lambda v: v == ("builtin" if network.name in ("bridge", "host", "none") else "custom"),
        "label": lambda v: False,
    }
    return all(any(map(tests[name], values)) for name, values in wanted.items() if values)
