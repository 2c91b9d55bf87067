"""Every request that users and machines may make: its place in the HTTP API, who answers it, which permission it needs.

One row for each command and query. The NATS surface checks the same permission, the documents are made from these rows.
Parts in braces are fields of the request; the other fields are the body of a command, the parameters of a query.
"""

from dataclasses import dataclass
from typing import Literal

from shared.contracts import commands
from shared.contracts.commands import Command, Query
from shared.contracts.principals import Permission

VERSION = "/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One request. `path` is relative to `/v1` of the service that answers."""

    request: type[Command | Query]
    service: Literal["planner", "reporting"]
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    permission: Permission

    @property
    def name(self) -> str:
        """Last part of its NATS subject, and its operation id."""
        return self.request.NAME


_MAILING = "/mailings/{mailing}"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(commands.AddAccount, "planner", "POST", "/accounts", "administer"),
    Endpoint(commands.Accounts, "planner", "GET", "/accounts", "view"),
    Endpoint(commands.TestAccount, "planner", "POST", "/accounts/{account}/test", "administer"),
    Endpoint(commands.Lists, "planner", "GET", "/lists", "view"),
    Endpoint(commands.ImportContacts, "planner", "POST", "/imports", "add_recipient"),
    Endpoint(commands.ImportStatus, "planner", "GET", "/imports/{upload}", "view"),
    Endpoint(commands.RejectedRows, "planner", "GET", "/imports/{upload}/rejected", "view"),
    Endpoint(commands.OpenCampaign, "planner", "POST", "/campaigns", "create"),
    Endpoint(commands.DraftMailing, "planner", "POST", "/mailings", "create"),
    Endpoint(commands.EditMailing, "planner", "PUT", _MAILING, "edit"),
    Endpoint(commands.DeleteMailing, "planner", "DELETE", _MAILING, "delete"),
    Endpoint(commands.FreezeAudience, "planner", "POST", f"{_MAILING}/audience", "edit"),
    Endpoint(commands.Draft, "planner", "GET", f"{_MAILING}/content", "view"),
    Endpoint(commands.Audience, "planner", "GET", f"{_MAILING}/audience", "view"),
    Endpoint(commands.SendTest, "planner", "POST", f"{_MAILING}/test", "send"),
    Endpoint(commands.ScheduleMailing, "planner", "POST", f"{_MAILING}/schedule", "send"),
    Endpoint(commands.UnscheduleMailing, "planner", "POST", f"{_MAILING}/unschedule", "send"),
    Endpoint(commands.PauseMailing, "planner", "POST", f"{_MAILING}/pause", "send"),
    Endpoint(commands.ResumeMailing, "planner", "POST", f"{_MAILING}/resume", "send"),
    Endpoint(commands.CancelMailing, "planner", "POST", f"{_MAILING}/cancel", "send"),
    Endpoint(commands.ChangeRate, "planner", "PUT", f"{_MAILING}/rate", "send"),
    Endpoint(commands.DecideDoubt, "planner", "POST", f"{_MAILING}/doubts", "send"),
    Endpoint(commands.Redrive, "planner", "POST", "/parked/{seq}/redrive", "administer"),
    Endpoint(commands.Campaigns, "reporting", "GET", "/campaigns", "view"),
    Endpoint(commands.Mailings, "reporting", "GET", "/mailings", "view"),
    Endpoint(commands.Status, "reporting", "GET", _MAILING, "view"),
    Endpoint(commands.Recipients, "reporting", "GET", f"{_MAILING}/recipients", "view"),
    Endpoint(commands.Links, "reporting", "GET", f"{_MAILING}/links", "view"),
    Endpoint(commands.Timeline, "reporting", "GET", f"{_MAILING}/timeline", "view"),
    Endpoint(commands.Doubts, "reporting", "GET", f"{_MAILING}/doubts", "view"),
    Endpoint(commands.VerifyLedger, "reporting", "GET", f"{_MAILING}/ledger", "view"),
    Endpoint(commands.LogLines, "reporting", "GET", "/log", "view"),
    Endpoint(commands.ConsentHistory, "reporting", "GET", "/consent", "view"),
    Endpoint(commands.ParkedMessages, "reporting", "GET", "/parked", "administer"),
    Endpoint(commands.ViewHealth, "reporting", "GET", "/views", "view"),
)
