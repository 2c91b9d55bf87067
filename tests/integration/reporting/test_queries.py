"""What reports say, read from views of a told log."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reporting import customers, pages, queries, tables
from shared.contracts import mailing as events
from shared.contracts import subjects
from shared.contracts.campaign import CampaignClosed, CampaignDeleted, CampaignEdited
from shared.contracts.consent import OptedIn, OptedOut, OptInRequested
from shared.contracts.sending import ChunkFinished, ChunkParked
from shared.database import reading
from tests.harness.story import KEY, START, START_MS, Story, group, hit
from tests.integration.reporting.tales import project


@pytest.fixture
def story() -> Story:
    """Return a mailing to ten, of whom eight are planned, with every outcome."""
    told = Story()
    told.started("m1", 10, chunks=3)
    told.planned("m1", 0, 4)
    told.planned("m1", 1, 4)
    told.sent("m1", 0, [0, 1])
    told.sent("m1", 0, [2], "rejected")
    told.sent("m1", 0, [3], "deferred", until=START + timedelta(minutes=5))
    told.sent("m1", 1, [0], "in_doubt")
    told.settled("m1", 1, group("skipped", [1], cause="e7.0"))
    told.hit(hit("f1", "m1", 0, 0), hit("f2", "m1", 0, 0, after=5), hit("f3", "m1", 0, 1, link=0, after=9))
    told.hit(hit("f1", "m1", 0, 0))  # told twice, counted once
    told.opted_out("m1", 0, 1, comment="k1")
    return told


@pytest.fixture
async def conn(engine: AsyncEngine, story: Story) -> AsyncIterator[AsyncConnection]:
    """Yield a connection to views of the story."""
    await project(engine, story.commits)
    async with engine.begin() as writing:
        people = [{"contact": "p0x0", "address": "ada@example.com", "name": "Ada", "page": 0}]
        await writing.execute(insert(tables.people), people)
        await writing.execute(insert(tables.notes), [{"key": "k1", "text": "Too many mails"}])
    async with reading(engine).connect() as found:
        yield found


async def status(engine: AsyncEngine, story: Story, mailing: str = "m1", *, now: float = 0.0) -> queries.Data:
    """Project the story and return the status."""
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        found = await queries.status(conn, mailing, now or story.now.timestamp())
    assert found is not None
    return found


async def test_the_summary_adds_up(conn: AsyncConnection) -> None:
    """Total, to send, sent, failed, read and clicked are what happened."""
    found = await queries.status(conn, "m1", START_MS / 1000)
    assert found is not None
    summary = ("total", "to_send", "sent", "failed", "read", "opened", "clicked", "clicks", "unsubscribed")
    assert [found[name] for name in summary] == [10, 5, 2, 3, 2, 1, 1, 1, 1]
    assert (found["pending"], found["deferred"], found["in_doubt"], found["skipped"]) == (4, 1, 1, 1)
    assert found["total"] == found["to_send"] + found["sent"] + found["failed"]
    assert (found["status"], found["name"], found["campaign"]) == ("Sending", "News", "c1")
    assert found["first_sent"] == "2026-11-02T09:00:00.000Z"
    assert found["last_sent"] == "2026-11-02T09:00:00.010Z"


@pytest.mark.feature("B14")
async def test_figures_of_versions_are_counted_for_who_asks_for_one_mailing(engine: AsyncEngine, story: Story) -> None:
    """Lists and live streams tell where the test stands, and count nothing."""
    await project(engine, story.commits)
    test = {"by": "hand", "versions": {"a": "Hi", "b": "Ho"}, "sampled": True, "decides_at": None, "winner": ""}
    recorded = orjson.dumps(test | {"chosen_by": ""}).decode()
    async with engine.begin() as conn:
        await conn.execute(update(tables.mailings).values(ab_test=recorded))
        await conn.execute(update(tables.chunks).where(tables.chunks.c.n == 0).values(version="b"))
    async with reading(engine).connect() as conn:
        now = story.now.timestamp()
        listed = [*await queries.mailings(conn, "", now), (await queries.statuses(conn, ["m1"], now))["m1"]]
        one = await queries.status(conn, "m1", now)
    assert [(row["ab_test"]["stage"], row["ab_test"]["versions"]) for row in listed] == [("waiting", [])] * 2
    assert one is not None
    none = dict.fromkeys(("recipients", "sent", "opened", "clicked", "unsubscribed"), 0)
    did = {"recipients": 4, "sent": 2, "opened": 2, "clicked": 1, "unsubscribed": 1}
    assert one["ab_test"]["versions"] == [
        {"version": "a", "subject": "Hi"} | none,
        {"version": "b", "subject": "Ho"} | did,
    ]


async def test_nobody_knows_a_mailing_that_is_none(conn: AsyncConnection) -> None:
    """An unknown id has no status and no links."""
    assert await queries.status(conn, "nope", 0) is None
    assert await queries.links(conn, "nope") is None


async def test_evidence_moves_a_doubt_to_sent(engine: AsyncEngine, story: Story) -> None:
    """A click of somebody in doubt counts the mail as sent, in the summary and in the list."""
    story.hit(hit("f9", "m1", 1, 0, link=0))
    found = await status(engine, story)
    assert (found["sent"], found["in_doubt"], found["evidence"]) == (3, 0, 1)
    async with reading(engine).connect() as conn:
        rows = (await pages.recipients(conn, "m1", "sent", "", 100))["rows"]
        assert [(row["n"], row["index"], row["evidence"]) for row in rows][-1] == (1, 0, "click")
        assert (await pages.recipients(conn, "m1", "in_doubt", "", 100))["rows"] == []
        doubts = (await pages.doubts(conn, "m1", "", 100))["rows"]
        assert [(row["n"], row["index"], row["evidence"]) for row in doubts] == [(1, 0, "click")]


async def test_cancelling_counts_whoever_was_never_planned(engine: AsyncEngine, story: Story) -> None:
    """Ten were frozen, eight planned: two are cancelled at once, the planned ones when the sender settles them."""
    story.mailing("m1", events.MailingCancelled())
    found = await status(engine, story)
    assert (found["cancelled"], found["to_send"]) == (2, 3)
    story.settled("m1", 0, group("cancelled", [3]))


async def test_a_test_is_no_part_of_its_mailing(engine: AsyncEngine, story: Story) -> None:
    """Test mails have their own numbers under their own id and are in no list."""
    story.mailing("m1", events.TestSent(test="t1", recipients=2))
    story.planned("t1", 0, 2, kind="test", lane="prompt")
    story.sent("t1", 0, [0, 1])
    assert (await status(engine, story))["sent"] == 2
    async with reading(engine).connect() as conn:
        test = await queries.status(conn, "t1", 0)
        assert test is not None
        assert (test["total"], test["sent"], test["test_of"], test["status"]) == (2, 2, "m1", "Sending")
        assert [row["mailing"] for row in await queries.mailings(conn, "", 0)] == ["m1"]
    story.tell(subjects.chunk("t1", 0), ChunkFinished(totals={"accepted": 2}))
    await status(engine, story)
    async with reading(engine).connect() as conn:
        test = await queries.status(conn, "t1", 0)
        assert test is not None
        assert test["status"] == "Completed"


async def test_the_rate_is_that_of_the_last_ten_seconds(engine: AsyncEngine) -> None:
    """What went out before does not count."""
    story = Story()
    story.started("m1", 100)
    story.planned("m1", 0, 100)
    early, late = [1] * 50, [60_000 + 100 * place for place in range(50)]
    story.sent("m1", 0, range(50), at=early)
    story.sent("m1", 0, range(50, 100), at=late)
    assert (await status(engine, story, now=START_MS / 1000 + 66))["rate"] == 5.0
    async with reading(engine).connect() as conn:
        found = await queries.status(conn, "m1", START_MS / 1000 + 80)
    assert found is not None
    assert found["rate"] == 0


async def test_parked_chunks_show_until_they_go_on(engine: AsyncEngine, story: Story) -> None:
    """An operator sees how many chunks wait for him."""
    story.tell(subjects.chunk("m1", 1), ChunkParked(reason="died thrice"))
    assert (await status(engine, story))["parked"] == 1


@pytest.mark.feature("P1")
async def test_a_deleted_mailing_is_hidden_from_lists(engine: AsyncEngine, story: Story) -> None:
    """Its status can still be asked for."""
    story.mailing("m1", events.MailingDeleted())
    assert (await status(engine, story))["deleted"]
    async with reading(engine).connect() as conn:
        assert await queries.mailings(conn, "", 0) == []
        assert (await queries.campaigns(conn))[0]["mailings"] == 0


async def test_campaigns_show_their_lists_and_state(engine: AsyncEngine, story: Story) -> None:
    """As it was edited; a closed campaign says so, a deleted one is hidden."""
    edited = CampaignEdited.model_validate({"name": "Fall", "lists": ["l1", "l2"], "ends_on": "2026-12-01"})
    story.tell(subjects.campaign("c1"), edited, CampaignClosed())
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        (found,) = await queries.campaigns(conn)
    assert (found["campaign"], found["lists"], found["status"], found["mailings"]) == ("c1", ["l1", "l2"], "closed", 1)
    assert (found["name"], found["ends_on"]) == ("Fall", "2026-12-01")
    story.tell(subjects.campaign("c1"), CampaignDeleted())
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        assert await queries.campaigns(conn) == []


@pytest.mark.feature("G5")
async def test_recipients_come_page_by_page_with_reply_and_name(conn: AsyncConnection) -> None:
    """Every page goes on where the last one ended; nobody is left out or repeated."""
    after, rows = "", []
    while True:
        page = await pages.recipients(conn, "m1", "", after, 3)
        rows += page["rows"]
        after = page["next"]
        if not after:
            break
    assert [(row["n"], row["index"]) for row in rows] == [(n, index) for n in range(2) for index in range(4)]
    first = rows[0]
    wanted: dict[str, object] = {"contact": "p0x0", "address": "ada@example.com", "name": "Ada", "status": "Sent"}
    wanted |= {"outcome": "accepted", "code": 250, "text": "accepted as *", "queue_id": "Q0", "host": "relay:25"}
    wanted |= {"attempts": 1, "opens": 2}
    assert {name: first[name] for name in wanted} == wanted
    assert (rows[1]["unsubscribed"], rows[1]["comment"]) == (True, "Too many mails")
    assert (rows[3]["status"], rows[3]["until"]) == ("Pending", "2026-11-02T09:05:00.000Z")
    assert (rows[5]["cause"], rows[5]["attempts"]) == ("e7.0", 0)


@pytest.mark.feature("P7")
@pytest.mark.parametrize(
    ("outcome", "places"),
    [
        ("pending", [(0, 3), (1, 2), (1, 3)]),
        ("deferred", [(0, 3)]),
        ("sent", [(0, 0), (0, 1)]),
        ("Failed", [(0, 2), (1, 0), (1, 1)]),
        ("rejected", [(0, 2)]),
        ("in_doubt", [(1, 0)]),
        ("opened", [(0, 0)]),
        ("clicked", [(0, 1)]),
        ("machines", []),
        ("unsubscribed", [(0, 1)]),
    ],
)
async def test_each_number_opens_the_list_behind_it(
    conn: AsyncConnection, outcome: str, places: list[tuple[int, int]]
) -> None:
    """A filter gives exactly those who are counted under its name."""
    rows = (await pages.recipients(conn, "m1", outcome, "", 100))["rows"]
    assert [(row["n"], row["index"]) for row in rows] == places


async def test_nonsense_is_refused(conn: AsyncConnection) -> None:
    """Neither an unknown outcome nor a made-up cursor gives an answer."""
    with pytest.raises(pages.UnknownFilterError):
        await pages.recipients(conn, "m1", "lost", "", 10)
    with pytest.raises(pages.BadCursorError):
        await pages.recipients(conn, "m1", "", "1;drop", 10)


async def test_a_retry_counts_its_attempts_and_a_release_does_not(engine: AsyncEngine, story: Story) -> None:
    """Deferred, released, accepted: two attempts; the reply is the last one."""
    story.sent("m1", 0, [3], "released")
    story.sent("m1", 0, [3])
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        row = (await pages.recipients(conn, "m1", "", "0.2", 1))["rows"][0]
    assert (row["attempts"], row["outcome"], row["code"]) == (2, "accepted", 250)


@pytest.mark.feature("M6")
async def test_links_list_hits_and_people(conn: AsyncConnection) -> None:
    """Links nobody asked for are listed too."""
    by = {"human": 1, "proxy": 0, "apple": 0, "machine": 0, "unknown": 0}
    row = {"link": 0, "url": "https://a.example/", "name": "", "hits": 1, "people": 1, "others": 0, "by": by}
    assert await queries.links(conn, "m1") == [row]


async def test_the_timeline_shows_mails_and_hits(conn: AsyncConnection) -> None:
    """Accepted, opens and clicks stand in their seconds."""
    found = await queries.timeline(conn, "m1")
    assert found["step"] == 1
    points = [(point["at"][14:19], point["accepted"], point["opens"], point["clicks"]) for point in found["points"]]
    assert points == [("00:00", 2, 0, 0), ("01:00", 0, 1, 0), ("01:05", 0, 1, 0), ("01:09", 0, 0, 1)]


async def test_the_timeline_of_a_long_mailing_is_coarser(engine: AsyncEngine, story: Story) -> None:
    """Some hundred points at most."""
    story.hit(hit("late", "m1", 0, 0, after=3 * 3600))
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        found = await queries.timeline(conn, "m1")
    assert found["step"] == 60
    assert sum(point["opens"] for point in found["points"]) == 3


async def test_the_log_tells_who_did_what_newest_first(conn: AsyncConnection) -> None:
    """Lines carry principal, time and text, and come page by page."""
    page = await pages.log_lines(conn, "m1", "", 2)
    assert [(row["text"], row["principal"]) for row in page["rows"]] == [
        ("Sending started", "anna"),
        ("Audience fixed: 10 recipients in 3 chunks", "anna"),
    ]
    rest = await pages.log_lines(conn, "m1", page["next"], 10)
    assert [row["text"] for row in rest["rows"]] == ["Mailing 'News' drafted"]
    assert rest["next"] == ""
    everything = await pages.log_lines(conn, "", "", 10)
    assert everything["rows"][-1]["text"] == "Campaign 'Autumn' opened"


async def test_consent_is_shown_with_all_that_is_known_of_it(engine: AsyncEngine, story: Story) -> None:
    """List, mail, reason, what the page said: found by the hash of the address, whoever the directory knows."""
    event = OptedOut(
        address_key=KEY,
        scope="l1",
        how="page",
        mailing="m1",
        n=0,
        index=1,
        reason="too_often",
        words="w1",
        comment="k9",
    )
    story.tell(subjects.consent(15), OptInRequested(address_key=KEY, scope="l2", how="operator"))
    story.tell(subjects.consent(15), event)
    await project(engine, story.commits)
    async with engine.begin() as conn:
        rows = [("list.l1", "Customers"), ("w1", "language: en"), ("k9", "Too many")]
        await conn.execute(tables.notes.insert(), [{"key": key, "text": text} for key, text in rows])
        await conn.execute(tables.people.delete())
    async with reading(engine).connect() as conn:
        _, asked, left = await pages.consent_acts(conn, KEY)
    assert (asked["act"], asked["how"], asked["holds"], asked["list"]) == ("opt_in_requested", "operator", True, "")
    assert (left["list"], left["subject"], left["words"]) == ("Customers", "Hello", "language: en")
    assert (left["reason"], left["comment"], left["holds"]) == ("too_often", "Too many", True)


async def test_an_opt_in_that_comes_late_does_not_undo_a_newer_opt_out(engine: AsyncEngine, story: Story) -> None:
    """It waited in a spool: what holds is what the person said last."""
    late = OptedIn(address_key=KEY, scope="l1", how="page")
    commit = story.tell(subjects.consent(15), late)
    (record,) = commit.events
    story.commits[-1] = replace(commit, events=(replace(record, time=record.time - timedelta(minutes=5)),))
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        acts = await pages.consent_acts(conn, KEY)
    assert [(act["act"], act["holds"]) for act in acts] == [("opted_out", True), ("opted_in", False)]


async def test_the_last_act_of_a_scope_holds(engine: AsyncEngine, story: Story) -> None:
    """Who opts in again is in; an old opt-out that is told once more changes nothing."""
    story.opted_out("m1", 0, 1, fact="again")
    story.tell(subjects.consent(15), OptedIn(address_key=KEY, scope="l1", how="page"))
    story.opted_out("m1", 0, 1, fact="again")
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        acts = await pages.consent_acts(conn, KEY)
    assert [(act["act"], act["holds"]) for act in acts] == [
        ("opted_out", False),
        ("opted_out", False),
        ("opted_in", True),
    ]


@pytest.mark.feature("M1")
async def test_mails_and_customers_are_counted_apart(engine: AsyncEngine, story: Story) -> None:
    """A customer with three addresses counts once in each group; whoever was erased is a customer of its own."""
    story.settled("m1", 1, group("accepted", [2], code=250))
    story.hit(hit("f9", "m1", 0, 3, link=0, after=9))
    await project(engine, story.commits)
    shared = [{"contact": contact, "customer": "r1", "page": 0} for contact in ("p0x0", "p0x1", "p0x2")]
    async with engine.begin() as writing:
        await writing.execute(insert(tables.people), [*shared, {"contact": "p1x2", "customer": "", "page": 0}])
    async with reading(engine).connect() as conn:
        counted = await customers.counts(conn, "m1")
        assert await customers.counts(conn, "nothing") is None
    assert counted is not None
    assert (counted["mailing"], counted["recipients"]) == ("m1", 10)
    assert {row["group"]: (row["mails"], row["customers"]) for row in counted["groups"]} == {
        "pending": (1, 1),
        "accepted": (3, 2),
        "deferred": (1, 1),
        "rejected": (1, 1),
        "skipped": (1, 1),
        "in_doubt": (1, 1),
        "failed": (3, 3),
        "opened": (1, 1),
        "clicked": (2, 2),
        "unsubscribed": (1, 1),
        "bounced": (0, 0),
        "complained": (0, 0),
        "replied": (0, 0),
    }
