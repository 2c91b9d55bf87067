"""One example for each request, as its `data`: the documents show them, and a test reads each by its model."""

from typing import Any

from shared.contracts import commands
from shared.contracts.commands import Command, Query

_MAILING = {"mailing": "dbhqj1pk0kha"}
_USER = {"user": "u4m7k1x9s2td"}
_KEY = {"domain": "shop.example", "selector": "p2027a"}
_UPLOAD = {"upload": "w0f4k2m9xq7z"}
_DRAFT: dict[str, Any] = {
    "campaign": "c7m2hs0k4tqd",
    "name": "May news",
    "account": "a91kfm3xw2rb",
    "sender_name": "Example Shop",
    "sender_address": "news@shop.example",
    "subject": "News for {{ name | default('you') }}",
    "html": "<p>Hello {{ name | default('you') }}, <a href='https://shop.example/sale'>look here</a>.</p>",
    "limits": {"per_hour": 5000},
    "notify": ["editor@shop.example"],
}

_SERIES: dict[str, Any] = {
    "draft": _DRAFT,
    "rhythm": {"every": "week", "weekdays": [0, 3], "at": "09:00", "zone": "Europe/Prague", "until": "2027-12-31"},
    "only_new": True,
    "late": "skip",
}

_ACCOUNT: dict[str, Any] = {
    "name": "relay",
    "host": "smtp.shop.example",
    "port": 587,
    "username": "news",
    "senders": ["news@shop.example"],
}

_MAILBOX: dict[str, Any] = {
    "name": "bounces",
    "host": "imap.shop.example",
    "username": "bounces@shop.example",
    "folders": ["INBOX", "Junk"],
    "since": "2027-05-01",
    "target": "Read",
}

CONTACT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "7f0c2b1e-4711-3",
    "source": "crm",
    "type": "contact.upserted/1",
    "time": "2026-11-27T12:00:00Z",
    "data": {
        "id": "4711",
        "version": 3,
        "addresses": ["ann@one.example"],
        "name": "Ann",
        "fields": {"city": "Oslo"},
        "lists": ["readers"],
        "persons": [{"name": "Joe", "addresses": ["joe@one.example"]}],
    },
}

