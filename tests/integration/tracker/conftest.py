"""A tracker process before a real server that has all streams, and readers of what it wrote."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from shared.contracts import subjects
from shared.contracts.engagement import Hit, HitsRecorded
from shared.contracts.envelope import DomainEvent
from shared.eventlog.store import EventLog
from tests.harness.nats import NatsServer
from tests.harness.tracker import TrackerProcess


class Written:
    """What stands in the log."""

    def __init__(self, nc: Client) -> None:
        self.log = EventLog(nc)

    async def hits(self) -> list[Hit]:
        """All hits in the order of the log, repeated facts included."""
        found: list[Hit] = []
        async for commits in self.log.scan([subjects.ALL_ENGAGEMENT]):
            for commit in commits:
                for record in commit.events:
                    assert isinstance(record.event, HitsRecorded)
                    found += record.event.hits
        return found

    async def consent(self) -> list[DomainEvent]:
        """All consent acts in the order of the log."""
        return [
            record.event
            async for commits in self.log.scan([subjects.ALL_CONSENT])
            for commit in commits
            for record in commit.events
        ]


@pytest.fixture
async def tracker(log_streams: NatsServer, tmp_path: Path) -> AsyncIterator[TrackerProcess]:
    """Yield a running tracker."""
    process = await TrackerProcess(log_streams.url, tmp_path / "tracker").start()
    yield process
    process.kill()


@pytest.fixture
async def written(log_streams: NatsServer, nc: Client) -> Written:
    """Return a reader of the log."""
    del log_streams  # the streams have to be there
    return Written(nc)
