"""What came back, as reports show it: who, why, once; a complaint taken back is none; a doubt is settled by it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reporting import pages, queries, tables
from shared.contracts.feedback import AutoReplyReceived, BounceReceived
from shared.database import reading
from tests.harness.story import Story, bounce, complaint, reply
from tests.integration.reporting.tales import project


@pytest.fixture
def story() -> Story:
    """Return a mailing of which a lot came back."""
    told = Story()
    told.started("m1", 6)
    told.planned("m1", 0, 6)
    told.sent("m1", 0, range(5))
    told.sent("m1", 0, [5], "in_doubt")
    told.came_back(bounce("m1", 0, 0), fact="b1")
    told.came_back(bounce("m1", 0, 0), fact="b1")  # told twice
    told.came_back(bounce("m1", 0, 0, "mailbox-disabled"))
    told.came_back(bounce("m1", 0, 1, "mailbox-full"))
    told.came_back(BounceReceived(source="file", kind="bounce", reason="user-unknown", scope="address"))
    told.came_back(complaint("m1", 0, 2))
    told.came_back(complaint("m1", 0, 3))
    told.came_back(complaint("m1", 0, 3, "not-spam"))
    told.came_back(reply("m1", 0, 4, "k1"))
    told.came_back(AutoReplyReceived(source="lmtp", proven="message-id", mailing="m1", n=0, index=4))
    return told


@pytest.fixture
async def conn(engine: AsyncEngine, story: Story) -> AsyncIterator[AsyncConnection]:
    """Yield a connection to views of the story."""
    await project(engine, story.commits)
    async with engine.begin() as writing:
        await writing.execute(insert(tables.notes), [{"key": "k1", "text": "Please call me"}])
    async with reading(engine).connect() as found:
        yield found


async def test_a_mailing_counts_people_of_whom_something_came_back(conn: AsyncConnection) -> None:
    """Row 73: who was accepted stays so and is bounced as well; what nothing proves is in no count."""
    found = await queries.status(conn, "m1", 0)
    assert found is not None
    assert [found[name] for name in ("sent", "bounced", "complained", "replied", "auto_replied")] == [5, 2, 1, 1, 1]
    assert found["in_doubt"] == 1, "a bounce that nothing proves settles no doubt"
    assert found["bounce_reasons"] == {"mailbox-disabled": 1, "mailbox-full": 1, "user-unknown": 1}


@pytest.mark.parametrize(("wanted", "indexes"), [("bounced", [0, 1]), ("complained", [2]), ("replied", [4])])
async def test_each_number_opens_the_list_behind_it(conn: AsyncConnection, wanted: str, indexes: list[int]) -> None:
    """A filter gives exactly those who are counted under its name."""
    rows = (await pages.recipients(conn, "m1", wanted, "", 100))["rows"]
    assert [row["index"] for row in rows] == indexes


@pytest.mark.feature("F5")
async def test_recipients_show_why_and_what_they_wrote(conn: AsyncConnection) -> None:
    """The last reason, whether they complained, the words of a reply."""
    rows = (await pages.recipients(conn, "m1", "", "", 100))["rows"]
    shown = [(row["bounced"], row["complained"], row["replied"], row["reply"]) for row in rows]
    assert shown == [
        ("mailbox-disabled", False, False, ""),
        ("mailbox-full", False, False, ""),
        ("", True, False, ""),
        ("", False, False, ""),
        ("", False, True, "Please call me"),
        ("", False, False, ""),
    ]


async def test_what_comes_back_settles_a_doubt(engine: AsyncEngine, story: Story) -> None:
    """A bounce proves that the relay had taken the mail."""
    story.came_back(bounce("m1", 0, 5))
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        found = await queries.status(conn, "m1", 0)
        (row,) = (await pages.doubts(conn, "m1", "", 100))["rows"]
    assert found is not None
    assert (found["sent"], found["in_doubt"], found["evidence"], found["bounced"]) == (6, 0, 1, 3)
    assert row["evidence"] == "bounce"
