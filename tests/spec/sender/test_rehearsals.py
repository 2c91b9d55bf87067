"""Mails that are made and not sent: as many as there is time for, and none for who waits no more."""

from base64 import b64decode

import orjson
import pytest

from services.planner.content.freezing import freeze_content
from services.sender.mails.contents import Contents
from services.sender.mails.rehearsals import LATER, Rehearsals, made
from shared import clock
from shared.contracts.commands import DraftMailing, Rehearsal
from shared.contracts.content import Content
from shared.dkim_keys import SigningKey
from shared.eventlog.errors import MissingError
from shared.keys import KeyRing
from tests.spec.sender.composing import DATE, composer, row

KEYS = KeyRing.of("s" * 32, "p" * 32)
WANTED = Rehearsal(
    mailing="m1", account="a1", content="", tracking="off", token_key=KEYS.active, n=0, date=DATE, first=0, until=0
)
ROWS = [orjson.dumps(row(address=f"p{n}@x.example", fields={"first": "A" * n} if n != 2 else {})) for n in range(4)]


def _content() -> Content:
    letter = {"sender_address": "news@mail.example.com", "subject": "Hello {{ first }}", "text": "Hello"}
    draft = DraftMailing.model_validate({"campaign": "c1", "name": "m", "account": "a1", **letter})
    frozen = freeze_content(draft, {"first"}, list_name="", list_id="")
    assert isinstance(frozen, Content)
    return frozen


@pytest.mark.feature("B13")
def test_parts_of_a_chunk_are_together_what_the_whole_is() -> None:
    """Without time one mail is made, whichever is first; indexes stay those of the chunk."""
    at_work = composer(_content())
    whole = made(at_work, ROWS, WANTED, 60)
    assert (len(whole.sizes), whole.causes) == (4, {2: "render: missing field first"})
    parts = [made(at_work, ROWS[n:], WANTED.model_copy(update={"first": n}), -1) for n in range(4)]
    assert [part.sizes for part in parts] == [[size] for size in whole.sizes]
    assert b"".join(b64decode(part.digests) for part in parts) == b64decode(whole.digests)
    assert parts[2].causes == whole.causes


async def _no_key(_domain: str, _selector: str) -> SigningKey:
    raise MissingError("there is none")


@pytest.mark.feature("B13")
async def test_what_is_waited_for_no_more_is_not_begun() -> None:
    """A request that lay too long is answered with `later`; the same in time is made."""
    content = _content().encoded()

    async def fetch(_name: str) -> bytes:
        return content

    rehearsals = Rehearsals(Contents(fetch, _no_key, KEYS, "https://t.example"), lambda _: "")
    now, payload = clock.now().timestamp(), b"\n".join(ROWS)
    assert await rehearsals.rehearse(WANTED.model_copy(update={"until": now - 1}).packed(payload)) == LATER
    came = await rehearsals.rehearse(WANTED.model_copy(update={"until": now + 600}).packed(payload))
    assert (came.problem, len(came.sizes)) == ("", 4)