EXAMPLES: dict[type[Command | Query], dict[str, Any]] = {
    commands.AddAccount: _ACCOUNT | {"password": "secret"},
    commands.EditAccount: _ACCOUNT
    | {
        "account": "a91kfm3xw2rb",
        "limits": {"per_second": 20, "per_hour": 5000, "per_day": 40_000, "messages": 100},
        "providers": {"gmail": {"connections": 5, "per_minute": 300}},
        "warm_up": {"starts_on": "2027-05-03", "per_day": {"1": 500, "2": 1000, "4": 5000, "7": 20_000}},
    },
    commands.TestAccount: {"account": "a91kfm3xw2rb", "to": "postmaster@shop.example"},
    commands.AddMailbox: _MAILBOX | {"password": "secret"},
    commands.EditMailbox: _MAILBOX | {"mailbox": "b3k8w0m5xq2d", "interval": 60},
    commands.TestMailbox: {"mailbox": "b3k8w0m5xq2d"},
    commands.RemoveMailbox: {"mailbox": "b3k8w0m5xq2d"},
    commands.Mailboxes: {},
    commands.AddDomainKey: _KEY | {"algorithm": "rsa"},
    commands.UseDomainKey: _KEY,
    commands.RetireDomainKey: _KEY,
    commands.DomainKeys: {},
    commands.ImportContacts: _UPLOAD | {"parts": 1, "list": "readers", "columns": {"E-Mail": "email"}},
    commands.TellContacts: {"events": [CONTACT]},
    commands.ShowContact: {"address": "ann@one.example"},
    commands.ListMembers: {"list": "readers"},
    commands.RemoveFromList: {"address": "ann@one.example", "list": "readers"},
    commands.BlockDomain: {"domain": "rival.example", "reason": "a rival"},
    commands.BlockedDomains: {},
    commands.RuleList: {"list": "grown up in Athens", "rule": "city = 'Athens' and birthday <= today - 18 years"},
    commands.CountSegment: {"rule": "city = 'Athens' and birthday <= today - 18 years"},
    commands.ListConfirmation: {
        "list": "readers",
        "account": "a91kfm3xw2rb",
        "sender_address": "news@shop.example",
        "language": "it",
    },
    commands.OptIn: {"address": "ann@example.com", "list": "readers", "name": "Ann"},
    commands.OptOut: {"address": "ann@example.com", "list": "readers"},
    commands.OpenCampaign: {
        "name": "May",
        "lists": ["readers"],
        "statuses": {"sent": "Written to", "clicked": "Interested", "removed": "No mail"},
    },
    commands.EditCampaign: {"campaign": "c7m2hs0k4tqd", "name": "May", "lists": ["readers"], "ends_on": "2027-05-31"},
    commands.CloseCampaign: {"campaign": "c7m2hs0k4tqd"},
    commands.DeleteCampaign: {"campaign": "c7m2hs0k4tqd"},
    commands.DraftMailing: _DRAFT,
    commands.EditMailing: _DRAFT | _MAILING,
    commands.ChooseSources: _MAILING
    | {
        "sources": {
            "lists": ["readers"],
            "mailings": [{"mailing": "b7k2m9x0q3fd", "group": "read"}],
            "activities": [{"type": "points awarded", "campaign": "c7m2hs0k4tqd"}],
            "helper": {"list": "Berlin", "mode": "only"},
            "exclude": ["staff"],
            "cap": {"mails": 3, "days": 7},
        }
    },
    commands.ChosenSources: _MAILING,
    commands.AddRecipients: _MAILING | {"addresses": ["ann@example.com"]},
    commands.RemoveRecipients: _MAILING | {"contacts": ["000000k3x9qa"]},
    commands.ListFrom: _MAILING | {"group": "read", "list": "read the May news"},
    commands.FreezeAudience: _MAILING,
    commands.SendTest: _MAILING | {"to": ["editor@shop.example"]},
    commands.ScheduleMailing: _MAILING
    | {
        "at": "2027-05-03T09:00:00",
        "zone": "Europe/Paris",
        "hours": {"start": "08:00", "end": "18:00", "holidays": ["FR"]},
    },
    commands.ApproveMailing: _MAILING | {"plan": "0f" * 16},
    commands.StartDryRun: _MAILING,
    commands.CancelDryRun: _MAILING,
    commands.DryRunStatus: _MAILING,
    commands.DryRunRows: _MAILING | {"only": "all"},
    commands.UnscheduleMailing: _MAILING,
    commands.ChooseWinner: _MAILING | {"version": "b"},
    commands.OpenSeries: _SERIES,
    commands.EditSeries: _SERIES | {"series": "s4w8k2m0x9qd"},
    commands.StopSeries: {"series": "s4w8k2m0x9qd"},
    commands.ShowSeries: {"series": "s4w8k2m0x9qd"},
    commands.AllSeries: {},
    commands.PauseMailing: _MAILING | {"reason": "a wrong price"},
    commands.ResumeMailing: _MAILING,
    commands.CancelMailing: _MAILING | {"reason": "sold out"},
    commands.StopEverything: {"reason": "a wrong price"},
    commands.ResumeStopped: {},
    commands.ChangeRate: _MAILING | {"limits": {"per_hour": 1000, "seconds_between": 0.5}},
    commands.DecideDoubt: _MAILING | {"n": 3, "indexes": "0-4,7", "decision": "resend"},
    commands.DeleteMailing: _MAILING,
    commands.Redrive: {"seq": 17},
    commands.TakeFeedback: _UPLOAD | {"parts": 1},
    commands.LiftSuppression: {"address": "ann@example.com", "reason": "wrote that the mailbox works again"},
    commands.Accounts: {},
    commands.Preflight: {"account": "a91kfm3xw2rb"},
    commands.Lists: {},
    commands.ImportStatus: _UPLOAD,
    commands.RejectedRows: _UPLOAD | {"limit": 20},
    commands.PreviewImport: _UPLOAD,
    commands.Forecast: _MAILING,
    commands.Foresee: _MAILING | {"at": "2027-05-03T09:00", "zone": "Europe/Prague"},
    commands.Audience: _MAILING | {"only": "skipped"},
    commands.LintMailing: _MAILING,
    commands.PreviewMailing: _MAILING | {"contact": "ann@example.com"},
    commands.SendMail: {
        "account": "a91kfm3xw2rb",
        "to": "ann@example.com",
        "sender_address": "help@shop.example",
        "subject": "Your question",
        "text": "Hello {{ name }}",
    },
    commands.SaveTemplate: {"name": "Letter", "subject": "For {{ name }}", "html": "<p>Hello {{ name }}</p>"},
    commands.DeleteTemplate: {"template": "t4w8k2m0x9qd"},
    commands.Templates: {},
    commands.SaveTrackingUrl: {"name": "Spring sale", "url": "https://shop.example/sale?from=mail"},
    commands.DeleteTrackingUrl: {"name": "Spring sale"},
    commands.TrackingUrls: {},
    commands.ShowTemplate: {"template": "t4w8k2m0x9qd"},
    commands.Campaigns: {},
    commands.Mailings: {"campaign": "c7m2hs0k4tqd"},
    commands.Status: _MAILING,
    commands.Recipients: _MAILING | {"outcome": "rejected", "limit": 50},
    commands.CustomerCounts: _MAILING,
    commands.Links: _MAILING,
    commands.RejudgeHits: _MAILING,
    commands.Timeline: _MAILING,
    commands.LogLines: _MAILING,
    commands.ConsentHistory: {"address": "ann@one.example"},
    commands.Outcomes: _MAILING | {"source": "crm", "ids": ["4711", "4712"]},
    commands.FeedEvents: {"after": "4012"},
    commands.CustomerStatuses: {"campaign": "c7m2hs0k4tqd", "after": "5012.0.7"},
    commands.Doubts: _MAILING,
    commands.ProviderHealth: {"account": "a91kfm3xw2rb", "hours": 48},
    commands.VerifyLedger: _MAILING,
    commands.ParkedMessages: {},
    commands.ContactProblems: {},
    commands.ViewHealth: {},
    commands.Census: {},
    commands.Draft: _MAILING,
    commands.LogTrust: {},
    commands.ResumeAfterRestore: {"keep_paused": True},
    commands.ResealSecrets: {},
    commands.IssueToken: {"name": "shop", "permissions": ["view", "send"], "expires_at": "2027-11-27T00:00:00Z"},
    commands.RevokeToken: {"token": "t5k2m8w0xq4z"},
    commands.Tokens: {},
    commands.AddUser: {
        "name": "Ann",
        "email": "ann@shop.example",
        "password": "correct horse battery",
        "permissions": ["view"],
    },
    commands.ChangePermissions: _USER | {"permissions": ["view", "edit"]},
    commands.SetPassword: _USER | {"password": "correct horse battery"},
    commands.RemoveUser: _USER,
    commands.Users: {},
    commands.ChangePassword: {"current": "correct horse battery", "password": "staple and another"},
    commands.OpenSession: {"email": "ann@shop.example", "password": "correct horse battery"},
    commands.CloseSession: {"session": "the secret that session.open answered"},
    commands.AuditTrail: {"principal": "producer"},
}

