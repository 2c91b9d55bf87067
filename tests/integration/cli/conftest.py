"""The command line as people run it, against handlers that note what they were asked and answer as told."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from shared.contracts import commands
from shared.contracts.commands import Answer, Command, Query, Refusal
from shared.messaging.answers import Caller, CommandRouter
from shared.messaging.broker import create_broker
from shared.settings import Settings
from tests.harness.brokers import started
from tests.harness.nats import NatsServer
from tests.harness.posthaste import Posthaste

Said = Answer | Refusal | dict[str, Any] | Callable[[Any], Answer | Refusal | dict[str, Any]]


class Services:
    """Answers every command and query in the place of planner and reporting."""

    def __init__(self, url: str) -> None:
        self.asked: list[Command | Query] = []
        self.keys: list[str] = []
        self.says: dict[type[Command | Query], Said] = {}
        self._broker = create_broker(Settings(nats_url=url), "standin")
        router = CommandRouter("standin")
        for model in (*_all(Command), *_all(Query)):
            register = router.command if issubclass(model, Command) else router.query
            register(model)(self._answer)
        self._broker.include_router(router.router)

    async def _answer(self, asked: Command | Query, caller: Caller) -> Answer | Refusal:
        self.asked.append(asked)
        self.keys.append(caller.key)
        said = self.says.get(type(asked), {})
        if callable(said):
            said = said(asked)
        return Answer(ok=True, position=1, data=said) if isinstance(said, dict) else said

    async def start(self) -> None:
        """Begin to answer."""
        await started(self._broker)

    async def stop(self) -> None:
        """Answer no more."""
        await self._broker.stop()


def _all(base: type[Any]) -> list[type[Any]]:
    models = [model for model in vars(commands).values() if isinstance(model, type) and issubclass(model, base)]
    return [model for model in models if hasattr(model, "NAME")]


@pytest.fixture
async def services(log_streams: NatsServer) -> AsyncIterator[Services]:
    """Yield running handlers for everything; empty data until told otherwise."""
    running = Services(log_streams.url)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def posthaste(log_streams: NatsServer, tmp_path: Path) -> Posthaste:
    """Return the command line, pointed at the server by its environment."""
    return Posthaste(tmp_path / "data", log_streams.url)
