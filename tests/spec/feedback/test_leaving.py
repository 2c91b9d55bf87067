"""A mail to the mailbox that List-Unsubscribe names is an opt-out, as far as a token of ours proves it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tracker.desk import Desk
from services.tracker.entries import Entry
from services.tracker.feedback.leaving import leaving
from services.tracker.recorder import NotKeptError, Recorder
from services.tracker.spool import Spool
from shared.contracts.consent import OptedOut
from shared.tokens import RecipientToken, UnsubscribeToken
from tests.harness.tracker import RING, SIGNER

KEY = RING.address_key("ann@example.com")
TOKEN = SIGNER.unsubscribe("m1", 3, 7, KEY, ["lista", "listb"])
ADDRESS = f"u+{SIGNER.kid}.m1.3.7.{SIGNER.bounce_mac(b'm1.3.7').decode()}@bounce.example"


def mail(to: str = ADDRESS, subject: str = TOKEN, *more: str) -> bytes:
    """Return a mail as a program sends it that was asked to unsubscribe."""
    fields = ["From: Ann <ann@example.com>", f"To: <{to}>", f"Subject: {subject}", *more]
    return "\r\n".join([*fields, "", "This message was automatically generated.", ""]).encode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (mail(), ("lista", "listb")),
        (mail(subject=f"Re: unsubscribe {TOKEN} please"), ("lista", "listb")),
        (mail(to=ADDRESS.upper()), ("lista", "listb")),
        (mail("hello@example.com", TOKEN, f"Delivered-To: {ADDRESS}"), ("lista", "listb")),
        (mail(subject="=?utf-8?Q?" + TOKEN.replace("+", "=2B").replace("_", "=5F") + "?="), ("lista", "listb")),
    ],
)
def test_the_subject_proves_who_leaves_what(raw: bytes, expected: tuple[str, ...]) -> None:
    """The token of the page, wherever in the subject, at an address that unsubscribes."""
    token = leaving(raw, RING)
    assert isinstance(token, UnsubscribeToken)
    assert (token.address_key, token.scope) == (KEY, expected)


def test_without_its_subject_the_address_tells_which_mail_it_was() -> None:
    """In whatever case a relay left it."""
    token = leaving(mail(to=ADDRESS.upper(), subject="unsubscribe"), RING)
    assert isinstance(token, RecipientToken)
    assert (token.mailing, token.n, token.index) == ("m1", 3, 7)


@pytest.mark.parametrize(
    "raw",
    [
        mail("hello@example.com"),
        mail(ADDRESS.replace("u+", "b+")),
        mail(ADDRESS.replace(".3.7.", ".3.8."), "unsubscribe"),
        mail(ADDRESS.replace(".3.7.", ".3.8."), TOKEN.replace("lista", "listc")),
        b"",
    ],
)
def test_what_no_token_proves_is_no_opt_out(raw: bytes) -> None:
    """Another mailbox, a forged address, a forged subject, nothing at all."""
    assert leaving(raw, RING) is None


@given(st.binary(max_size=400))
def test_whatever_comes_is_read(raw: bytes) -> None:
    """No mail breaks the reading, and the address proves what it proves."""
    leaving(raw, RING)
    assert leaving(b"To: <" + ADDRESS.encode() + b">\r\nSubject: " + raw, RING) is not None


async def _taken(folder: Path, *mails: bytes) -> list[Entry]:
    spool = Spool(folder, 1_000_000)
    spool.open()
    desk = Desk(RING, Recorder(spool))
    for each in mails:
        await desk.take(each, "file")
    found = [entry async for entry in spool.drain()]
    await spool.close()
    return found


async def test_the_same_mail_twice_is_one_act(tmp_path: Path) -> None:
    """An opt-out of every list of the token, named after the mail that asked for it; nothing else is recorded of it."""
    first, again = await _taken(tmp_path, mail(), mail())
    assert first.origin.command_id == again.origin.command_id
    assert [(type(event), event.scope, event.how) for event in first.events if isinstance(event, OptedOut)] == [
        (OptedOut, "lista", "mailto"),
        (OptedOut, "listb", "mailto"),
    ]


async def test_a_bounce_is_never_an_opt_out(tmp_path: Path) -> None:
    """A delivery report that lands at the mailbox is taken as a report."""
    report = (
        f"From: MAILER-DAEMON@example.net\r\nTo: {ADDRESS}\r\nSubject: Undelivered {TOKEN}\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\n\r\nfailed\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.example\r\n\r\n"
        "Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    entries = await _taken(tmp_path, report.encode())
    assert not [event for entry in entries for event in entry.events if isinstance(event, OptedOut)]


async def test_while_nobody_can_be_asked_whose_mail_it_was_it_is_not_taken(tmp_path: Path) -> None:
    """Without subject and without broker the mailbox keeps it, and hands it in again."""
    with pytest.raises(NotKeptError):
        await _taken(tmp_path, mail(subject="unsubscribe"))
