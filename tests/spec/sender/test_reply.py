"""What relays say, read: codes, queue ids, verdicts."""

import pytest

from services.sender.replies.reply import Phase, classify, parse, queue_id

LINES = (
    ([b"250 2.0.0 Ok: queued as 1A2B3C\r"], ("2.0.0", "Ok: queued as 1A2B3C")),
    ([b"250 Ok\r"], ("", "Ok")),
    ([b"250"], ("", "")),
    ([b"250 "], ("", "")),
    ([b"550 5.1.1\r"], ("5.1.1", "")),
    (
        [b"550-5.1.1 The account\r", b"550-5.1.1 does not\r", b"550 5.1.1 exist. - gsmtp\r"],
        ("5.1.1", "The account does not exist. - gsmtp"),
    ),
    ([b"550-first\r", b"550 5.7.1 last\r"], ("5.7.1", "first last")),
    ([b"550 5.7.606-649 Access denied\r"], ("5.7.606", "649 Access denied")),
    ([b"550 5.1.1.1 no\r"], ("", "5.1.1.1 no")),
    ([b"554 \xe9\x00\x1b[31m red\r"], ("", "\N{REPLACEMENT CHARACTER}  [31m red")),
)


@pytest.mark.parametrize(("lines", "expected"), LINES)
def test_a_reply_is_parted_into_enhanced_code_and_text(lines: list[bytes], expected: tuple[str, str]) -> None:
    """Codes and control characters go, the words of all lines stay in order."""
    assert parse(lines) == expected


def test_a_long_reply_keeps_its_last_line() -> None:
    """At most 500 characters, the last line always among them."""
    _, text = parse([b"550-" + b"a" * 400, b"550-" + b"b" * 400, b"550 the end"])
    assert len(text) <= 500
    assert text.endswith(" the end")
    assert len(parse([b"550 " + b"x" * 4000])[1]) == 500


QUEUE_IDS = (
    ("Ok: queued as 4Yk2Lx1QzCz9s1K", "4Yk2Lx1QzCz9s1K"),
    ("OK id=1tEXmp-000000001Ab-2cDe", "1tEXmp-000000001Ab-2cDe"),
    ("s7Nh9Xk1012345 Message accepted for delivery", ""),
    ("OK 1732281234 d75a77b69052e-4653c3b1f0asi1234567a - gsmtp", "1732281234"),
    ("<abc@mail.example> [InternalId=123456789, Hostname=X.prod.outlook.com] Queued mail for delivery", "123456789"),
    ("Ok 0102018f7e2f3a4b-1a2b3c4d-5e6f-000000", "0102018f7e2f3a4b-1a2b3c4d-5e6f-000000"),
    ("Ok: queued as mail@example.com", ""),
    ("Ok: queued", ""),
    ("Ok", ""),
    ("Message accepted", ""),
)


@pytest.mark.parametrize(("text", "expected"), QUEUE_IDS)
def test_the_queue_id_of_common_relays_is_found(text: str, expected: str) -> None:
    """What the relay calls the mail, never an address; "" where it does not say."""
    assert queue_id(text) == expected


