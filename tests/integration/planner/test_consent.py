"""Double opt-in: who is asked gets one mail, and nothing of the list before the answer; producers ask once."""

import orjson

from shared import clock, languages
from shared.contracts import commands, subjects
from shared.contracts.consent import OptedIn, OptedOut, OptInRequested
from shared.contracts.content import Content, PayloadRow
from shared.contracts.envelope import Origin
from shared.contracts.sending import ChunkPlanned
from shared.eventlog.documents import Documents
from shared.eventlog.objects import Objects
from shared.ids import new_id
from tests.harness.waiting import until
from tests.integration.planner.conftest import LETTER, Desk


async def plans(desk: Desk) -> list[ChunkPlanned]:
    """Return the chunks of confirmations."""
    found = []
    async for commits in desk.log.scan([subjects.ALL_PLANS]):
        for commit in commits:
            found += [record.event for record in commit.events if isinstance(record.event, ChunkPlanned)]
    return [plan for plan in found if plan.kind == "confirmation"]


async def acts(desk: Desk) -> list[OptedIn | OptedOut | OptInRequested]:
    """Return all acts of consent."""
    return [
        record.event
        async for commits in desk.log.scan([subjects.ALL_CONSENT])
        for commit in commits
        for record in commit.events
        if isinstance(record.event, OptedIn | OptedOut | OptInRequested)
    ]


async def confirm(desk: Desk, key: str, scope: str) -> None:
    """Confirm as the tracker would."""
    act = OptedIn(address_key=key, scope=scope, how="confirmed")
    subject = subjects.consent(subjects.partition(key))
    await desk.log.append_journal(subject, [act], origin=Origin(new_id(), "tracker", clock.now()))


async def audience(desk: Desk, account: str, on: str) -> dict[str, str]:
    """Return why each address is left out of a mailing to a list, "" for who gets it."""
    campaign = (await desk.do(commands.OpenCampaign(name="May", lists=[on])))["campaign"]
    draft = {"campaign": campaign, "name": "May", "account": account, "sender_address": "a@example.com", **LETTER}
    mailing = (await desk.do(commands.DraftMailing.model_validate(draft)))["mailing"]
    await desk.do(commands.FreezeAudience(mailing=mailing))
    rows = (await desk.ask(commands.Audience(mailing=mailing)))["rows"]
    return {row["address"]: row["skipped"] for row in rows}


async def test_whoever_is_asked_gets_one_mail_and_nothing_else_before_the_answer(desk: Desk) -> None:
    """Asked in the list's language, not flooded, left out until the confirmation, in after it."""
    account = await desk.account()
    await desk.imported(b"email\nann@example.com\n")
    wanted = {"list": "readers", "account": account, "sender_address": "a@example.com", "language": "he"}
    await desk.do(commands.ListConfirmation.model_validate(wanted))
    assert [row["confirmed"] for row in (await desk.ask(commands.Lists()))["lists"]] == [True]
    wish = commands.OptIn(address="Bob@example.com", list="readers", name="Bob")
    asked = await desk.do(wish)
    assert asked["state"] == "asked"
    assert (await desk.do(wish))["state"] == "asked_before"
    assert (await desk.do(commands.OptIn(address="ann@example.com", list="readers")))["state"] == "unchanged"
    (plan,) = await plans(desk)
    assert (plan.lane, plan.n) == ("prompt", 0)
    payload = await Documents(desk.nc, subjects.PAYLOADS).get(subjects.payload(plan.mailing, 0))
    row = PayloadRow.model_validate(orjson.loads(payload))
    assert (row.address, row.lists) == ("Bob@example.com", [asked["list"]])
    assert row.fields == {"list": "readers", "person.status": ""}  # all that the mail may ask for
    content = Content.model_validate_json(await Objects(desk.nc, subjects.CONTENT).get(plan.content))
    assert content.subject == languages.of("he").mail.confirm_subject
    assert (content.language, content.unsubscribe, content.list_id) == ("he", False, "")
    assert await audience(desk, account, "readers") == {"ann@example.com": "", "Bob@example.com": "unconfirmed"}
    await confirm(desk, row.address_key, asked["list"])
    assert await audience(desk, account, "readers") == {"ann@example.com": "", "Bob@example.com": ""}
    requests = [act for act in await acts(desk) if isinstance(act, OptInRequested)]
    assert {act.scope for act in requests} == {asked["list"]}


