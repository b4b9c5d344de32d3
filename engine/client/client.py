"""The engine's verbs as methods; one connection a call, so that any thread may call at any time."""

from __future__ import annotations

import os
import select

from engine.client.blame import BlameCalls
from engine.client.building import BuildCalls
from engine.client.containers import ContainerCalls
from engine.client.groups import GroupCalls
from engine.client.http import connect, peer
from engine.client.images import ImageCalls
from engine.client.inside import InsideCalls
from engine.client.keeping import KeepingCalls
from engine.client.networks import NetworkCalls
from engine.client.private import PrivateCalls
from engine.client.scenarios import ScenarioCalls
from engine.client.transfers import TransferCalls
from engine.client.watching import WatchCalls
from engine.errors import EngineUnavailable
from engine.instance import Instance
from engine.model import DoctorReport, EngineStatus


class EngineClient(
    GroupCalls,
    ContainerCalls,
    InsideCalls,
    WatchCalls,
    BlameCalls,
    ImageCalls,
    TransferCalls,
    NetworkCalls,
    ScenarioCalls,
    KeepingCalls,
    PrivateCalls,
    BuildCalls,
):
    """All that a front end can ask of one instance's engine.

    Every method raises the engine's own error (see engine.errors), and EngineUnavailable when no engine
    answers. `ref` is a container's id, the unique beginning of one, or its name. Iterators hold a connection:
    close them, or drop them, to end it.
    """

    @classmethod
    def connect(cls, instance: Instance, start: bool = True) -> EngineClient:
        """A client of an engine that answers; with `start` one is started in the background if none does."""
        try:
            connect(instance.socket).close()
            return cls(instance)
        except EngineUnavailable:
            if not start:
                raise
        from engine.client import autostart  # costs an import that most calls do not need

        autostart.start(instance)
        return cls(instance)

    def status(self) -> EngineStatus:
        """Version, socket, processes and what they cost."""
        return self._get("/tiffin/status", EngineStatus)

    def shutdown(self) -> None:
        """End the engine and return when its process has ended; containers go on."""
        with connect(self.instance.socket) as connection:
            process = os.pidfd_open(peer(connection))
        try:
            self._do("POST", "/tiffin/shutdown")
            select.select([process], [], [])
        finally:
            os.close(process)

    def doctor(self) -> DoctorReport:
        """What this host has and lacks."""
        return self._get("/tiffin/doctor", DoctorReport)
