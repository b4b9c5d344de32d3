"""Images from and to registries and archives."""

from __future__ import annotations

import msgspec

from engine.client.calls import Answers, Calls
from engine.client.http import Query, from_problem
from engine.model import RegistryLogin, Transfer


class Transfers(Answers[Transfer]):
    """How far a transfer is, snapshot by snapshot; where the last has a problem, that is raised instead."""

    def __next__(self) -> Transfer:
        transfer = super().__next__()
        if transfer.problem:
            raise from_problem(transfer.problem)
        return transfer


class TransferCalls(Calls):
    """How images come and go; see EngineClient."""

    def image_pull(self, name: str, platform: str = "", login: RegistryLogin | None = None) -> Transfers:
        """Fetch an image from its registry; closing it early ends a pull that nobody else follows.

        What has arrived by then is kept, and the next pull goes on with it.
        """
        query: Query = {"name": name, "platform": platform}
        body = msgspec.json.encode(login or RegistryLogin())
        return Transfers(self._request("POST", "/tiffin/images/pull", query, body), Transfer)
