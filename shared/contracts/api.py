"""Every request that users and machines may make: its place in the HTTP API, who answers it, which permission it needs.

One row for each command and query. The NATS surface checks the same permission, the documents are made from these rows.
Parts in braces are fields of the request; the other fields are the body of a command, the parameters of a query.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.contracts import commands
from shared.contracts.commands import Command, Query, Refusal
from shared.contracts.principals import Permission, Principal

VERSION = "/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One request. `path` is relative to `/v1` of the service that answers.

    `permission` is None where anybody may ask, `own` where whoever proved who they are may, about themselves.
    """

    request: type[Command | Query]
    service: Literal["planner", "reporting"]
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    permission: Permission | Literal["own"] | None

    @property
    def name(self) -> str:
        """Last part of its NATS subject, and its operation id."""
        return self.request.NAME

    def refusal(self, principal: Principal | None) -> Refusal | None:
        """Return why `principal` may not ask this, None if it may; nobody proved who they are where it is None."""
        if self.permission is None:
            return None
        if principal is None:
            return Refusal(code="unauthenticated", message="Nobody we know asks: a token or a session is needed.")
        if self.permission == "own" or principal.may(self.permission):
            return None
        return Refusal(code="forbidden", message=f"{self.name} needs the permission {self.permission}.")


