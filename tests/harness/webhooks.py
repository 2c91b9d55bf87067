"""Webhooks as the providers send them: example payloads, signed with keys made here."""

import hashlib
import hmac
import json
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-central-1:123456789012:bounces"
CERTIFICATE_PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CERTIFICATE_URL = f"https://sns.eu-central-1.amazonaws.com{CERTIFICATE_PATH}"
MAILGUN_KEY = "key-0123456789abcdef0123456789abcdef"
POSTMARK_LOGIN = "postmark:a-long-password"

Json = dict[str, Any]


@dataclass(frozen=True)
class Posted:
    """One request: its body and the headers that prove it."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class SendGridSigner:
    """An account at SendGrid."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> str:
        """The verification key as its settings page shows it."""
        shown = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return b64encode(shown).decode()

    def post(self, events: object, at: datetime | None = None) -> Posted:
        """Return a signed batch."""
        body = json.dumps(events).encode() + b"\r\n"
        timestamp = str(int((at or datetime.now(UTC)).timestamp()))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return Posted(
            body,
            {
                "Content-Type": "application/json",
                "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
                "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
            },
        )


class AmazonSigner:
    """What signs at Amazon: a key of 2,048 bits and its certificate, made when it first signs."""

    def __init__(self, name: str = "sns.amazonaws.com", days: int = 1) -> None:
        self._name, self._days = name, days

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65_537, 2048)

    @cached_property
    def pem(self) -> bytes:
        """The certificate."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + timedelta(days=self._days))
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    def message(self, text: str, kind: str = "Notification", version: str = "1", **changed: str) -> Json:
        """Return a message as SNS sends it."""
        fields = {
            "Type": kind,
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": text,
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
        }
        if kind != "Notification":
            fields["Token"] = "2336412f37fb687f5d51e6e2425e90c"
            fields["SubscribeURL"] = (
                f"https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}"
            )
        fields.update(changed)
        return {**fields, "Signature": self._signature(fields)}

    def _signature(self, fields: Json) -> str:
        names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
        if fields["Type"] == "Notification":
            names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        told = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields).encode()
        digest = hashes.SHA1() if fields["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303 - as Amazon does
        return b64encode(self._key.sign(told, padding.PKCS1v15(), digest)).decode()

    def post(self, notification: Json, version: str = "1", **changed: str) -> Posted:
        """Return a signed notification of SES."""
        return as_sns(self.message(json.dumps(notification), version=version, **changed))


def as_sns(message: Json) -> Posted:
    """Return a message as the request that carries it."""
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": str(message["Type"]),
        "x-amz-sns-topic-arn": str(message["TopicArn"]),
    }
    return Posted(json.dumps(message).encode(), headers)


def mailgun(event: Json, key: str = MAILGUN_KEY, at: datetime | None = None, token: str = "a" * 50) -> Posted:
    """Return a signed event of Mailgun's."""
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": timestamp, "token": token, "signature": signature}
    return Posted(json.dumps({"signature": signed, "event-data": event}).encode(), {"Content-Type": "application/json"})


def postmark(record: Json, login: str = POSTMARK_LOGIN) -> Posted:
    """Return a record of Postmark's, with its password."""
    shown = b64encode(login.encode()).decode()
    return Posted(json.dumps(record).encode(), {"Content-Type": "application/json", "Authorization": f"Basic {shown}"})


def ses_bounce(message_id: str = "<m1.0.0.mac@example.com>", address: str = "jane@example.com") -> Json:
    """Return a bounce as SES documents it."""
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "reportingMTA": "dns; email.example.com",
            "bouncedRecipients": [
                {
                    "emailAddress": address,
                    "status": "5.1.1",
                    "action": "failed",
                    "diagnosticCode": f"smtp; 550 5.1.1 <{address}>... User unknown",
                }
            ],
            "timestamp": "2026-01-27T14:59:44.101Z",
            "feedbackId": "00000138111222aa-44455566-cccc-cccc-cccc-ddddaaaa068a-000000",
        },
        "mail": {
            "timestamp": "2026-01-27T14:59:38.237Z",
            "source": "sender@example.com",
            "messageId": "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa0680-000000",
            "destination": [address],
            "headersTruncated": False,
            "headers": [{"name": "Message-ID", "value": message_id}],
            "commonHeaders": {"messageId": message_id, "subject": "Hello"},
        },
    }


def sendgrid_bounce(message_id: str = "<m1.0.0.mac@example.com>", address: str = "jane@example.com") -> Json:
    """Return a bounce as SendGrid documents it."""
    return {
        "email": address,
        "timestamp": 1769525984,
        "smtp-id": message_id,
        "bounce_classification": "Invalid Address",
        "event": "bounce",
        "category": ["cat facts"],
        "sg_event_id": "6g4ZI7SA-xmRDv57GoPIPw==",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
        "status": "5.1.1",
        "type": "bounce",
    }


def mailgun_failure(message_id: str = "m1.0.0.mac@example.com", address: str = "jane@example.com") -> Json:
    """Return a permanent failure as Mailgun documents it."""
    return {
        "event": "failed",
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": 1769525984.389832,
        "log-level": "error",
        "severity": "permanent",
        "reason": "bounce",
        "recipient": address,
        "envelope": {"sender": "sender@example.com", "transport": "smtp", "targets": address},
        "message": {"headers": {"to": address, "message-id": message_id, "from": "sender@example.com"}},
        "delivery-status": {
            "attempt-no": 1,
            "code": 550,
            "description": "",
            "enhanced-code": "5.1.1",
            "message": "5.1.1 The email account that you tried to reach does not exist.",
        },
    }


def postmark_bounce(address: str = "jane@example.com") -> Json:
    """Return a bounce as Postmark documents it."""
    return {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "ServerID": 23,
        "MessageStream": "outbound",
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
        "Email": address,
        "From": "sender@example.com",
        "BouncedAt": "2026-01-27T16:33:54.9070259Z",
        "DumpAvailable": True,
        "Inactive": True,
        "CanActivate": True,
        "Subject": "Hello",
    }
