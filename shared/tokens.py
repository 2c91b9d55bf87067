"""Signed tokens in URLs: who a mail went to, where a link leads, who may unsubscribe from what.

The sender signs (`Signer`), the tracker verifies (`verify_*`). A recipient part has one MAC that serves pixel, clicks
and Message-ID; a link part is signed once a mailing. A token holds no address and no name, only ids and the keyed hash
of the address. Whatever does not verify is None: the caller cannot tell a forged token from a broken or foreign one,
and an unknown key id costs the same time. Every key of the ring verifies, so old links outlive a rotation.

Shapes: `{public}/c/{recipient}/{link}` click, `{public}/o/{recipient}.gif` pixel, `{public}/u/{unsubscribe}`,
`{public}/s/{opt_in}`, `{public}/v/{view}`, with recipient and view `kid.mailing.n.index.mac` (of recipient `-` for n
and index where recipients are not told apart), link `id.url.mac`, unsubscribe
`kid.mailing.n.index.address_key.scope.mac` (scope: list ids in ascending order joined by `+`, or `*`), opt-in
`kid.mailing.n.index.address_key.scope.until.mac` (until: its last day, since 1970).

A return path is `b+kid.mailing.n.index.mac@domain`, its MAC 64 bits in hexadecimal: relays may change the case of a
local part, and it has 64 octets at most. Mail to `u+...@domain` unsubscribes; the rest is the same.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from shared.keys import KeyRing

CLICK_PATH = "/c/"
PIXEL_PATH = "/o/"
PIXEL_SUFFIX = ".gif"
UNSUBSCRIBE_PATH = "/u/"
OPT_IN_PATH = "/s/"
VIEW_PATH = "/v/"

BOUNCE_PREFIX = "b+"
LEAVE_PREFIX = "u+"

OPT_IN_DAYS = 14

MAX_URL = 2_000
MAX_LISTS = 24
EVERYTHING = "*"
ANONYMOUS = -1

_BLOCK = 64
_MAC_BYTES = 15
_NO_KEY = bytes(32)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_MAC = r"(?P<mac>[A-Za-z0-9_-]{20})"
_WHO = r"(?P<mailing>[a-z0-9]{1,24})\.(?P<n>0|[1-9][0-9]{0,8})\.(?P<index>0|[1-9][0-9]{0,3})"
_BOUNCE_MAC_BYTES = 8
_KID = r"(?P<kid>[0-9a-z]{1,8})"
_RECIPIENT = re.compile(rf"{_KID}\.(?P<signed>{_WHO}|(?P<all>[a-z0-9]{{1,24}})\.-\.-)\.{_MAC}", re.ASCII)
_PARTS = ("kid", "signed", "mac", "all", "mailing", "n", "index")
_LINK = re.compile(rf"(?P<signed>(?P<link>0|[1-9][0-9]{{0,3}})\.(?P<url>[A-Za-z0-9_-]{{1,2800}}))\.{_MAC}", re.ASCII)
_BOUNCE = re.compile(rf"{re.escape(BOUNCE_PREFIX)}{_KID}\.(?P<signed>{_WHO})\.(?P<mac>[0-9a-f]{{16}})", re.ASCII)
_CLAIM = (
    rf"{_WHO}\.(?P<address>[0-9a-f]{{16}})\."
    rf"(?P<scope>\*|[a-z0-9]{{1,24}}(?:\+[a-z0-9]{{1,24}}){{0,{MAX_LISTS - 1}}})"
)
_UNSUBSCRIBE = re.compile(rf"{_KID}\.(?P<signed>{_CLAIM})\.{_MAC}", re.ASCII)
_UNSUBSCRIBE_IN_TEXT = re.compile(rf"(?<![A-Za-z0-9_.+*-]){_UNSUBSCRIBE.pattern}(?![A-Za-z0-9_.+*-])", re.ASCII)
_OPT_IN = re.compile(rf"{_KID}\.(?P<signed>{_CLAIM}\.(?P<until>[1-9][0-9]{{0,6}}))\.{_MAC}", re.ASCII)


class UnknownKeyError(LookupError):
    """A chunk pins a token key that the environment does not hold any more."""


@dataclass(frozen=True, slots=True)
class RecipientToken:
    """Whom a hit belongs to. `n` and `index` are `ANONYMOUS` where the mailing does not tell recipients apart."""

    kid: str
    mailing: str
    n: int
    index: int

    @property
    def anonymous(self) -> bool:
        """Whether the hit counts for the mailing only."""
        return self.index == ANONYMOUS


@dataclass(frozen=True, slots=True)
class LinkToken:
    """Where a tracked link leads: `link` is its place in `Content.links`."""

    link: int
    url: str


@dataclass(frozen=True, slots=True)
class UnsubscribeToken:
    """Who leaves what, by which mail. `scope` holds list ids, or `*` for all mail of the brand."""

    kid: str
    mailing: str
    n: int
    index: int
    address_key: str
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OptInToken:
    """Who confirms mail of what, asked by which mail, until which day since 1970."""

    kid: str
    mailing: str
    n: int
    index: int
    address_key: str
    scope: tuple[str, ...]
    until: int


class _Key:
    """HMAC-SHA256 (RFC 2104) begun with one key, its two hashes copied for each MAC: half the time of `hmac`'s copy."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (key if len(key) <= _BLOCK else sha256(key).digest()).ljust(_BLOCK, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, signed: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(signed)
        outer.update(inner.digest())
        return outer.digest()

    def mac(self, signed: bytes) -> bytes:
        """120 bits as 20 URL-safe characters."""
        return b2a_base64(self.digest(signed)[:_MAC_BYTES], newline=False).translate(_URL_SAFE)

    def bounce_mac(self, who: bytes) -> bytes:
        """64 bits as 16 hexadecimal digits: whoever guesses has to mail each guess to us."""
        return self.digest(b"b " + who)[:_BOUNCE_MAC_BYTES].hex().encode()


