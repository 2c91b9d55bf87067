"""Messages of Amazon SNS: their shape, what is signed, and where Amazon alone may answer for them. Pure.

Nothing in a message says where to fetch: the host follows from the region of a topic that the settings allow, the path
of the certificate has to look like Amazon's, and the address that confirms a subscription is put together here. So a
forged message can neither lead elsewhere nor to a certificate that somebody else could place.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = re.compile(
    r"arn:aws(?P<partition>-cn|-us-gov)?:sns:(?P<region>[a-z]{2}(?:-[a-z]{2,10}){1,2}-[0-9]{1,2}):[0-9]{12}"
    r":[A-Za-z0-9_-]{1,256}(?:\.fifo)?"
)
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
_SIGNER = re.compile(r"sns(?:-signing)?(?:\.[a-z0-9-]{3,30})?\.amazonaws\.com(?:\.cn)?")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message whose shape is right; nothing of it is believed before `verifies`.

    Attributes:
        certificate: Address of the certificate, at Amazon.
        confirmation: Address that confirms the subscription, for a message that asks to.
    """

    kind: str
    topic: str
    text: str
    certificate: str
    confirmation: str
    timestamp: str
    signed: bytes
    signature: bytes
    version: str


def read(body: bytes, topics: frozenset[str]) -> Message | None:
    """Return the message, None where it is none of a topic that is allowed."""
    try:
        fields = orjson.loads(body)
    except ValueError:  # no JSON
        return None
    if not isinstance(fields, dict):
        return None
    kind, topic = _text(fields, "Type"), _text(fields, "TopicArn")
    arn = TOPIC.fullmatch(topic)
    if kind not in _SIGNED or topic not in topics or arn is None:
        return None
    host = f"https://sns.{arn['region']}.amazonaws.com" + (".cn" if arn["partition"] == "-cn" else "")
    shown = _text(fields, "SigningCertURL")
    version = _text(fields, "SignatureVersion")
    if not shown.startswith(host) or not _CERTIFICATE.fullmatch(shown, len(host)) or version not in ("1", "2"):
        return None
    try:
        signature = b64decode(_text(fields, "Signature"), validate=True)
    except ValueError:  # no signature
        return None
    asked = {"Action": "ConfirmSubscription", "TopicArn": topic, "Token": _text(fields, "Token")}
    return Message(
        kind,
        topic,
        _text(fields, "Message"),
        shown,
        f"{host}/?{urlencode(asked)}" if kind == "SubscriptionConfirmation" else "",
        _text(fields, "Timestamp"),
        to_sign(fields, kind),
        signature,
        version,
    )


def to_sign(fields: Mapping[str, Any], kind: str) -> bytes:
    """Return what Amazon signs: names and values, a line each, in byte order of the names."""
    lines = [f"{name}\n{_text(fields, name)}\n" for name in _SIGNED[kind] if name in fields]
    return "".join(lines).encode()


def verifies(message: Message, pem: bytes, now: datetime) -> bool:
    """Whether the certificate is Amazon's, valid now, and its key signed the message."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):  # what was fetched is no certificate
        return False
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc or not _amazon(certificate):
        return False
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    # version 1 is what topics use unless told otherwise; forging it takes a second preimage, not a collision
    digest = hashes.SHA1() if message.version == "1" else hashes.SHA256()  # noqa: S303 - theirs to choose
    try:
        key.verify(message.signature, message.signed, padding.PKCS1v15(), digest)
    except InvalidSignature:  # forged
        return False
    return True


def moment(message: Message) -> float:
    """Return when the message says it was sent, 0 where it does not say."""
    try:
        return datetime.fromisoformat(message.timestamp).timestamp()
    except ValueError:  # answered as one that is too old
        return 0


def _amazon(certificate: x509.Certificate) -> bool:
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return any(_SIGNER.fullmatch(name) for name in names)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
