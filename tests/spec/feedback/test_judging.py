"""From what was said to a reason: words, codes, and when it was said."""

import pytest

from services.tracker.feedback import dialogue, judging
from services.tracker.feedback.judging import Said
from services.tracker.feedback.reasons import REASONS

SAYINGS = {
    "user-unknown": [
        "550 5.1.1 <ann@example.com>: no such person at this address",
        "550 5.1.351 Remote server refused",
    ],
    "mailbox-full": ["552 The user's inbox is over its storage limit", "550 La boîte aux lettres est pleine"],
    "mailbox-disabled": ["550 account ann@example.com has been suspended for non-payment"],
    "domain-unknown": ["550 Host or domain name not found. Name service error for name=nowhere.example"],
    "null-mx": ["556 5.1.10 the domain does not accept mail (nullMX)", "521 5.3.2 go elsewhere"],
    "too-large": ["552 5.3.4 Message size exceeds fixed limit", "554 message too large"],
    "authentication": ["550 5.7.1 rejected due to the DMARC policy of shop.example", "550 SPF check: fail"],
    "reputation": ["421 4.7.0 [TSS04] Messages deferred due to unexpected volume or user complaints - 4.16.55.1"],
    "blocked": ["554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using rbl.example"],
    "reverse-dns": ["550 the IP address sending this message does not have a PTR record setup"],
    "relaying": ["554 5.7.1 <ann@example.com>: Relay access denied"],
    "spam": ["550 5.7.1 This message scored 12.3 spam points", "554 rejected as junk"],
    "virus": ["554 your message was infected with a virus"],
    "policy": ["550 5.7.0 Local policy violation"],
    "rate": ["451 4.7.1 please try again slower"],
    "too-many-connections": ["421 too many concurrent SMTP connections from your host"],
    "suppressed": ["550 address is on our suppression list"],
    "tls": ["530 5.7.10 must issue a STARTTLS command first: encryption required"],
    "network": ["554 5.4.6 too many hops", "451 4.4.2 lost connection with mx.example.com"],
    "expired": ["connect to mx.example.com[192.0.2.9]:25: Connection timed out"],
    "system": ["451 4.3.0 internal server error"],
    "system-full": ["452 4.3.1 Insufficient system storage"],
    "mailer": ["command died with status 1: /usr/bin/procmail"],
    "protocol": ["503 5.5.1 bad sequence of commands"],
    "content": ["550 5.6.0 message contains invalid MIME headers"],
    "unclear": ["550 5.0.0 computer says no"],
    "unknown": [""],
}


@pytest.mark.parametrize(("reason", "text"), [(reason, text) for reason, texts in SAYINGS.items() for text in texts])
def test_a_saying_has_a_reason(reason: str, text: str) -> None:
    """What mail systems say, in whatever words."""
    assert judging.reason(Said(text, dialogue.status(text), dialogue.code(text))) == reason


def test_an_unknown_user_is_given_up_only_where_it_is_sure() -> None:
    """As the answer to RCPT TO, or with a code that says so; later it may be a filter's excuse."""
    said = Said("550 User unknown", "", "550")
    assert judging.reason(said) == "filtered"
    assert judging.reason(said._replace(command="DATA")) == "filtered"
    assert judging.reason(said._replace(command="RCPT")) == "user-unknown"
    assert judging.reason(said._replace(status="5.1.1")) == "user-unknown"
    assert judging.reason(said._replace(status="5.7.1", command="RCPT")) == "filtered"


def test_addresses_and_urls_do_not_decide() -> None:
    """A person called Spam, or a help page about viruses, is no reason."""
    assert (
        judging.normal("550 <spam@virus.example> see https://help.example/spam/virus") == "anaddress see help.example"
    )


def test_reasons_for_good_blame_address_or_domain() -> None:
    """Nothing that is our fault, the sender's or the content's gives an address up."""
    assert all(meaning.scope in ("address", "domain") for meaning in REASONS.values() if meaning.permanent)


def test_every_name_of_sisimai_stands_once() -> None:
    """Its reasons can be mapped without doubt."""
    names = [name for meaning in REASONS.values() for name in meaning.sisimai]
    assert len(names) == len(set(names))
