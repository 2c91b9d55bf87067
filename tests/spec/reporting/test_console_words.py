"""What the console says of a mailing, and what it sends back of a draft: pure, without a page."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.reporting.console import words
from services.reporting.console.wordings import Draft, Language, Version, all_of, next_version
from services.reporting.console.written import anew, kept
from shared.contracts.commands import EditMailing

VIENNA = ZoneInfo("Europe/Vienna")
STATUS = {"scheduled_at": "2026-12-01T08:00:00.000Z", "drafted_at": "2026-11-30T08:00:00.000Z", "finished_at": ""}
FOUND: dict[str, Any] = {
    "mailing": "m1",
    "campaign": "c1",
    "name": "May",
    "account": "a1",
    "sender_address": "news@shop.example",
    "subject": "Hello",
    "html": "<p>Hello</p>",
    "text": "",
    "zone": "Europe/Athens",
    "attachments": [{"object": "0" * 64, "file_name": "a.pdf", "media_type": "application/pdf", "size": 7}],
    "variants": {"de": {"subject": "Hallo", "html": "", "text": "Hallo", "language": "de"}},
    "stop": None,
    "batch": None,
    "ab_test": None,
}


@pytest.mark.feature("P5")
@pytest.mark.parametrize(
    ("status", "started", "opens", "said"),
    [
        ("Planned", "", "", "drafted 30 Nov 2026, 09:00"),
        ("Scheduled", "", "", "starts 1 Dec 2026, 09:00"),
        ("Scheduled", "2026-12-01T08:00:01.000Z", "2026-12-02T08:00:00.000Z", "goes on 2 Dec 2026, 09:00"),
        ("Sending", "2026-12-01T08:00:01.000Z", "", "since 1 Dec 2026, 09:00"),
    ],
)
def test_the_list_says_the_time_that_matters(status: str, started: str, opens: str, said: str) -> None:
    """Scheduled again while a window is closed, it says when it goes on, not when it started."""
    shown = STATUS | {"status": status, "started_at": started, "opens": opens}
    assert words.when(shown, VIENNA) == said
    assert bool(words.closed(shown, VIENNA)) == said.startswith("goes on")


def test_what_a_form_does_not_show_is_sent_back_as_it_was() -> None:
    """Files without their size, variants without the language of our words, nothing where there is nothing."""
    command = EditMailing.model_validate(kept(FOUND))
    assert command.zone == "Europe/Athens"
    assert command.attachments[0].object == "0" * 64
    assert command.variants["de"].text == "Hallo"
    assert anew(FOUND, name="May, again").name == "May, again"


def test_a_wording_changes_itself_and_no_other() -> None:
    """Draft, language and version: each is put in, read back, and taken out again."""
    letter = {"subject": "New", "html": "<p>Hello</p>", "text": ""}
    assert Draft({}).changes(FOUND, letter) == letter
    greek = FOUND | Language("el").changes(FOUND, letter)
    assert sorted(greek["variants"]) == ["de", "el"]
    assert Language("el").removed(greek) == {"variants": kept(FOUND)["variants"]}
    tried = FOUND | Version("b").changes(FOUND, letter)
    assert tried["ab_test"]["versions"] == {"b": {"subject": "New"}}
    assert Version("b").said(tried) == letter
    assert Version("b").removed(tried) == {"ab_test": None}
    assert [one.label for one in all_of(tried)] == ["Everybody else", "de", "Version b"]
    assert (next_version(FOUND), next_version(tried)) == ("b", "c")