_MAILING = "/mailings/{mailing}"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(commands.AddAccount, "planner", "POST", "/accounts", "administer"),
    Endpoint(commands.Accounts, "planner", "GET", "/accounts", "view"),
    Endpoint(commands.EditAccount, "planner", "PUT", "/accounts/{account}", "administer"),
    Endpoint(commands.TestAccount, "planner", "POST", "/accounts/{account}/test", "administer"),
    Endpoint(commands.AddMailbox, "planner", "POST", "/mailboxes", "administer"),
    Endpoint(commands.Mailboxes, "planner", "GET", "/mailboxes", "administer"),
    Endpoint(commands.EditMailbox, "planner", "PUT", "/mailboxes/{mailbox}", "administer"),
    Endpoint(commands.TestMailbox, "planner", "POST", "/mailboxes/{mailbox}/test", "administer"),
    Endpoint(commands.RemoveMailbox, "planner", "DELETE", "/mailboxes/{mailbox}", "administer"),
    Endpoint(commands.AddDomainKey, "planner", "POST", "/domains/{domain}/keys", "administer"),
    Endpoint(commands.UseDomainKey, "planner", "POST", "/domains/{domain}/keys/{selector}/use", "administer"),
    Endpoint(commands.RetireDomainKey, "planner", "POST", "/domains/{domain}/keys/{selector}/retire", "administer"),
    Endpoint(commands.DomainKeys, "planner", "GET", "/keys", "view"),
    Endpoint(commands.Preflight, "planner", "GET", "/accounts/{account}/preflight", "administer"),
    Endpoint(commands.Lists, "planner", "GET", "/lists", "view"),
    Endpoint(commands.TellContacts, "planner", "POST", "/contacts", "add_recipient"),
    Endpoint(commands.ShowContact, "planner", "GET", "/contacts", "view"),
    Endpoint(commands.ListMembers, "planner", "GET", "/lists/{list}/members", "view"),
    Endpoint(commands.RemoveFromList, "planner", "POST", "/lists/{list}/members/remove", "remove_recipient"),
    Endpoint(commands.BlockDomain, "planner", "PUT", "/domains/{domain}/block", "edit"),
    Endpoint(commands.BlockedDomains, "planner", "GET", "/domains/blocked", "view"),
    Endpoint(commands.RuleList, "planner", "PUT", "/lists/{list}/rule", "edit"),
    Endpoint(commands.CountSegment, "planner", "POST", "/segments/count", "view"),
    Endpoint(commands.ListConfirmation, "planner", "PUT", "/lists/{list}/confirmation", "edit"),
    Endpoint(commands.OptIn, "planner", "POST", "/consent/in", "add_recipient"),
    Endpoint(commands.OptOut, "planner", "POST", "/consent/out", "remove_recipient"),
    Endpoint(commands.ImportContacts, "planner", "POST", "/imports", "add_recipient"),
    Endpoint(commands.ImportStatus, "planner", "GET", "/imports/{upload}", "view"),
    Endpoint(commands.PreviewImport, "planner", "POST", "/imports/{upload}/preview", "add_recipient"),
    Endpoint(commands.RejectedRows, "planner", "GET", "/imports/{upload}/rejected", "view"),
    Endpoint(commands.TakeFeedback, "planner", "POST", "/feedback", "add_recipient"),
    Endpoint(commands.LiftSuppression, "planner", "POST", "/suppressions/lift", "add_recipient"),
    Endpoint(commands.OpenCampaign, "planner", "POST", "/campaigns", "create"),
    Endpoint(commands.EditCampaign, "planner", "PUT", "/campaigns/{campaign}", "edit"),
    Endpoint(commands.CloseCampaign, "planner", "POST", "/campaigns/{campaign}/close", "edit"),
    Endpoint(commands.DeleteCampaign, "planner", "DELETE", "/campaigns/{campaign}", "delete"),
    Endpoint(commands.DraftMailing, "planner", "POST", "/mailings", "create"),
    Endpoint(commands.EditMailing, "planner", "PUT", _MAILING, "edit"),
    Endpoint(commands.DeleteMailing, "planner", "DELETE", _MAILING, "delete"),
    Endpoint(commands.ChooseSources, "planner", "PUT", f"{_MAILING}/sources", "edit"),
    Endpoint(commands.ChosenSources, "planner", "GET", f"{_MAILING}/sources", "view"),
    Endpoint(commands.AddRecipients, "planner", "POST", f"{_MAILING}/recipients/add", "add_recipient"),
    Endpoint(commands.RemoveRecipients, "planner", "POST", f"{_MAILING}/recipients/remove", "remove_recipient"),
    Endpoint(commands.ListFrom, "planner", "POST", f"{_MAILING}/list", "add_recipient"),
    Endpoint(commands.FreezeAudience, "planner", "POST", f"{_MAILING}/audience", "edit"),
    Endpoint(commands.Draft, "planner", "GET", f"{_MAILING}/content", "view"),
    Endpoint(commands.LintMailing, "planner", "GET", f"{_MAILING}/lint", "view"),
    Endpoint(commands.PreviewMailing, "planner", "GET", f"{_MAILING}/preview", "view"),
    Endpoint(commands.SendMail, "planner", "POST", "/mails", "send"),
    Endpoint(commands.SaveTemplate, "planner", "POST", "/templates", "edit"),
    Endpoint(commands.DeleteTemplate, "planner", "DELETE", "/templates/{template}", "delete"),
    Endpoint(commands.SaveTrackingUrl, "planner", "PUT", "/tracking-urls/{name}", "edit"),
    Endpoint(commands.DeleteTrackingUrl, "planner", "DELETE", "/tracking-urls/{name}", "delete"),
    Endpoint(commands.TrackingUrls, "planner", "GET", "/tracking-urls", "view"),
    Endpoint(commands.Templates, "planner", "GET", "/templates", "view"),
    Endpoint(commands.ShowTemplate, "planner", "GET", "/templates/{template}", "view"),
    Endpoint(commands.Forecast, "planner", "GET", f"{_MAILING}/forecast", "view"),
    Endpoint(commands.Foresee, "planner", "POST", f"{_MAILING}/forecast", "view"),
    Endpoint(commands.Audience, "planner", "GET", f"{_MAILING}/audience", "view"),
    Endpoint(commands.SendTest, "planner", "POST", f"{_MAILING}/test", "send"),
    Endpoint(commands.ScheduleMailing, "planner", "POST", f"{_MAILING}/schedule", "send"),
    Endpoint(commands.StartDryRun, "planner", "POST", f"{_MAILING}/dry-run", "edit"),
    Endpoint(commands.CancelDryRun, "planner", "POST", f"{_MAILING}/dry-run/cancel", "edit"),
    Endpoint(commands.DryRunStatus, "planner", "GET", f"{_MAILING}/dry-run", "view"),
    Endpoint(commands.DryRunRows, "planner", "GET", f"{_MAILING}/dry-run/recipients", "view"),
    Endpoint(commands.ApproveMailing, "planner", "POST", f"{_MAILING}/approve", "approve"),
    Endpoint(commands.UnscheduleMailing, "planner", "POST", f"{_MAILING}/unschedule", "send"),
    Endpoint(commands.ChooseWinner, "planner", "POST", f"{_MAILING}/winner", "send"),
    Endpoint(commands.OpenSeries, "planner", "POST", "/series", "send"),
    Endpoint(commands.EditSeries, "planner", "PUT", "/series/{series}", "send"),
    Endpoint(commands.StopSeries, "planner", "POST", "/series/{series}/stop", "send"),
    Endpoint(commands.ShowSeries, "planner", "GET", "/series/{series}", "view"),
    Endpoint(commands.AllSeries, "planner", "GET", "/series", "view"),
    Endpoint(commands.PauseMailing, "planner", "POST", f"{_MAILING}/pause", "send"),
    Endpoint(commands.ResumeMailing, "planner", "POST", f"{_MAILING}/resume", "send"),
    Endpoint(commands.CancelMailing, "planner", "POST", f"{_MAILING}/cancel", "send"),
    Endpoint(commands.StopEverything, "planner", "POST", "/stop", "send"),
    Endpoint(commands.ResumeStopped, "planner", "POST", "/resume", "send"),
    Endpoint(commands.ChangeRate, "planner", "PUT", f"{_MAILING}/rate", "send"),
    Endpoint(commands.DecideDoubt, "planner", "POST", f"{_MAILING}/doubts", "send"),
    Endpoint(commands.Redrive, "planner", "POST", "/parked/{seq}/redrive", "administer"),
    Endpoint(commands.ResealSecrets, "planner", "POST", "/keys/reseal", "administer"),
    Endpoint(commands.ResumeAfterRestore, "planner", "POST", "/log/resume", "administer"),
    Endpoint(commands.Census, "planner", "GET", "/census", "view"),
    Endpoint(commands.LogTrust, "planner", "GET", "/log/trust", "view"),
    Endpoint(commands.IssueToken, "planner", "POST", "/tokens", "administer"),
    Endpoint(commands.RevokeToken, "planner", "DELETE", "/tokens/{token}", "administer"),
    Endpoint(commands.Tokens, "planner", "GET", "/tokens", "administer"),
    Endpoint(commands.AddUser, "planner", "POST", "/users", "administer"),
    Endpoint(commands.ChangePermissions, "planner", "PUT", "/users/{user}/permissions", "administer"),
    Endpoint(commands.SetPassword, "planner", "PUT", "/users/{user}/password", "administer"),
    Endpoint(commands.RemoveUser, "planner", "DELETE", "/users/{user}", "administer"),
    Endpoint(commands.Users, "planner", "GET", "/users", "administer"),
    Endpoint(commands.ChangePassword, "planner", "PUT", "/password", "own"),
    Endpoint(commands.OpenSession, "planner", "POST", "/sessions", None),
    Endpoint(commands.CloseSession, "planner", "POST", "/sessions/close", None),
    Endpoint(commands.AuditTrail, "planner", "GET", "/audit", "administer"),
    Endpoint(commands.Campaigns, "reporting", "GET", "/campaigns", "view"),
    Endpoint(commands.Mailings, "reporting", "GET", "/mailings", "view"),
    Endpoint(commands.Status, "reporting", "GET", _MAILING, "view"),
    Endpoint(commands.Recipients, "reporting", "GET", f"{_MAILING}/recipients", "view"),
    Endpoint(commands.Outcomes, "reporting", "POST", f"{_MAILING}/outcomes", "view"),
    Endpoint(commands.FeedEvents, "reporting", "GET", "/events", "view"),
    Endpoint(commands.CustomerCounts, "reporting", "GET", f"{_MAILING}/customers", "view"),
    Endpoint(commands.Links, "reporting", "GET", f"{_MAILING}/links", "view"),
    Endpoint(commands.RejudgeHits, "reporting", "POST", f"{_MAILING}/hits/rejudge", "administer"),
    Endpoint(commands.Timeline, "reporting", "GET", f"{_MAILING}/timeline", "view"),
    Endpoint(commands.Doubts, "reporting", "GET", f"{_MAILING}/doubts", "view"),
    Endpoint(commands.ProviderHealth, "reporting", "GET", "/providers", "view"),
    Endpoint(commands.VerifyLedger, "reporting", "GET", f"{_MAILING}/ledger", "view"),
    Endpoint(commands.LogLines, "reporting", "GET", "/log", "view"),
    Endpoint(commands.ConsentHistory, "reporting", "GET", "/consent", "view"),
    Endpoint(commands.ParkedMessages, "reporting", "GET", "/parked", "administer"),
    Endpoint(commands.CustomerStatuses, "reporting", "GET", "/statuses", "view"),
    Endpoint(commands.ContactProblems, "reporting", "GET", "/contacts/problems", "add_recipient"),
    Endpoint(commands.ViewHealth, "reporting", "GET", "/views", "view"),
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What goes over HTTP alone, as its body is no request or its answer no document: files in and out, live events.

    Attributes:
        name: Its operation id.
        path: Relative to `/v1` of the service that answers.
    """

    name: str
    service: Literal["planner", "reporting"]
    method: Literal["GET", "POST"]
    path: str
    permission: Permission


UPLOAD = Flow("upload", "planner", "POST", "/uploads", "add_recipient")
EXPORT = Flow("mailing.recipients.export", "reporting", "GET", f"{_MAILING}/recipients.csv", "view")
LIVE_MAILING = Flow("mailing.live", "reporting", "GET", f"{_MAILING}/live", "view")
LIVE = Flow("live", "reporting", "GET", "/live", "view")
FLOWS: tuple[Flow, ...] = (UPLOAD, EXPORT, LIVE_MAILING, LIVE)


@dataclass(frozen=True, slots=True)
class Retirement:
    """An operation that is to go: said in the headers `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link`.

    Attributes:
        since: From when on nobody new should use it.
        sunset: When it goes, at least six months after `since`.
        instead: The page that says what to use instead.
    """

    since: datetime
    sunset: datetime
    instead: str


RETIRED: dict[str, Retirement] = {}
"""Operation id -> its retirement; docs/http.md has the rule."""
