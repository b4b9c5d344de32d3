"""What every demo has: how it is announced, and how it is played."""

from __future__ import annotations

from abc import ABC, abstractmethod

from engine.containers.rooms import Rooms
from engine.model import Scenario
from engine.scenarios.run import Lane
from engine.scenarios.stage import Message, Stage


class Demo(ABC):
    """One demo; the same object for every run of it, so it keeps nothing of a run."""

    name: str

    @abstractmethod
    def announce(self, rooms: Rooms) -> Scenario:
        """What there is to be said of it on this host."""

    @abstractmethod
    async def play(self, stage: Stage) -> None:
        """Play until the run's time is over, beginning at its `elapsed`; the stage is cleared afterwards."""

    @abstractmethod
    def heard(self, stage: Stage, lane: Lane, who: str, message: Message) -> None:
        """Take what a program of a lane says; a message with "who" in it is its first."""