def scope_of(lists: Iterable[str]) -> str:
    """Return the scope of an unsubscribe token; no lists, or too many for a URL, mean everything."""
    ordered = sorted(set(lists))
    return "+".join(ordered) if 0 < len(ordered) <= MAX_LISTS else EVERYTHING


class Signer:
    """Signs with one key of the ring: the one a chunk pins, or the active one."""

    def __init__(self, key_ring: KeyRing, kid: str = "") -> None:
        self.kid = kid or key_ring.active
        try:
            self._key = _Key(key_ring.token_keys[self.kid])
        except KeyError as error:
            raise UnknownKeyError(f"no key with id {self.kid} in POSTHASTE_SECRET_KEYS") from error

    def recipient_mac(self, who: bytes) -> bytes:
        """Return the MAC over `mailing.n.index`: the fast path of the sender."""
        return self._key.mac(b"r " + who)

    def bounce_mac(self, who: bytes) -> bytes:
        """Return the MAC over `mailing.n.index` as it stands in a return path."""
        return self._key.bounce_mac(who)

    def unsubscribe_mac(self, claim: bytes) -> bytes:
        """Return the MAC over `mailing.n.index.address_key.scope`."""
        return self._key.mac(b"u " + claim)

    def opt_in_mac(self, claim: bytes) -> bytes:
        """Return the MAC over `mailing.n.index.address_key.scope.until`."""
        return self._key.mac(b"s " + claim)

    def view_mac(self, who: bytes) -> bytes:
        """Return the MAC over `mailing.n.index` of the link that shows the mail: the pixel's does not."""
        return self._key.mac(b"v " + who)

    def view(self, mailing: str, n: int, index: int) -> str:
        """Return the token that shows the mail."""
        who = f"{mailing}.{n}.{index}"
        return f"{self.kid}.{who}.{self.view_mac(who.encode()).decode()}"

    def recipient(self, mailing: str, n: int, index: int) -> str:
        """Return the recipient part."""
        who = f"{mailing}.{n}.{index}"
        return f"{self.kid}.{who}.{self.recipient_mac(who.encode()).decode()}"

    def anonymous(self, mailing: str) -> str:
        """Return the recipient part that all recipients of a mailing share."""
        who = f"{mailing}.-.-"
        return f"{self.kid}.{who}.{self.recipient_mac(who.encode()).decode()}"

    def link(self, mailing: str, link: int, url: str) -> str:
        """Return the link part, the same for every recipient of the mailing."""
        signed = f"{link}.{urlsafe_b64encode(url.encode()).rstrip(b'=').decode()}"
        return f"{signed}.{self._key.mac(_link_claim(mailing, signed)).decode()}"

    def unsubscribe(self, mailing: str, n: int, index: int, address_key: str, lists: Iterable[str]) -> str:
        """Return the unsubscribe token."""
        claim = f"{mailing}.{n}.{index}.{address_key}.{scope_of(lists)}"
        return f"{self.kid}.{claim}.{self.unsubscribe_mac(claim.encode()).decode()}"

    def opt_in(self, mailing: str, n: int, index: int, address_key: str, lists: Iterable[str], *, until: int) -> str:
        """Return the token that confirms an opt-in."""
        claim = f"{mailing}.{n}.{index}.{address_key}.{scope_of(lists)}.{until}"
        return f"{self.kid}.{claim}.{self.opt_in_mac(claim.encode()).decode()}"


def today(now: datetime) -> int:
    """Return the day since 1970."""
    return int(now.timestamp()) // 86_400


