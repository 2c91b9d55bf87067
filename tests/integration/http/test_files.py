"""Files in and out over HTTP: uploads that are streamed and bounded, a preview, an export that is safe to open."""

import contextlib
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.planner.intake.uploads import PART
from services.reporting.export import safe
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Refusal
from shared.contracts.envelope import Origin
from shared.eventlog.documents import Documents
from shared.ids import new_id
from shared.messaging.client import UnansweredError
from tests.harness.story import Story
from tests.integration.http.conftest import House

HEAD = b"E-Mail;Full name;City\n"


@pytest.fixture
def http_settings() -> dict[str, Any]:
    """Return settings with a small limit for uploads."""
    return {"http_rate": 10_000, "http_burst": 10_000, "http_upload_bytes": 3 * PART, "http_body_bytes": 2000}


async def test_an_upload_becomes_parts_and_can_be_imported(house: House) -> None:
    """The bytes are the same, cut at 512 KiB wherever the client cut them; the import takes them."""
    rows = b"".join(b"a%d@example.com;Ada %d;Bern\n" % (n, n) for n in range(30_000))
    file = HEAD + rows

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(file), 100_001):
            yield file[start : start + 100_001]

    async with house.client() as client:
        upload = await client.upload(pieces())
    assert not isinstance(upload, Refusal)
    assert (upload["parts"], upload["bytes"]) == (-(-len(file) // PART), len(file))
    inbox = Documents(house.nc, subjects.INBOX)
    parts = [await inbox.get(subjects.upload_part(upload["upload"], part)) for part in range(upload["parts"])]
    assert {len(part) for part in parts[:-1]} == {PART}
    assert b"".join(parts) == file
    await house.do(commands.ImportContacts(upload=upload["upload"], parts=upload["parts"], list="readers"))


async def test_a_file_that_is_too_large_or_empty_is_refused(house: House) -> None:
    """Announced or not, it ends at the limit; so does the body of a request."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            yield b"x" * 65_536
            sent += 65_536

    async with house.client() as client:
        assert _code(await client.upload(b"x" * (3 * PART + 1))) == "body_too_large"
        with contextlib.suppress(UnansweredError):  # the connection may be cut before the client reads the answer
            assert _code(await client.upload(endless())) == "body_too_large"
        assert sent < 3 * PART + 20_000_000
        assert _code(await client.upload(b"")) == "file_empty"
        too_long = commands.OpenCampaign(name="x", lists=["x" * 3000])
        assert _code(await client.command(too_long)) == "body_too_large"


def _code(refused: Any) -> str:  # noqa: ANN401 - whatever a client may get
    refusal = refused.refusal if isinstance(refused, Answer) else refused
    assert isinstance(refusal, Refusal), refused
    return refusal.code


async def test_a_preview_shows_what_an_import_would_read(house: House) -> None:
    """Encoding, delimiter, fields, the first rows, and what is wrong with them; nothing is imported."""
    bad = "Zoë@;Zoë;Bern\nada@example.com;Ada\n".encode()
    async with house.client() as client:
        upload = await client.upload(HEAD + b"ada@example.com;Ada;Bern\n" + bad)
        assert not isinstance(upload, Refusal)
        seen = (await client.query(commands.PreviewImport(upload=upload["upload"]))).data
        assert (seen["encoding"], seen["delimiter"], seen["problem"]) == ("utf-8", ";", None)
        assert [column["field"] for column in seen["columns"]] == ["email", "name", "city"]
        assert [row["reason"] != "" for row in seen["rows"]] == [False, True, True]
        assert seen["rows"][0] == {"line": 2, "cells": ["ada@example.com", "Ada", "Bern"], "reason": "", "column": ""}
        assert (seen["rows"][1]["column"], seen["rows"][1]["line"]) == ("E-Mail", 3)
        one = (await client.query(commands.PreviewImport(upload=upload["upload"], limit=1))).data
        assert len(one["rows"]) == 1
        mapped = commands.PreviewImport(upload=upload["upload"], columns={"City": "town", "Full name": ""})
        assert [each["field"] for each in (await client.query(mapped)).data["columns"]] == ["email", "", "town"]
        assert (await client.query(commands.Lists())).data["lists"] == []


async def test_a_preview_says_what_keeps_a_file_from_being_imported(house: House) -> None:
    """With as much of the file as can be read, so a person sees which column to map."""
    async with house.client() as client:
        upload = await client.upload(b"Address,City\nada@example.com,Bern\n")
        assert not isinstance(upload, Refusal)
        seen = (await client.query(commands.PreviewImport(upload=upload["upload"]))).data
        assert seen["problem"]["code"] == "email_missing"
        assert [column["header"] for column in seen["columns"]] == ["Address", "City"]
        assert seen["rows"][0]["cells"] == ["ada@example.com", "Bern"]
        mapped = commands.PreviewImport(upload=upload["upload"], columns={"Address": "email"})
        assert (await client.query(mapped)).data["problem"] is None
        strange = await client.upload("email,name\nada@example.com,Zoë\n".encode("latin-1"))
        assert not isinstance(strange, Refusal)
        seen = (await client.query(commands.PreviewImport(upload=strange["upload"]))).data
        assert (seen["problem"]["code"], seen["encoding"]) == ("encoding_wrong", "utf-8")
        seen = (await client.query(commands.PreviewImport(upload=strange["upload"], encoding="latin-1"))).data
        assert (seen["problem"], seen["rows"][0]["cells"][1]) == (None, "Zoë")
        assert _code(await client.query(commands.PreviewImport(upload="nope"))) == "upload_missing"


async def test_an_export_has_every_recipient_and_no_formula(house: House) -> None:
    """All pages in one file; a filter as in the query; no mailing, no file."""
    story = Story()
    story.started("m1", 2500, chunks=1)
    for n in range(5):
        story.planned("m1", n, 500)
        story.sent("m1", n, list(range(499)))
        story.sent("m1", n, [499], "rejected")
    for commit in story.commits:
        for record in commit.events:
            await _tell(house, commit.subject, record)
    async with house.client() as client:
        await client.query(commands.Status(mailing="m1"), (await house.log.bounds()).last_seq)
    reply = await house.ask("reporting", "GET", "/v1/mailings/m1/recipients.csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert len({(row["n"], row["index"]) for row in rows}) == len(rows) == 2500
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    failed = await house.ask("reporting", "GET", "/v1/mailings/m1/recipients.csv?outcome=rejected")
    assert len(failed.text.splitlines()) == 6
    assert (await house.ask("reporting", "GET", "/v1/mailings/m2/recipients.csv")).status_code == 404
    assert (await house.ask("reporting", "GET", "/v1/mailings/m1/recipients.csv?outcome=lost")).status_code == 422


async def _tell(house: House, subject: str, record: Any) -> None:  # noqa: ANN401 - an event as the story tells it
    expected = await house.log.last_seq(subject)
    await house.log.append(subject, [record.event], expected=expected, origin=Origin(new_id(), "test", clock.now()))


@pytest.mark.parametrize("cell", ['=cmd|"/c calc"!A1', "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_is_a_formula(cell: str) -> None:
    """What a spreadsheet would carry out begins with an apostrophe."""
    assert safe(cell) == f"'{cell}"
    assert safe(f"x{cell}") == f"x{cell}"
