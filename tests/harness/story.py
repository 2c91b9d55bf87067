"""A log told in memory: commits as the services write them, numbered from 1, for tests of what reads the log.

`Story` keeps the commits it made; the helpers name what happens in the words of the domain.
"""

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from shared.contracts import subjects
from shared.contracts.campaign import CampaignOpened
from shared.contracts.consent import OptedOut
from shared.contracts.engagement import Hit, HitsRecorded
from shared.contracts.envelope import Commit, DomainEvent, EventRecord
from shared.contracts.feedback import BounceReceived, ComplaintReceived, ReplyReceived
from shared.contracts.mailing import AudienceFrozen, MailingDrafted, SendingStarted
from shared.contracts.ranges import pack
from shared.contracts.sending import ChunkPlanned, Group, RecipientsClaimed, RecipientsSettled

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)
KEY = "0123456789abcdef"


class Story:
    """Commits in the order of the log."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.now = START

    def tell(self, subject: str, *events: DomainEvent, principal: str = "", fact: str = "") -> Commit:
        """Append one commit. The same `fact` gives the same event ids again."""
        seq = len(self.commits) + 1
        records = tuple(
            EventRecord(
                id=f"{fact or f'c{seq}'}.{index}",
                event=event,
                subject=subject,
                seq=seq,
                index=index,
                time=self.now,
                recorded_at=self.now,
                principal=principal,
            )
            for index, event in enumerate(events)
        )
        commit = Commit(seq=seq, subject=subject, recorded_at=self.now, events=records)
        self.commits.append(commit)
        self.now += timedelta(milliseconds=10)
        return commit

    def mailing(self, mailing: str, *events: DomainEvent, principal: str = "anna") -> Commit:
        """Append events of a mailing."""
        return self.tell(subjects.mailing(mailing), *events, principal=principal)

    def started(self, mailing: str, recipients: int, *, chunks: int = 1, campaign: str = "c1") -> None:
        """Open a campaign, draft a mailing in it, freeze its audience and start it."""
        self.tell(subjects.campaign(campaign), CampaignOpened(name="Autumn", lists=["l1"]), principal="anna")
        self.mailing(mailing, drafted(campaign=campaign))
        self.mailing(mailing, frozen(recipients, chunks=chunks))
        self.mailing(mailing, SendingStarted())

    def planned(self, mailing: str, n: int, size: int, *, kind: str = "campaign", lane: str = "rest") -> Commit:
        """Plan a chunk."""
        event = ChunkPlanned(
            mailing=mailing,
            n=n,
            account="a1",
            lane=lane,
            kind=kind,
            contacts=[contact(n, index) for index in range(size)],
            digests=b64encode(bytes(12 * size)).decode(),
            checked=1,
            content="h1",
            token_key="k1",
        )
        return self.tell(subjects.plan(mailing, "a1", lane, n), event)

    def claimed(self, mailing: str, n: int, indexes: Iterable[int]) -> Commit:
        """Claim recipients."""
        return self.tell(subjects.chunk(mailing, n), claim(indexes))

    def settled(self, mailing: str, n: int, *groups: Group, then: Iterable[int] = ()) -> Commit:
        """Settle recipients and, in the same commit, claim others."""
        claims = [claim(then)] if (then := list(then)) else []
        event = RecipientsSettled(groups=list(groups), host="relay:25", base=START_MS)
        return self.tell(subjects.chunk(mailing, n), event, *claims)

    def sent(self, mailing: str, n: int, indexes: Iterable[int], outcome: str = "accepted", **more: object) -> None:
        """Claim and settle in two commits."""
        indexes = list(indexes)
        self.claimed(mailing, n, indexes)
        self.settled(mailing, n, group(outcome, indexes, **more))

    def hit(self, *hits: Hit) -> Commit:
        """Record hits."""
        return self.tell(subjects.engagement(0), HitsRecorded(hits=list(hits)))

    def opted_out(self, mailing: str, n: int, index: int, *, comment: str = "", fact: str = "") -> Commit:
        """Let a recipient opt out by a mail."""
        event = OptedOut(address_key=KEY, scope="l1", how="page", mailing=mailing, n=n, index=index, comment=comment)
        return self.tell(subjects.consent(15), event, fact=fact)

    def came_back(self, event: DomainEvent, *, fact: str = "") -> Commit:
        """Let something come back."""
        return self.tell(subjects.feedback(3), event, fact=fact)


def bounce(mailing: str, n: int, index: int, reason: str = "user-unknown") -> BounceReceived:
    """Return a bounce that a token proves."""
    by = {"source": "file", "proven": "return-path", "mailing": mailing, "n": n, "index": index}
    told = {"kind": "bounce", "reason": reason, "scope": "address", "permanent": True, "standard": True}
    return BounceReceived.model_validate(by | told)


def complaint(mailing: str, n: int, index: int, kind: str = "abuse") -> ComplaintReceived:
    """Return a complaint that a token proves, or its taking back."""
    return ComplaintReceived(source="file", proven="message-id", mailing=mailing, n=n, index=index, feedback_type=kind)


def reply(mailing: str, n: int, index: int, note: str = "") -> ReplyReceived:
    """Return a reply that a token proves."""
    return ReplyReceived(source="file", proven="message-id", mailing=mailing, n=n, index=index, note=note)


def contact(n: int, index: int) -> str:
    """Return the contact that stands at a place."""
    return f"p{n}x{index}"


def drafted(campaign: str = "c1", **more: object) -> MailingDrafted:
    """Return a draft."""
    values = {"name": "News", "account": "a1", "content": "h1", "subject": "Hello", "links": ["https://a.example/"]}
    return MailingDrafted.model_validate({"campaign": campaign} | values | more)


def frozen(recipients: int, *, chunks: int = 1, name: str = "h2") -> AudienceFrozen:
    """Return a frozen audience."""
    return AudienceFrozen(object=name, recipients=recipients, chunks=chunks, lanes={"rest": chunks}, position=1)


def claim(indexes: Iterable[int]) -> RecipientsClaimed:
    """Return a claim."""
    indexes = list(indexes)
    return RecipientsClaimed(indexes=pack(indexes), digests=b64encode(bytes(8 * len(indexes))).decode(), date=1)


def group(outcome: str, indexes: Iterable[int], **more: object) -> Group:
    """Return a settled group; what a relay says of it is made up."""
    indexes = list(indexes)
    said: dict[str, object] = {}
    if outcome in ("accepted", "rejected", "deferred"):
        code = {"accepted": 250, "rejected": 550, "deferred": 451}[outcome]
        said = {"code": code, "enhanced": f"{code // 100}.0.0", "text": f"{outcome} as *"}
        said |= {"queue_ids": [f"Q{index}" for index in indexes], "at": [index * 10 for index in indexes]}
    return Group.model_validate({"outcome": outcome, "indexes": pack(indexes)} | said | more)


def hit(
    fact: str,
    mailing: str,
    n: int,
    index: int,
    *,
    link: int | None = None,
    after: float = 0.0,
    agent: str = "desktop",
    network: str = "",
) -> Hit:
    """Return an open, or a click where a link is given, of a person a minute and `after` seconds after the start."""
    kind = "open" if link is None else "click"
    at = START + timedelta(seconds=60 + after)
    return Hit(id=fact, kind=kind, mailing=mailing, n=n, index=index, link=link, at=at, agent=agent, network=network)