LEFT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "7f0c2b1e-4711-4",
    "source": "crm",
    "type": "contact.removed_from_list/1",
    "data": {"id": "4711", "version": 4, "list": "readers"},
}
HAPPENED: dict[str, Any] = {
    "specversion": "1.0",
    "id": "9d41e6a0-1",
    "source": "crm",
    "type": "activity.happened/1",
    "time": "2026-11-27T12:00:00Z",
    "data": {
        "id": "award-77",
        "type": "points awarded",
        "campaign": "May",
        "participants": [{"id": "4711"}, {"source": "shop", "id": "c-12"}, {"address": "ann@one.example"}],
    },
}

_RECIPIENT = {"contact": "0000000041qz", "source": "crm", "external": "4711"}

FEED_EXAMPLES: dict[str, dict[str, Any]] = {
    "mailing.changed/1": _MAILING | {"change": "completed", "totals": {"accepted": 9990, "rejected": 10}},
    "recipients.settled/1": _MAILING
    | {
        "recipients": [
            _RECIPIENT
            | {
                "outcome": "rejected",
                "code": 550,
                "enhanced": "5.1.1",
                "reply": "<*>: no such user",
                "at": "2026-11-27T12:03:00.120Z",
            }
        ]
    },
    "engagement.recorded/1": _MAILING
    | {
        "hits": [
            _RECIPIENT
            | {"id": "h8d0s2k1", "kind": "click", "link": 0, "agent": "mail-client", "at": "2026-11-27T12:09:41.003Z"}
        ]
    },
    "mail.returned/1": _RECIPIENT
    | _MAILING
    | {
        "what": "bounced",
        "reason": "user-unknown",
        "scope": "address",
        "permanent": True,
        "status": "5.1.1",
        "code": "550",
    },
    "consent.changed/1": _RECIPIENT | _MAILING | {"act": "opted_out", "scope": "l4k2m0x9s7td", "how": "one-click"},
    "statuses.changed/1": {
        "campaign": "c7m2hs0k4tqd",
        "mailing": "dbhqj1pk0kha",
        "outcome": "clicked",
        "status": "Interested",
        "customers": [_RECIPIENT | {"at": "2026-11-27T12:09:41Z"}],
    },
    "contacts.changed/1": {"by": "producer", "source": "crm", "added": 40, "updated": 2, "unchanged": 0},
}
"""The data of each type of the feed."""