VERDICTS = (
    (Phase.DOT, 250, "2.0.0", "Ok", ("accepted", "unknown", "")),
    (Phase.DOT, 0, "", "", ("in_doubt", "unknown", "")),
    (Phase.NOT_SENT, 0, "", "", ("released", "unknown", "")),
    (Phase.NOT_SENT, 421, "4.3.2", "bye", ("released", "unknown", "")),
    (Phase.RCPT, 550, "5.1.1", "User unknown", ("rejected", "address", "user-unknown")),
    (Phase.RCPT, 550, "", "Unknown user x@example.com", ("rejected", "address", "user-unknown")),
    (Phase.RCPT, 550, "", "No such user here", ("rejected", "address", "user-unknown")),
    (Phase.RCPT, 550, "", "Requested action not taken: mailbox unavailable", ("rejected", "address", "user-unknown")),
    (Phase.RCPT, 550, "5.7.1", "550 User Unknown: x@example.org", ("rejected", "address", "user-unknown")),
    (Phase.RCPT, 550, "5.2.1", "account disabled", ("rejected", "address", "mailbox-disabled")),
    (Phase.RCPT, 550, "", "This account has been disabled", ("rejected", "address", "mailbox-disabled")),
    (Phase.RCPT, 452, "4.2.2", "over quota", ("deferred", "address", "mailbox-full")),
    (Phase.RCPT, 552, "5.2.2", "Quota exceeded", ("rejected", "address", "mailbox-full")),
    (Phase.RCPT, 552, "", "user x is over quota", ("rejected", "address", "mailbox-full")),
    (Phase.RCPT, 450, "4.7.1", "Greylisted, see http://x", ("deferred", "address", "greylisted")),
    (Phase.RCPT, 451, "", "Graylisting in action", ("deferred", "address", "greylisted")),
    (Phase.RCPT, 450, "", "", ("deferred", "address", "mailbox-busy")),
    (Phase.RCPT, 550, "5.1.2", "bad host", ("rejected", "domain", "domain-unknown")),
    (Phase.RCPT, 556, "5.1.10", "null MX", ("rejected", "domain", "null-mx")),
    (Phase.RCPT, 554, "5.7.1", "Relay access denied", ("rejected", "us", "credentials")),
    (Phase.RCPT, 554, "5.7.1", "Client host blocked using zen.spamhaus.org", ("rejected", "us", "reputation")),
    (Phase.DOT, 550, "5.7.26", "unauthenticated email", ("rejected", "sender", "authentication")),
    (Phase.DOT, 550, "5.7.515", "Access denied", ("rejected", "sender", "authentication")),
    (Phase.DOT, 550, "5.7.606", "banned sending IP", ("rejected", "us", "reputation")),
    (Phase.DOT, 421, "4.7.28", "unusual rate", ("deferred", "us", "reputation")),
    (Phase.DOT, 550, "5.4.5", "Daily user sending quota exceeded", ("rejected", "us", "quota")),
    (Phase.RCPT, 550, "5.4.6", "sending limit exceeded", ("rejected", "us", "quota")),
    (Phase.RCPT, 554, "5.4.6", "Too many hops", ("rejected", "domain", "loop")),
    (Phase.DOT, 554, "5.7.1", "Message looks like spam", ("rejected", "content", "spam")),
    (Phase.DOT, 552, "5.3.4", "too big", ("rejected", "content", "too-large")),
    (Phase.DOT, 552, "", "", ("rejected", "content", "too-large")),
    (Phase.DOT, 554, "", "", ("rejected", "unknown", "refused")),
    (Phase.DOT, 451, "4.3.0", "Try again later", ("deferred", "domain", "busy")),
    (Phase.MAIL, 550, "", "Unknown user", ("rejected", "sender", "bad-sender")),
    (Phase.MAIL, 451, "4.3.0", "Temporary failure", ("deferred", "us", "busy")),
    (Phase.MAIL, 530, "5.7.0", "Authentication required", ("rejected", "us", "credentials")),
    (Phase.RCPT, 550, "", "nope", ("rejected", "unknown", "refused")),
    (Phase.DATA, 554, "5.5.1", "no valid recipients", ("rejected", "us", "protocol")),
)


@pytest.mark.parametrize(("phase", "code", "enhanced", "text", "expected"), VERDICTS)
def test_outcome_comes_from_phase_and_code_and_the_words_tell_whose_fault_it_is(
    phase: Phase, code: int, enhanced: str, text: str, expected: tuple[str, str, str]
) -> None:
    """4xx defers, 5xx rejects, nothing else decides; only an address at fault is in scope `address`."""
    assert tuple(classify(phase, code, enhanced, text)) == expected


@pytest.mark.parametrize("code", [450, 451, 452, 550, 551, 553, 554])
@pytest.mark.parametrize("text", ["", "sorry", "denied by policy", "5.7.1 rejected", "Blocked - see https://x.example"])
def test_words_we_do_not_understand_never_blame_the_address(code: int, text: str) -> None:
    """An address is only to blame when the relay says so: anything else must not suppress it."""
    assert classify(Phase.DOT, code, "", text).scope != "address" or code == 450
