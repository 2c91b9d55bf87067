"""Floods of bodies that nobody has proven: who can sign is heard beside them, at this provider and at the others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Literal

import pytest

from services.tracker import edge
from services.tracker.feedback.report import Report
from services.tracker.webhooks.hooks import MAX_HOOK_BODY
from services.tracker.webhooks.providers import Mailgun, Postmark, Provider, SendGrid
from tests.harness.waiting import until
from tests.harness.webhooks import (
    MAILGUN_KEY,
    POSTMARK_LOGIN,
    Posted,
    SendGridSigner,
    mailgun,
    mailgun_failure,
    postmark,
    postmark_bounce,
    sendgrid_bounce,
)
from tests.integration.tracker.hooks import Site, site

SENDGRID = SendGridSigner()
SIGNED = {
    "mailgun": lambda: mailgun(mailgun_failure()),
    "postmark": lambda: postmark(postmark_bounce()),
    "sendgrid": lambda: SENDGRID.post([sendgrid_bounce()]),
}
PIECE = b" " * 60_000
ROOM = 5 * len(PIECE)


def _providers() -> dict[str, Provider]:
    return {
        "mailgun": Mailgun([MAILGUN_KEY]),
        "postmark": Postmark([POSTMARK_LOGIN]),
        "sendgrid": SendGrid([SENDGRID.public]),
    }


def _start(name: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request whose body never comes to its end."""
    lines = [f"POST /hooks/{name} HTTP/1.1", "Host: x", f"Content-Length: {MAX_HOOK_BODY}"]
    return "\r\n".join([*lines, *(f"{key}: {value}" for key, value in headers.items()), "", ""]).encode()


async def _flooder(port: int, start: bytes, answers: list[bytes]) -> None:
    """Send a piece of a body and wait; whenever that is ended, begin again."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(start + PIECE)
            answers.append((await reader.read())[:12])
        except ConnectionError:  # ended while we wrote
            answers.append(b"")
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def _flood(found: Site, name: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[list[bytes]]:
    """Keep the room of a provider full; yield how the bodies of the flood end."""
    answers: list[bytes] = []
    start = _start(name, headers or {})
    flood = [asyncio.create_task(_flooder(found.web.port, start, answers)) for _ in range(ROOM // len(PIECE))]

    async def full() -> bool:
        return found.hooks._rooms[name].held == ROOM

    try:
        await until(full, 20)
        yield answers
    finally:
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)


@pytest.mark.parametrize("name", ["mailgun", "sendgrid"])
async def test_a_flood_of_one_provider_keeps_no_signed_webhook_out(name: Literal["mailgun", "sendgrid"]) -> None:
    """Neither those of others nor its own: the oldest body of the flood makes room, and is asked to come again."""
    signature = {"X-Twilio-Email-Event-Webhook-Signature": "x", "X-Twilio-Email-Event-Webhook-Timestamp": "1"}
    async with site(_providers(), most=ROOM) as found, _flood(found, name, signature) as answers:
        signed = {each: post() for each, post in SIGNED.items()}
        for _ in range(10):
            for each, posted in signed.items():
                assert (await found.post(each, posted)).status == 200, each
                assert found.hooks._rooms[name].held <= ROOM
        assert answers
        assert set(answers) <= {b"HTTP/1.1 503", b"HTTP/1.1 408", b""}
    assert len(found.desk.facts) == 3


async def test_what_one_provider_holds_is_not_taken_from_others() -> None:
    """Proven, and not recorded yet: it makes no room, its own provider comes again, and the others are taken."""
    async with site(_providers(), most=ROOM) as found:
        found.hooks._rooms["mailgun"].held = ROOM
        answers = {name: (await found.post(name, post())).status for name, post in SIGNED.items()}
        assert answers == {"mailgun": 503, "postmark": 200, "sendgrid": 200}


async def test_a_room_is_empty_when_all_are_gone() -> None:
    """What was ended, what went away and what was recorded holds nothing."""
    async with site(_providers(), most=ROOM) as found:
        room = found.hooks._rooms["mailgun"]
        async with _flood(found, "mailgun"):
            assert (await found.post("mailgun", SIGNED["mailgun"]())).status == 200

        async def empty() -> bool:
            return (room.held, len(room.unproven)) == (0, 0)

        await until(empty, 20)


class _Pondering:
    """A provider whose checks may take for ever, as those may that ask somebody else."""

    def early(self, headers: Mapping[bytes, str]) -> None:
        """Let everything in."""

    async def check(self, headers: Mapping[bytes, str], body: bytes, now: datetime) -> Iterable[Report]:
        """Never return, but for a short body."""
        del headers, now
        if len(body) >= len(PIECE):
            await asyncio.Event().wait()
        return ()


async def test_what_is_being_checked_is_not_proven_either() -> None:
    """It makes room as what is still being read does."""
    async with site({"slow": _Pondering()}, most=ROOM) as found:
        pondered = [asyncio.create_task(found.post("slow", Posted(PIECE))) for _ in range(ROOM // len(PIECE))]

        async def full() -> bool:
            return found.hooks._rooms["slow"].held == ROOM

        await until(full, 20)
        assert (await found.post("slow", Posted(b"{}"))).status == 200
        done, waiting = await asyncio.wait(pondered, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().status for task in done] == [503]
        assert len(waiting) == len(pondered) - 1
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_body_that_stops_coming_is_ended_long_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """408, however much of it came at the beginning."""
    monkeypatch.setattr(edge, "SILENT_SECONDS", 0.3)
    async with site(_providers()) as found:
        found.hooks._seconds = 600.0
        for beginning in (b"", b"{", b" " * (MAX_HOOK_BODY - 1)):
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection("127.0.0.1", found.web.port)
                writer.write(_start("mailgun", {}) + beginning)
                assert (await reader.read())[:12] == b"HTTP/1.1 408", len(beginning)
                writer.close()
        assert found.desk.calls == 0


@pytest.mark.alone
async def test_a_body_that_goes_on_coming_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take longer than the silence that is borne, as long as the pace is kept."""
    monkeypatch.setattr(edge, "SILENT_SECONDS", 1.0)
    posted = mailgun(mailgun_failure())
    body = b" " * 300_000 + posted.body
    head = f"POST /hooks/mailgun HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    async with site(_providers()) as found:
        reader, writer = await asyncio.open_connection("127.0.0.1", found.web.port)
        writer.write(head.encode())
        for start in range(0, len(body), 30_000):
            writer.write(body[start : start + 30_000])
            await writer.drain()
            await asyncio.sleep(0.2)  # the pace of a slow line
        assert (await reader.read())[:12] == b"HTTP/1.1 200"
        writer.close()
        assert len(found.desk.facts) == 1
