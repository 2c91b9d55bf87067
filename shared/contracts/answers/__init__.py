"""What `data` of an answer holds, for each request: documents are made from these models, clients may read with them.

Services build their answers as plain data; tests hold them to the models. A field more in an answer is no break of the
contract, so the models allow it. Instants are ISO 8601 in UTC, "" where there is none.
"""

from shared.contracts import commands
from shared.contracts.answers.accounts import AccountDone, AccountRows, AccountTried, PreflightDone, Resealed
from shared.contracts.answers.base import Data, Nothing
from shared.contracts.answers.checks import (
    Counts,
    FeedPage,
    LogPage,
    ParkedPage,
    ProviderHourRows,
    Redriven,
    Resumed,
    Trust,
    ViewRows,
)
from shared.contracts.answers.contacts import (
    AudiencePage,
    ConfirmationSet,
    ConsentRows,
    FeedbackTaken,
    ImportAccepted,
    ImportPreview,
    ImportState,
    Lifted,
    ListRows,
    OptInAnswer,
    OptOutAnswer,
    RejectedRowsPage,
)
from shared.contracts.answers.domains import DomainKeyRow, DomainKeyRows
from shared.contracts.answers.mailboxes import MailboxDone, MailboxRows, MailboxTried
from shared.contracts.answers.mailings import (
    AllDone,
    AudienceFrozenNow,
    CampaignDone,
    CampaignRows,
    MailingDone,
    MailingDraftedNow,
    MailingRow,
    MailingRows,
    TestSentNow,
    Written,
)
from shared.contracts.answers.people import (
    AuditPage,
    SessionOpened,
    TokenDone,
    TokenIssued,
    TokenRows,
    UserDone,
    UserRows,
)
from shared.contracts.answers.recipients import (
    DoubtsPage,
    Ledger,
    LinkRows,
    OutcomeRows,
    Points,
    RecipientsPage,
    Rejudged,
)
from shared.contracts.answers.templates import (
    FindingRows,
    Preview,
)
from shared.contracts.commands import Command, Query

__all__ = ("DATA", "Data", "Nothing")

DATA: dict[type[Command | Query], type[Data]] = {
    commands.AddAccount: AccountDone,
    commands.EditAccount: AccountDone,
    commands.TestAccount: AccountTried,
    commands.Preflight: PreflightDone,
    commands.AddMailbox: MailboxDone,
    commands.EditMailbox: MailboxDone,
    commands.TestMailbox: MailboxTried,
    commands.RemoveMailbox: MailboxDone,
    commands.Mailboxes: MailboxRows,
    commands.ImportContacts: ImportAccepted,
    commands.TakeFeedback: FeedbackTaken,
    commands.LiftSuppression: Lifted,
    commands.OpenCampaign: CampaignDone,
    commands.DraftMailing: MailingDraftedNow,
    commands.EditMailing: MailingDraftedNow,
    commands.FreezeAudience: AudienceFrozenNow,
    commands.SendTest: TestSentNow,
    commands.ScheduleMailing: MailingDone,
    commands.UnscheduleMailing: MailingDone,
    commands.PauseMailing: MailingDone,
    commands.ResumeMailing: MailingDone,
    commands.CancelMailing: MailingDone,
    commands.StopEverything: AllDone,
    commands.ResumeStopped: AllDone,
    commands.ChangeRate: MailingDone,
    commands.DecideDoubt: MailingDone,
    commands.DeleteMailing: MailingDone,
    commands.Accounts: AccountRows,
    commands.Lists: ListRows,
    commands.ListConfirmation: ConfirmationSet,
    commands.OptIn: OptInAnswer,
    commands.OptOut: OptOutAnswer,
    commands.ImportStatus: ImportState,
    commands.RejectedRows: RejectedRowsPage,
    commands.PreviewImport: ImportPreview,
    commands.Draft: Written,
    commands.Audience: AudiencePage,
    commands.PreviewMailing: Preview,
    commands.LintMailing: FindingRows,
    commands.Redrive: Redriven,
    commands.ChangePassword: UserDone,
    commands.AddDomainKey: DomainKeyRow,
    commands.UseDomainKey: DomainKeyRow,
    commands.RetireDomainKey: DomainKeyRow,
    commands.DomainKeys: DomainKeyRows,
    commands.ResealSecrets: Resealed,
    commands.ResumeAfterRestore: Resumed,
    commands.LogTrust: Trust,
    commands.Census: Counts,
    commands.IssueToken: TokenIssued,
    commands.RevokeToken: TokenDone,
    commands.Tokens: TokenRows,
    commands.AddUser: UserDone,
    commands.ChangePermissions: UserDone,
    commands.SetPassword: UserDone,
    commands.RemoveUser: UserDone,
    commands.Users: UserRows,
    commands.OpenSession: SessionOpened,
    commands.AuditTrail: AuditPage,
    commands.Campaigns: CampaignRows,
    commands.Mailings: MailingRows,
    commands.Status: MailingRow,
    commands.Recipients: RecipientsPage,
    commands.Outcomes: OutcomeRows,
    commands.FeedEvents: FeedPage,
    commands.Links: LinkRows,
    commands.RejudgeHits: Rejudged,
    commands.Timeline: Points,
    commands.LogLines: LogPage,
    commands.ConsentHistory: ConsentRows,
    commands.Doubts: DoubtsPage,
    commands.ProviderHealth: ProviderHourRows,
    commands.VerifyLedger: Ledger,
    commands.ParkedMessages: ParkedPage,
    commands.ContactProblems: ParkedPage,
    commands.ViewHealth: ViewRows,
}
"""Requests that are not here answer with nothing (`Nothing`)."""
