"""What people type becomes the right request; what comes back is shown, or refused with the place at fault."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from nats.aio.client import Client

from cli.main import OFFLINE, program
from shared.contracts import commands
from shared.contracts.account import Limits
from shared.contracts.commands import Refusal
from shared.contracts.mailing_settings import SendingHours
from shared.contracts.sources import OfActivity, Sources
from shared.eventlog.reader import Reader
from tests.harness.nats import NatsServer
from tests.harness.posthaste import Posthaste
from tests.integration.cli.conftest import Services

ACCOUNTS = {"accounts": [{"account": "acc1", "name": "relay", "host": "mx.example", "port": 25, "working": True}]}
CAMPAIGNS = {"campaigns": [{"campaign": "cmp1", "name": "Spring sale", "kind": "email", "mailings": 2}]}


async def test_a_refusal_names_code_field_and_line(posthaste: Posthaste, services: Services) -> None:
    """`code: message (field, line)` on standard error, exit 2; with --json one document on standard output."""
    services.says[commands.FreezeAudience] = Refusal(code="bad_field", message="No [such] field.", field="html", line=7)
    ended = await posthaste("mailing", "audience", "m1")
    assert (ended.code, ended.out) == (2, "")
    assert ended.error == "bad_field: No [such] field. (html, line 7)\n"
    ended = await posthaste("mailing", "audience", "m1", "--json")
    assert ended.code == 2
    assert ended.json["refusal"] == {"code": "bad_field", "message": "No [such] field.", "field": "html", "line": 7}


@pytest.mark.feature("G10")
async def test_activities_are_a_source_by_type_and_campaign(posthaste: Posthaste, services: Services) -> None:
    """TYPE@CAMPAIGN, or a type alone; a campaign without a type is nothing."""
    services.says |= {
        commands.ChooseSources: {"mailing": "m1"},
        commands.FreezeAudience: {"mailing": "m1"},
        commands.Audience: {"recipients": 0, "skipped": 0, "rows": []},
    }
    chosen = ("--no-lists", "--activity", "points awarded@May @ home", "--activity", "visit")
    ended = await posthaste("mailing", "audience", "m1", *chosen)
    assert ended.code == 0, ended.error
    sources = Sources(
        lists=[], activities=[OfActivity(type="points awarded", campaign="May @ home"), OfActivity(type="visit")]
    )
    assert services.asked[0] == commands.ChooseSources(mailing="m1", sources=sources)
    assert (await posthaste("mailing", "audience", "m1", "--activity", "@May")).error.startswith("bad_activity")


async def test_without_anything_running_it_says_how_to_start(tmp_path: Path) -> None:
    """Neither data folder nor environment: exit 3 and the command to type."""
    ended = await Posthaste(tmp_path / "none")("mailing", "list")
    assert ended.code == 3
    assert "posthaste up --data" in ended.error


async def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """A stopped installation: exit 3, where it was looked for, how to start it, and no noise."""
    ended = await Posthaste(tmp_path, "nats://127.0.0.1:1")("views")
    assert ended.code == 3
    assert ended.error.startswith("not_running: Nothing answers at nats://127.0.0.1:1")
    assert len(ended.error.splitlines()) == 1


async def test_a_service_that_is_down_is_not_waited_for_in_vain(posthaste: Posthaste) -> None:
    """NATS runs and nobody listens: exit 3 after the time is up."""
    posthaste.environment["POSTHASTE_ANSWER_SECONDS"] = "0.5"
    ended = await posthaste("views")
    assert ended.code == 3
    assert "found no service that listens" in ended.error


async def test_a_draft_reads_files_and_takes_names(posthaste: Posthaste, services: Services, tmp_path: Path) -> None:
    """Account and campaign may be given by name, the bodies are files, the sender is a name with an address."""
    services.says |= {
        commands.Accounts: ACCOUNTS,
        commands.Campaigns: CAMPAIGNS,
        commands.DraftMailing: {"mailing": "m1"},
    }
    (tmp_path / "mail.html").write_text("<p>Grüße {{ name }}</p>")
    options = {
        "--name": "May",
        "--campaign": "Spring sale",
        "--account": "relay",
        "--from": "Shop <news@example.com>",
        "--subject": "Hello",
        "--html": str(tmp_path / "mail.html"),
        "--per-hour": "500",
        "--key": "once",
    }
    ended = await posthaste("mailing", "draft", *(part for pair in options.items() for part in pair))
    assert ended.code == 0, ended.error
    assert "posthaste mailing audience m1" in ended.out
    assert services.asked[-1] == commands.DraftMailing(
        campaign="cmp1",
        name="May",
        account="acc1",
        sender_name="Shop",
        sender_address="news@example.com",
        subject="Hello",
        html="<p>Grüße {{ name }}</p>",
        limits=Limits(per_hour=500),
    )
    assert services.keys[-1] == "once"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--html", "nowhere.html"], "no_file"),
        (["--text", "latin.txt"], "not_utf8"),
        ([], "empty_body"),
        (["--text", "fine.txt", "--from", "nobody"], "bad_sender"),
        (["--text", "fine.txt", "--per-hour", "0"], "invalid"),
    ],
)
async def test_input_that_cannot_be_used_is_refused_before_anything_is_asked(
    posthaste: Posthaste, services: Services, tmp_path: Path, arguments: list[str], code: str
) -> None:
    """Files that are missing or not UTF-8, no body, no sender, impossible numbers: exit 2 with a code."""
    (tmp_path / "latin.txt").write_bytes("first\nGrüße".encode("latin-1"))
    (tmp_path / "fine.txt").write_text("fine")
    given = [str(tmp_path / part) if part.endswith((".txt", ".html")) else part for part in arguments]
    fixed = ["--name", "x", "--campaign", "c", "--account", "a", "--subject", "s", "--from", "a@example.com"]
    ended = await posthaste("mailing", "draft", *fixed, *given)
    assert ended.code == 2
    assert ended.error.startswith(f"{code}: ")
    assert not any(isinstance(asked, commands.DraftMailing) for asked in services.asked)


async def test_a_schedule_takes_local_time_hours_and_days(posthaste: Posthaste, services: Services) -> None:
    """Times stay local to the zone; the planner computes the instants."""
    ended = await posthaste(
        *("mailing", "schedule", "m1", "--at", "2026-12-01T09:00", "--zone", "Europe/Berlin"),
        *("--hours", "8-12,13-18:30", "--days", "mon-fri", "--deadline", "2026-12-05T18:00", "--json"),
        *("--holidays", "de-be", "--closed", "2026-12-04"),
    )
    assert ended.code == 0, ended.error
    asked = services.asked[-1]
    assert isinstance(asked, commands.ScheduleMailing)
    assert asked.at is not None
    assert asked.deadline is not None
    assert (asked.at.isoformat(), asked.zone) == ("2026-12-01T09:00:00", "Europe/Berlin")
    first = {"start": "08:00", "end": "12:00", "more": [{"start": "13:00", "end": "18:30"}]}
    off = {"weekdays": [0, 1, 2, 3, 4], "holidays": ["DE-BE"], "closed": ["2026-12-04"]}
    assert asked.hours == SendingHours.model_validate(first | off)
    assert asked.deadline.isoformat() == "2026-12-05T18:00:00"


async def test_a_campaign_is_named_by_its_name(posthaste: Posthaste, services: Services) -> None:
    """Edited, closed and deleted as what it is called."""
    services.says |= {commands.Campaigns: CAMPAIGNS, commands.EditCampaign: {"campaign": "cmp1"}}
    services.says |= {commands.CloseCampaign: {"campaign": "cmp1"}, commands.DeleteCampaign: {"campaign": "cmp1"}}
    for words in (["edit", "--name", "S", "--list", "l", "--ends", "2027-01-31"], ["close"], ["delete"]):
        ended = await posthaste("campaign", words[0], "Spring sale", *words[1:])
        assert ended.code == 0, ended.error
        assert getattr(services.asked[-1], "campaign", "") == "cmp1"


async def test_an_import_uploads_the_very_bytes_and_shows_what_was_left_out(
    posthaste: Posthaste, services: Services, nc: Client, tmp_path: Path
) -> None:
    """Parts of half a megabyte in order, counts at the end, rejected rows with line and reason."""
    content = b"email;name\n" + b"".join(b"p%07d@example.com;P\n" % number for number in range(60_000))
    (tmp_path / "people.csv").write_bytes(content)
    polls = iter(["running", "running", "done"])
    counts = {"rows": 60_001, "added": 60_000, "updated": 0, "unchanged": 0, "rejected": 1, "problem": ""}
    services.says |= {
        commands.ImportStatus: lambda _: counts | {"state": next(polls)},
        commands.RejectedRows: {"rows": [{"line": 9, "column": "email", "reason": "no @", "value": "x"}], "next": ""},
    }
    options = ["--list", "Customers", "--column", "Mail=email", "--delimiter", ";"]
    ended = await posthaste("contacts", "import", str(tmp_path / "people.csv"), *options)
    assert ended.code == 0, ended.error
    assert "60,000" in ended.out
    assert "no @" in ended.out
    (wanted,) = [asked for asked in services.asked if isinstance(asked, commands.ImportContacts)]
    assert (wanted.list, wanted.columns, wanted.delimiter) == ("Customers", {"Mail": "email"}, ";")
    assert wanted.parts == 3
    inbox = Reader(nc, "INBOX")
    parts = [await inbox.last(f"in.upload.{wanted.upload}.{part}") for part in range(wanted.parts)]
    assert b"".join(part.data for part in parts if part) == content


async def test_an_import_that_fails_says_why(posthaste: Posthaste, services: Services, tmp_path: Path) -> None:
    """Exit 1, the problem, and the counts of what came before."""
    (tmp_path / "people.csv").write_text("email\na@example.com\n")
    status = {"state": "failed", "rows": 1, "added": 1, "updated": 0, "unchanged": 0, "rejected": 0}
    services.says[commands.ImportStatus] = status | {"problem": "Line 2 has no end."}
    ended = await posthaste("contacts", "import", str(tmp_path / "people.csv"), "--list", "L")
    assert ended.code == 1
    assert "import_failed: Line 2 has no end." in ended.error


async def test_a_ledger_that_does_not_balance_fails_the_shell(posthaste: Posthaste, services: Services) -> None:
    """Exit 0 and "Balanced" when it does, exit 1 with each gap named when not, in JSON too."""
    report = {"balanced": True, "planned": 3, "totals": {"accepted": 2, "rejected": 1}, "pending": 0, "gaps": []}
    services.says[commands.VerifyLedger] = report
    ended = await posthaste("ledger", "m1")
    assert ended.code == 0
    assert "Balanced." in ended.out
    gap = {"n": 0, "index": 2, "contact": "c9", "why": "no outcome"}
    services.says[commands.VerifyLedger] = report | {"balanced": False, "gaps": [gap], "gap_count": 1}
    ended = await posthaste("ledger", "m1")
    assert ended.code == 1
    assert "no outcome" in ended.out
    assert "not_balanced" in ended.error
    ended = await posthaste("ledger", "m1", "--json")
    assert ended.code == 1
    assert ended.json["gaps"] == [gap]


async def test_rows_are_a_table_for_people_and_a_document_for_programs(
    posthaste: Posthaste, services: Services
) -> None:
    """The same data both ways; long lines are not folded where nobody looks; text of others is not markup."""
    long = "550 5.1.1 [red]" + "x" * 150
    row = {"address": "a@example.com", "name": "A", "status": "Failed", "outcome": "rejected", "text": long}
    services.says[commands.Recipients] = {"rows": [row], "next": "0.7"}
    ended = await posthaste("mailing", "recipients", "m1", "--outcome", "Failed")
    assert long in ended.out
    assert "--after 0.7" in ended.error
    ended = await posthaste("mailing", "recipients", "m1", "--json")
    assert ended.json["rows"] == [row]


async def test_a_mail_that_is_refused_leaves_the_others(
    posthaste: Posthaste, services: Services, tmp_path: Path
) -> None:
    """It is named with its file, and the exit code says so; what the next one would get as well ends it at once."""
    folder = tmp_path / "bounces"
    folder.mkdir()
    for name in ("a.eml", "b.eml", "c.eml"):
        (folder / name).write_text("Subject: Undelivered\n\nNo such user\n")
    taken: dict[str, Any] = {
        "kind": "bounce",
        "feedback_type": "",
        "proven": "",
        "mailing": "",
        "n": None,
        "index": None,
        "facts": 1,
    }
    taken["recipients"] = [{"reason": "user-unknown"}]
    answers: Iterator[dict[str, Any] | Refusal] = iter(
        [taken, Refusal(code="upload_missing", message="The upload is not there."), taken]
    )
    services.says[commands.TakeFeedback] = lambda _: next(answers)
    ended = await posthaste("feedback", "take", str(folder))
    assert ended.code == 2
    assert "b.eml: The upload is not there." in ended.error
    assert ended.out.count("user-unknown") == 2
    services.asked.clear()
    services.says[commands.TakeFeedback] = Refusal(code="no_tracker", message="No tracker answered.")
    ended = await posthaste("feedback", "take", str(folder))
    assert (ended.code, len(services.asked)) == (2, 1)
    assert "no_tracker" in ended.error


async def test_watching_ends_with_the_mailing(posthaste: Posthaste, services: Services) -> None:
    """It asks again until the mailing is completed."""
    numbers = ("total", "to_send", "sent", "read", "opened", "clicks", "clicked", "unsubscribed", "rate", "parked")
    returned = ("bounced", "complained", "replied", "auto_replied")
    outcomes = ("accepted", "deferred", "rejected", "skipped", "expired", "cancelled", "in_doubt")
    texts = ("mailing", "name", "subject", "reason", "scheduled_at", "zone", "until", "opens")
    fields: dict[str, Any] = (
        dict.fromkeys((*numbers, *returned, *outcomes), 0)
        | dict.fromkeys(texts, "")
        | {
            "limits": {},
            "left_out": {},
            "bounce_reasons": {},
            "opens_by": {"human": 1, "machine": 2},
            "clicks_by": {"human": 0},
            "rules": 1,
        }
    )
    states = iter(["Sending", "Sending", "Completed"])
    services.says[commands.Status] = lambda _: fields | {"total": 5, "status": next(states)}
    ended = await posthaste("mailing", "status", "m1", "--watch")
    assert ended.code == 0, ended.error
    assert "Completed" in ended.out
    assert len(services.asked) == 3


async def test_streams_are_planned_applied_and_checked(nats_server: NatsServer, nc: Client, tmp_path: Path) -> None:
    """A bare server gets its streams; then there is no drift; a stream that was deleted is found and made again."""
    posthaste = Posthaste(tmp_path, nats_server.url)
    assert "create stream EVENTS" in (await posthaste("streams", "plan")).out
    assert (await posthaste("streams", "check")).code == 1
    assert "create stream EVENTS" in (await posthaste("streams", "apply")).out
    assert (await posthaste("streams", "check")).out == "No drift.\n"
    await nc.jetstream().delete_stream("JOBS")
    ended = await posthaste("streams", "check", "--json")
    assert ended.code == 1
    assert any("JOBS" in line for line in ended.json["drift"])
    assert (await posthaste("streams", "apply")).code == 0
    assert (await posthaste("streams", "check")).code == 0


def _leaves(group: Any, path: str = "posthaste") -> dict[str, Any]:  # noqa: ANN401 - typer brings its own click
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        below = f"{path} {name}"
        found |= _leaves(command, below) if hasattr(command, "commands") else {below: command}
    return found


def test_every_command_has_help_with_an_example_and_speaks_json() -> None:
    """What a person needs to use it, and the two options of whatever asks a service."""
    root = typer.main.get_command(program())
    alone = {*(f"posthaste {name}" for name in OFFLINE), "posthaste template import", "posthaste template lint"}
    for path, command in _leaves(root).items():
        assert command.help, path
        assert f"`{path}" in command.help, path
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--json", "--data"} <= options or path in alone, path
