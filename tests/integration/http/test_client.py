"""The Python client: typed answers, refusals as errors, contacts in messages that fit, the feed from a cursor on."""

import pytest

from shared.client import ContactRemovedFromList, ContactUpserted, CursorLostError, Posthaste, RefusedError
from shared.contracts import answers, commands, subjects
from shared.contracts.feed import ContactsChanged
from tests.harness.waiting import until
from tests.integration.http.conftest import House


@pytest.fixture
def posthaste(house: House) -> Posthaste:
    """Return a client of the producer."""
    return Posthaste(house.nc, "producer", source="crm")


def records(count: int, version: int = 1) -> list[ContactUpserted]:
    """Return so many records, all on one list."""
    return [
        ContactUpserted(id=str(n), version=version, addresses=[f"p{n}@x.example"], name="N" * 300, lists=["readers"])
        for n in range(count)
    ]


async def members(posthaste: Posthaste) -> int:
    """Return how many are on the list."""
    rows = (await posthaste.ask(commands.Lists(), answers.ListRows)).lists
    return next((row.members for row in rows if row.name == "readers"), 0)


async def test_contacts_go_out_in_messages_that_fit(house: House, posthaste: Posthaste) -> None:
    """As many messages as are needed, and what is told of them comes in; the last word counts."""
    sequences = await posthaste.contacts.upsert(records(1_200))
    assert len(sequences) == len(set(sequences)) == 3

    async def all_in() -> bool:
        return await members(posthaste) == 1_200

    await until(all_in, 30)
    await posthaste.contacts.remove_from_list([ContactRemovedFromList(id="7", version=2, list="readers")])

    async def one_left() -> bool:
        return await members(posthaste) == 1_199

    await until(one_left, 10)
    with pytest.raises(ValueError, match="source"):
        await Posthaste(house.nc, "producer").contacts.upsert(records(1))


async def test_a_no_is_an_error_with_its_code(posthaste: Posthaste) -> None:
    """Also where the permission is missing; an answer is never read by another model."""
    with pytest.raises(RefusedError) as caught:
        await posthaste.do(commands.OpenCampaign(name="c", lists=["nowhere"]), answers.CampaignDone)
    assert (caught.value.refusal.code, caught.value.refusal.field) == ("list_unknown", "lists")
    with pytest.raises(RefusedError, match="forbidden"):
        await posthaste.ask(commands.ParkedMessages(), answers.ParkedPage)
    with pytest.raises(TypeError, match="ListRows"):
        await posthaste.ask(commands.Lists(), answers.AccountRows)


async def test_the_feed_goes_on_behind_a_cursor(posthaste: Posthaste) -> None:
    """Typed, in order, each once; a cursor that leads nowhere is an error."""
    await posthaste.contacts.upsert(records(2))
    first = await anext(posthaste.events(of=subjects.OUT_CONTACT))
    assert isinstance(first.data, ContactsChanged)
    assert (first.data.source, first.data.added) == ("crm", 2)
    await posthaste.contacts.upsert(records(3, version=2))
    second = await anext(posthaste.events(first.cursor, of=subjects.OUT_CONTACT))
    assert isinstance(second.data, ContactsChanged)
    assert second.data.added == 1
    assert second.id != first.id
    with pytest.raises(CursorLostError):
        await anext(posthaste.events("99999"))
