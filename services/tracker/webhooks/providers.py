"""One class for each provider: is a request really theirs, and what does it say?

`check` raises `RefusedError` or `UnreachableError` alone; what it returns was said by the provider. `early` looks at
the headers, so that a request without proof of its sender costs no body where the provider shows it there.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

import orjson

from services.tracker.feedback.providers import mailgun, postmark, sendgrid, ses
from services.tracker.feedback.report import Report
from services.tracker.webhooks import signatures, sns
from services.tracker.webhooks.amazon import Amazon
from services.tracker.webhooks.signatures import Tokens, Verdict

log = logging.getLogger(__name__)

Headers = Mapping[bytes, str]


class RefusedError(Exception):
    """The request is not believed, or is none."""

    def __init__(self, why: Literal["forged", "replayed", "malformed"]) -> None:
        super().__init__(why)
        self.why = why


class Provider(Protocol):
    """What the HTTP side needs."""

    def early(self, headers: Headers) -> None:
        """Refuse what the headers alone show to be forged."""

    async def check(self, headers: Headers, body: bytes, now: datetime) -> Iterable[Report]:
        """Return what a provider said; the reports are made one by one while they are taken."""


def _believed(verdict: Verdict) -> None:
    if verdict != "valid":
        raise RefusedError(verdict)


def _document(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return orjson.loads(body)
    except ValueError as error:  # said with a right signature, and yet not understood
        raise RefusedError("malformed") from error


class Ses:
    """Amazon SES, by messages of SNS for topics that are allowed."""

    def __init__(self, topics: Iterable[str], amazon: Amazon) -> None:
        self._topics = frozenset(topics)
        self._amazon = amazon

    def early(self, headers: Headers) -> None:
        """Refuse what does not name a topic of ours."""
        if headers.get(b"x-amz-sns-topic-arn", "") not in self._topics:
            raise RefusedError("forged")

    async def check(self, headers: Headers, body: bytes, now: datetime) -> Iterable[Report]:  # noqa: ARG002 - as all have it
        """Return what a message says; one that asks for it confirms the subscription."""
        message = sns.read(body, self._topics)
        if message is None or not sns.verifies(message, await self._amazon.certificate(message.certificate), now):
            raise RefusedError("forged")
        _believed(signatures.age(sns.moment(message), now))
        if message.kind == "SubscriptionConfirmation":
            await self._amazon.confirm(message.confirmation)
            log.info("webhook ses: a subscription is confirmed")
        if message.kind != "Notification":
            return ()
        document = _document(message.text.encode("utf-8", "replace")) if message.text.lstrip()[:1] == "{" else {}
        return ses.reports(document if isinstance(document, dict) else {})


class SendGrid:
    """SendGrid's event webhook."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = signatures.sendgrid_keys(keys)

    def early(self, headers: Headers) -> None:
        """Refuse what bears no signature."""
        if not headers.get(signatures.SENDGRID_SIGNATURE) or not headers.get(signatures.SENDGRID_TIMESTAMP):
            raise RefusedError("forged")

    async def check(self, headers: Headers, body: bytes, now: datetime) -> Iterable[Report]:
        """Return what the events say."""
        signature, timestamp = headers[signatures.SENDGRID_SIGNATURE], headers[signatures.SENDGRID_TIMESTAMP]
        _believed(signatures.sendgrid(self._keys, signature, timestamp, body, now))
        return sendgrid.reports(_document(body))


class Mailgun:
    """Mailgun's webhooks."""

    def __init__(self, keys: Sequence[str], tokens: Tokens | None = None) -> None:
        self._keys = keys
        self._tokens = tokens or Tokens()

    def early(self, headers: Headers) -> None:
        """Let everything in: the signature is in the body."""

    async def check(self, headers: Headers, body: bytes, now: datetime) -> Iterable[Report]:  # noqa: ARG002 - as all have it
        """Return what the event says."""
        try:
            document = _document(body)
        except RefusedError as error:  # where nothing can be read nothing is signed
            raise RefusedError("forged") from error
        signed = document.get("signature") if isinstance(document, dict) else None
        if not isinstance(signed, dict):
            raise RefusedError("forged")
        _believed(signatures.mailgun(self._keys, signed, now))
        if not self._tokens.take(str(signed.get("token")), body):
            raise RefusedError("replayed")
        return mailgun.reports(document)


class Postmark:
    """Postmark's webhooks."""

    def __init__(self, logins: Sequence[str]) -> None:
        self._logins = logins

    def early(self, headers: Headers) -> None:
        """Refuse who does not know the password."""
        _believed(signatures.password(self._logins, headers.get(b"authorization", "")))

    async def check(self, headers: Headers, body: bytes, now: datetime) -> Iterable[Report]:  # noqa: ARG002 - as all have it
        """Return what the record says."""
        document = _document(body)
        return postmark.reports(document if isinstance(document, dict) else {})
