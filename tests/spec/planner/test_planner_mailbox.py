"""The decider of a mailbox, rule by rule."""

from typing import Any

import pytest

from services.planner.accounts.mailbox import Add, Edit, Mailbox, MailboxDecider, RecordTest, Remove
from shared.contracts.commands import Refusal
from shared.contracts.mailbox import MailboxAdded, MailboxEdited, MailboxRemoved, MailboxTested
from tests.harness.decider_spec import Spec

GIVEN: dict[str, Any] = {"name": "bounces", "host": "imap.example.com", "port": 993, "username": "bounces"}
ADDED = MailboxAdded(**GIVEN)
GOOD = MailboxTested(working=True, detail="Logged in.")


def mailbox() -> Spec[Mailbox, Add | Edit | RecordTest | Remove]:
    """Begin a sentence about a mailbox."""
    return Spec(MailboxDecider())


def test_it_is_added_once() -> None:
    """The same again is nothing, another one under its id is refused."""
    mailbox().when(Add(ADDED)).then(ADDED)
    other = MailboxAdded(**GIVEN | {"name": "other"})
    mailbox().given(ADDED).when(Add(other)).then(Refusal(code="mailbox_exists", message=""))


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"host": "imap example"}, "host_invalid", "host"),
        ({"security": "none"}, "password_in_clear", "security"),
        ({"folders": ["INBOX", "inbox"]}, "folder_invalid", "folders"),
        ({"folders": ["INBOX", "Junk"], "target": "Junk"}, "folder_invalid", "target"),
        ({"folders": ["INBOX", "Sent"], "sent": "Sent"}, "folder_invalid", "sent"),
        ({"target": "Sent", "sent": "Sent"}, "folder_invalid", "sent"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], code: str, field: str) -> None:
    """No password in clear, no folder twice, nothing moved into what is read; the field is named."""
    spec = mailbox().when(Add(MailboxAdded.model_validate(GIVEN | changes)))
    spec.then(Refusal(code=code, message="", field=field))
    edit = Edit(MailboxEdited.model_validate(GIVEN | changes))
    mailbox().given(ADDED).when(edit).then(Refusal(code=code, message="", field=field))


def test_without_tls_the_loopback_host_will_do() -> None:
    """A password that never leaves the machine needs no TLS."""
    local = MailboxAdded.model_validate(GIVEN | {"host": "localhost", "security": "none"})
    mailbox().when(Add(local)).then(local)


def test_after_another_password_the_last_test_says_nothing() -> None:
    """So it does after another server or folder; another name or interval leaves it."""
    renamed = MailboxEdited.model_validate(GIVEN | {"name": "other", "interval": 60})
    spec = mailbox().given(ADDED, GOOD).when(Edit(renamed)).then(renamed)
    assert spec.state.tested == GOOD
    fresh = MailboxEdited(**GIVEN, password_changed=True)
    spec = mailbox().given(ADDED, GOOD).when(Edit(fresh)).then(fresh, repeats="nobody knows whether it is the same one")
    assert spec.state.tested is None


def test_a_test_is_recorded_each_time() -> None:
    """It is an observation, not a state."""
    mailbox().given(ADDED).when(RecordTest(GOOD)).then(GOOD, repeats="seen again")
    mailbox().when(RecordTest(GOOD)).then(Refusal(code="mailbox_unknown", message=""))


def test_a_removed_mailbox_never_comes_back() -> None:
    """Nothing can be done with it any more."""
    mailbox().given(ADDED).when(Remove()).then(MailboxRemoved())
    gone = mailbox().given(ADDED, MailboxRemoved())
    assert gone.state.there is None
    gone.when(Edit(MailboxEdited(**GIVEN))).then(Refusal(code="mailbox_unknown", message=""))
    gone.when(Add(MailboxAdded(**GIVEN | {"name": "x"}))).then(Refusal(code="mailbox_exists", message=""))