async def test_a_list_that_demands_nothing_takes_them_at_once_and_lets_them_go(desk: Desk) -> None:
    """In and out as an operator was told; out of all mail is not undone by anybody but the person."""
    account = await desk.account()
    await desk.imported(b"email\nann@example.com\n")
    bob = {"address": "bob@example.com"}
    assert (await desk.do(commands.OptIn(**bob, list="readers")))["state"] == "subscribed"
    await desk.do(commands.OptOut(**bob, list="readers"))
    assert (await audience(desk, account, "readers"))["bob@example.com"] == "opted_out"
    assert (await desk.do(commands.OptIn(**bob, list="readers")))["state"] == "subscribed"
    await desk.do(commands.OptOut(**bob))
    assert await desk.refused(commands.OptIn(**bob, list="readers")) == "address_blocked"
    assert await desk.refused(commands.OptIn(**bob, list="nobody")) == "list_unknown"
    assert await desk.refused(commands.OptIn(address="nonsense", list="readers")) == "address_invalid"
    told = {"list": "readers", "account": account, "sender_address": "a@example.com", "text": "no link"}
    assert await desk.refused(commands.ListConfirmation.model_validate(told)) == "opt_in_link_missing"
    assert {act.how for act in await acts(desk) if isinstance(act, OptedIn | OptedOut)} == {"operator"}


async def test_a_producer_has_somebody_asked_once(desk: Desk) -> None:
    """Told again and again: one mail; told of somebody who left: none."""
    account = await desk.account()
    await desk.imported(b"email\nann@example.com\n")
    told = {"list": "readers", "account": account, "sender_address": "a@example.com"}
    await desk.do(commands.ListConfirmation.model_validate(told))
    await desk.do(commands.OptOut(address="eve@example.com", list="readers"))

    async def tell(version: int) -> None:
        for record in ("bob", "eve"):
            event = {
                "specversion": "1.0",
                "id": f"{record}{version}",
                "source": "shop",
                "type": "contact.upserted/1",
                "data": {
                    "id": record,
                    "version": version,
                    "addresses": [f"{record}@example.com"],
                    "lists": ["readers"],
                },
            }
            await desk.nc.jetstream().publish(subjects.CONTACTS_IN, orjson.dumps(event))

    async def members() -> int:
        return int((await desk.ask(commands.Lists()))["lists"][0]["members"])

    await tell(1)

    async def asked() -> bool:
        return bool(await plans(desk)) and await members() == 3

    await until(asked, 20)
    await tell(2)
    inbox = Documents(desk.nc, subjects.INBOX)

    async def taken() -> bool:
        return await inbox._reader.last(subjects.CONTACTS_IN) is None

    await until(taken, 20)
    assert len(await plans(desk)) == 1
    left = await audience(desk, account, "readers")
    assert left == {"ann@example.com": "", "bob@example.com": "unconfirmed", "eve@example.com": "opted_out"}


async def test_what_lists_are_called_is_told_to_the_tracker(desk: Desk) -> None:
    """A name stands in PEOPLE under the id of its list, for the page on which people leave it."""
    await desk.imported(b"email\nann@example.com\n", "News & more")
    (row,) = (await desk.ask(commands.Lists()))["lists"]
    people = Documents(desk.nc, subjects.PEOPLE)

    async def told() -> bool:
        return await people._reader.last(subjects.person_list(row["id"])) is not None

    await until(told, 20)
    assert orjson.loads(await people.get(subjects.person_list(row["id"]))) == {"name": "News & more"}
