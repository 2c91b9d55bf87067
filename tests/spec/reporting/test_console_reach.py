"""Whatever a request offers to a marketer has its place on a page of the console, or a reason why it has none."""

import ast
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from shared.contracts import commands, mailing_settings, series, sources
from shared.contracts.account import AccountLimits, Limits, WarmUp
from shared.contracts.api import ENDPOINTS

CONSOLE = Path(__file__).parents[3] / "services" / "reporting" / "console"

REACHED: dict[type[BaseModel], dict[str, str]] = {
    commands.OpenCampaign: {"pages/campaign": "name kind lists starts_on ends_on approval utm statuses"},
    commands.DraftMailing: {
        "pages/wizard/basics": "campaign name account sender_name sender_address reply_to blind_copy template tracking "
        "doubt retry_for language",
        "letter": "subject html text",
        "pages/wizard/details": "preheader zone headers inline_css",
        "pages/wizard/content": "attachments",
        "pages/wizard/schedule": "limits stop batch recipient_time notify notify_url",
        "pages/wizard/ab_test": "ab_test",
        "wordings": "variants",
    },
    commands.Attachment: {"pages/wizard/files": "file_name media_type content_id upload parts"},
    commands.LanguageVariant: {"letter": "subject html text", "pages/wizard/content": "template"},
    commands.AbVersion: {"letter": "subject html text", "pages/wizard/content": "template"},
    commands.AbTestWanted: {"pages/wizard/ab_test": "versions percent recipients by wait_minutes"},
    commands.Start: {"pages/wizard/schedule": "mailing at zone hours deadline late"},
    mailing_settings.SendingHours: {"hours": "start end more weekdays holidays closed"},
    mailing_settings.Batch: {"pages/wizard/schedule": "size minutes"},
    mailing_settings.StopRules: {"pages/wizard/stopping": "after bounces errors complaints"},
    Limits: {"pages/wizard/schedule": "per_hour seconds_between"},
    sources.Sources: {"pages/wizard/recipients": "lists mailings activities helper exclude cap addresses"},
    sources.OfActivity: {"pages/wizard/recipients": "type campaign"},
    sources.OfMailing: {"pages/wizard/recipients": "mailing group"},
    sources.Helper: {"pages/wizard/recipients": "list mode"},
    sources.Cap: {"pages/wizard/recipients": "mails days"},
    commands.OpenSeries: {"pages/series_form": "draft rhythm hours deadline_minutes late only_new sources"},
    series.Rhythm: {"rhythms": "every at zone weekdays day starts_on until times"},
    commands.AddAccount: {
        "pages/account_form": "name host port tls username password senders connections limits providers warm_up "
        "bounce_domain"
    },
    commands.AddMailbox: {
        "pages/mailbox_form": "name host port security username password folders since target interval sent"
    },
    AccountLimits: {
        "pages/account_form": "per_second per_minute per_hour per_day seconds_between messages",
    },
    WarmUp: {"account_lines": "starts_on per_day"},
    commands.SendMail: {
        "pages/single_mail": "account to sender_name sender_address reply_to template language zone headers "
        "although_removed",
        "letter": "subject html text",
    },
    commands.ListConfirmation: {
        "pages/list_confirmation": "list account sender_address sender_name language subject html text"
    },
    commands.OptIn: {"pages/contact_acts": "address list name"},
    commands.OptOut: {"pages/contact_acts": "address list"},
    commands.RemoveFromList: {"pages/contact_look": "address list"},
    commands.BlockDomain: {"pages/contact_domains": "domain blocked reason"},
    commands.RuleList: {"pages/contact_rule": "list rule"},
    commands.ImportContacts: {
        "pages/contacts": "upload parts list file_name encoding delimiter columns",
    },
    commands.SaveTemplate: {"pages/templates": "template name single_braces", "letter": "subject html text"},
    commands.SaveTrackingUrl: {"pages/tracking_urls": "name url"},
}
"""Model -> which module of the console says which of its fields."""

ELSEWHERE = {
    (commands.Attachment, "object"): "given back as mailing.content told it",
    (commands.AbVersion, "variants"): "versions in further languages are made by programs",
}
"""Field -> why no page has it."""

NOT_ASKED = {
    commands.TellContacts: "producers tell of their contacts",
    commands.Outcomes: "producers ask for what became of their contacts",
    commands.FeedEvents: "programs read the feed",
    commands.TakeFeedback: "a file of a mail that came back is handed in by whoever has it as a file: the command line",
    commands.ContactProblems: "whoever runs a producer looks there, on the command line",
    commands.CustomerCounts: "counts for a CRM, in its own terms: the API and posthaste mailing customers",
    commands.Census: "for operators: posthaste doctor",
    commands.LogTrust: "for operators: posthaste doctor",
    commands.DomainKeys: "for operators, with the commands about signing keys",
}
"""Request that no administrator's permission guards -> why no page asks it."""


@cache
def _said(module: str) -> frozenset[str]:
    """Return the texts and the names of arguments in a module, docstrings left out."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((CONSOLE / f"{module}.py").read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            found.add(node.value)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
    return frozenset(found)


@pytest.mark.parametrize("model", REACHED, ids=lambda model: model.__name__)
def test_every_field_is_on_a_page(model: type[BaseModel]) -> None:
    """The table names each field once, or there is a reason; and the module that it names says the field."""
    named = [(field, module) for module, fields in REACHED[model].items() for field in fields.split()]
    without = [field for of, field in ELSEWHERE if of is model]
    assert sorted([field for field, _ in named] + without) == sorted(model.model_fields)
    assert not [(field, module) for field, module in named if field not in _said(module)]


def test_every_request_is_asked_by_a_page() -> None:
    """What needs no administrator is asked somewhere in the console, or there is a reason why not."""
    asked: set[str] = set()
    for path in CONSOLE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        asked |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        asked |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    guarded = {one.request for one in ENDPOINTS if one.permission != "administer"}
    unasked = {request for request in guarded if request.__name__ not in asked}
    assert unasked == set(NOT_ASKED)
