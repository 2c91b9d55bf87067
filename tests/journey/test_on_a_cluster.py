"""The whole journey on what compose runs, while each NATS server in turn is killed: nobody lost, nobody doubled."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import clock
from shared.contracts import commands
from tests.harness.databases import database_of
from tests.harness.fleet import OF_EACH, Fleet, Team, working
from tests.harness.guarded_cluster import GuardedCluster
from tests.harness.nats import NatsServer
from tests.harness.recipient import browser, links_of, read_by_a_person
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import PATIENCE, people, unhurried
from tests.harness.waiting import until

COUNT = 400
REJECTED, GREYLISTED = 8, 20
CONNECTIONS = 4
HTML = '<p>Hello {{ name }}, <a href="https://shop.example/sale">the sale</a></p>'
READERS, CLICKERS, LEAVERS = 6, 4, 2
# An election takes seconds, so claims are valid for longer than on one server.
SETTINGS = {"POSTHASTE_ACK_WAIT": "6"}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[GuardedCluster]:
    """Yield a cluster of three with TLS and a user for each service."""
    running = GuardedCluster(tmp_path / "cluster")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@asynccontextmanager
async def without(node: NatsServer, cluster: GuardedCluster) -> AsyncIterator[None]:
    """Kill a node, do something meanwhile, and have it back."""
    await asyncio.to_thread(node.kill)
    yield
    await asyncio.to_thread(node.start)
    await until(lambda: asyncio.to_thread(cluster.healthy), PATIENCE, every=0.1)


async def visited(team: Team) -> None:
    """Recipients open, click and leave, at one tracker and at the other."""
    got = [mail.content for mail in team.relay.accepted if "ann" in mail.recipient][:READERS]
    for place, content in enumerate(got):
        links, web = links_of(content), browser(team.local.url("tracker", place % OF_EACH))
        assert (await web.get(links.pixel)).status == 200
        if place < CLICKERS:
            assert (await web.get(links.click)).headers["location"] == "https://shop.example/sale"
        if place < LEAVERS:
            assert (await web.post(links.leave, b"List-Unsubscribe=One-Click")).status == 200


async def reported(team: Team, mailing: str) -> dict[str, Any]:
    """Return what both reportings say once all that recipients did has arrived."""

    async def same() -> dict[str, Any] | None:
        said = [(await client.query(commands.Status(mailing=mailing))).data for client in team.clients]
        arrived = all(status.get("unsubscribed") == LEAVERS and status.get("clicked") == CLICKERS for status in said)
        return said[0] if arrived and said[0] == said[1] else None

    found = await until(same, PATIENCE, every=0.1)
    assert found is not None
    return found


@pytest.mark.feature("B19")
@pytest.mark.cluster
@pytest.mark.timeout(300)
async def test_a_mailing_travels_while_each_server_in_turn_is_killed(guarded: GuardedCluster, tmp_path: Path) -> None:
    """Draft, audience, test, schedule, sending, opens, clicks, opt-outs, report, ledger: each with one server dead."""
    first, second, third = guarded.nodes
    with database_of("postgresql", tmp_path) as database:
        fleet = Fleet(tmp_path / "data", guarded, database.url, SETTINGS)
        async with ScriptedSmtp(unhurried(0.1)) as relay, working(fleet, relay, CONNECTIONS) as team:
            async with without(first, guarded):
                await team.add_account()
                await team.bring_in(people(COUNT, reject=REJECTED, greylist=GREYLISTED))
                mailing = await team.draft(html=HTML)
                frozen = await team.do(commands.FreezeAudience(mailing=mailing))
                assert (frozen["recipients"], frozen["skipped"]) == (COUNT, {})
                await team.do(commands.SendTest(mailing=mailing, to=["me@shop.example"]))
                await until(lambda: [mail.recipient for mail in relay.accepted] == ["me@shop.example"], PATIENCE)
                soon = (clock.now() + timedelta(seconds=1)).replace(tzinfo=None)
                await team.do(commands.ScheduleMailing(mailing=mailing, at=soon))
                await team.reached(COUNT // 10)
            async with without(second, guarded):
                await team.reached(COUNT // 2)
            async with without(third, guarded):
                await team.ended(mailing)
                ended = (await team.clients[0].query(commands.Status(mailing=mailing))).data
                await read_by_a_person(ended["last_sent"])
                await visited(team)
                status = await reported(team, mailing)
                account = await team.account_for(mailing, doubts=0)
            assert account.totals == {"accepted": COUNT - REJECTED, "rejected": REJECTED}
            assert (status["status"], status["total"], status["rejected"]) == ("Completed", COUNT, REJECTED)
            assert status["read"] == READERS
            again = await team.do(commands.FreezeAudience(mailing=await team.draft(name="The next")))
            assert again["skipped"]["opted_out"] == LEAVERS
            assert not fleet.fallen(), "no service fell over"