def _link_claim(mailing: str, signed: str) -> bytes:
    return f"l {mailing}.{signed}".encode()


_begun = lru_cache(maxsize=64)(_Key)
"""A key as it was begun: to begin it for every hit costs as much as the MAC."""


def _holds(keys: Mapping[str, bytes], kid: str, signed: bytes, mac: str) -> bool:
    key = keys.get(kid)
    same = hmac.compare_digest(_begun(key or _NO_KEY).mac(signed), mac.encode())
    return same and key is not None


def verify_recipient(key_ring: KeyRing, text: str) -> RecipientToken | None:
    """Return whom the recipient part names, or None."""
    return _recipient(key_ring, text, b"r ")


def verify_view(key_ring: KeyRing, text: str) -> RecipientToken | None:
    """Return whose mail is to be shown, or None."""
    token = _recipient(key_ring, text, b"v ")
    return None if token is None or token.anonymous else token


def _recipient(key_ring: KeyRing, text: str, kind: bytes) -> RecipientToken | None:
    match = _RECIPIENT.fullmatch(text)
    if match is None:
        return None
    kid, signed, mac, everybody, mailing, n, index = match.group(*_PARTS)
    if not _holds(key_ring.token_keys, kid, kind + signed.encode(), mac):
        return None
    if everybody is not None:
        return RecipientToken(kid, everybody, ANONYMOUS, ANONYMOUS)
    return RecipientToken(kid, mailing, int(n), int(index))


def verify_link(key_ring: KeyRing, recipient: RecipientToken, text: str) -> LinkToken | None:
    """Return where the link part of that recipient's mailing leads, or None."""
    match = _LINK.fullmatch(text)
    if match is None:
        return None
    signed = _link_claim(recipient.mailing, match["signed"])
    if not _holds(key_ring.token_keys, recipient.kid, signed, match["mac"]):
        return None
    url = _decoded(match["url"])
    return LinkToken(int(match["link"]), url) if is_target(url) else None


def verify_unsubscribe(key_ring: KeyRing, text: str) -> UnsubscribeToken | None:
    """Return who leaves what, or None."""
    match = _UNSUBSCRIBE.fullmatch(text)
    if match is None or not _holds(key_ring.token_keys, match["kid"], b"u " + match["signed"].encode(), match["mac"]):
        return None
    return UnsubscribeToken(*_actor(match))


def unsubscribe_in(key_ring: KeyRing, text: str) -> UnsubscribeToken | None:
    """Return who leaves what by the first unsubscribe token in a text, or None; the text may come from anybody."""
    for match in _UNSUBSCRIBE_IN_TEXT.finditer(text):
        if (token := verify_unsubscribe(key_ring, match[0])) is not None:
            return token
    return None


def verify_opt_in(key_ring: KeyRing, text: str) -> OptInToken | None:
    """Return who confirms what until when, or None; whether it is too late is for the caller to say."""
    match = _OPT_IN.fullmatch(text)
    if match is None or not _holds(key_ring.token_keys, match["kid"], b"s " + match["signed"].encode(), match["mac"]):
        return None
    return OptInToken(*_actor(match), int(match["until"]))


def _actor(match: re.Match[str]) -> tuple[str, str, int, int, str, tuple[str, ...]]:
    """Return key id, mailing, n, index, address key and scope."""
    kid, mailing, n, index, address, scope = match.group("kid", "mailing", "n", "index", "address", "scope")
    return kid, mailing, int(n), int(index), address, tuple(scope.split("+"))


def verify_leaving(key_ring: KeyRing, local_part: str) -> RecipientToken | None:
    """Return whose address to unsubscribe at this local part is, in whatever case, or None."""
    if local_part[: len(LEAVE_PREFIX)].lower() != LEAVE_PREFIX:
        return None
    return verify_bounce(key_ring, BOUNCE_PREFIX + local_part[len(LEAVE_PREFIX) :])


def verify_bounce(key_ring: KeyRing, local_part: str) -> RecipientToken | None:
    """Return whose mail came back to this local part, in whatever case, or None."""
    match = _BOUNCE.fullmatch(local_part.lower())
    if match is None:
        return None
    key = key_ring.token_keys.get(match["kid"])
    mac = _Key(key or _NO_KEY).bounce_mac(match["signed"].encode())
    if not hmac.compare_digest(mac, match["mac"].encode()) or not key:
        return None
    return RecipientToken(match["kid"], match["mailing"], int(match["n"]), int(match["index"]))


def _decoded(text: str) -> str:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:  # signed by us, so never seen; the caller refuses the empty target
        return ""


def is_target(url: str) -> bool:
    """Whether a redirect may lead to `url`: http or https with a host, printable ASCII, bounded length."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:  # a broken bracketed host: no target
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
