"""Is an account fit to send bulk mail? What providers look at, one check each, red or green, with the remedy. Pure.

In: what was seen of an account and of the domains it sends as (`Seen`); out: checks. None stands for a question that
could not be asked (no DNS at hand, a server that does not answer): its check is `unknown`, which is not green.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

State = Literal["good", "warning", "bad", "unknown"]
Texts = Sequence[str] | None
"""TXT records of a name, none where there are none; None where nobody could say."""

MOST_LOOKUPS = 10
_LOOKUP = re.compile(
    r"(?:^|\s)[+?~-]?(?:include:|a(?:[:/\s]|$)|mx(?:[:/\s]|$)|ptr(?:[:\s]|$)|exists:|redirect=)", re.IGNORECASE
)


class Check(NamedTuple):
    """One check: `about` is the domain it is about, "" for the account."""

    name: str
    about: str
    state: State
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key that signs for a domain: where its record stands, what it should say, and what is published there."""

    name: str
    record: str
    published: Texts


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain that stands in From.

    Attributes:
        returns: Domain of the return path, whose SPF counts.
        spf: TXT records of that.
        dmarc: TXT records of `_dmarc` of the domain, or of the nearest one above it that has some.
    """

    name: str
    returns: str
    spf: Texts
    dmarc: Texts
    keys: Sequence[DkimKey] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of an account."""

    tls: str
    loopback: bool
    tested: bool
    working: bool
    public_url: str
    domains: Sequence[Domain] = field(default_factory=tuple)


def checks(seen: Seen) -> list[Check]:
    """Return all checks, those of the account first."""
    found = [_works(seen), _tls(seen), _one_click(seen)]
    for domain in seen.domains:
        found += [_spf(domain), *_dkim(domain), _dmarc(domain), _alignment(domain)]
    return found


def _works(seen: Seen) -> Check:
    if not seen.tested:
        return Check("works", "", "bad", "It was never tested.", "posthaste account test ACCOUNT")
    if not seen.working:
        return Check("works", "", "bad", "The last test failed, or it is paused.", "posthaste account show ACCOUNT")
    return Check("works", "", "good", "The last test was good.")


def _tls(seen: Seen) -> Check:
    if seen.tls != "none":
        return Check("tls", "", "good", f"TLS is required and verified ({seen.tls}).")
    if seen.loopback:
        return Check("tls", "", "warning", "In clear, to this machine.", "Make sure that this relay uses TLS onwards.")
    return Check("tls", "", "bad", "Mails go to the relay in clear.", "Add the account anew with --tls starttls.")


def _one_click(seen: Seen) -> Check:
    """RFC 8058: an HTTPS address that anybody can reach, and a DKIM signature over the headers."""
    url = urlsplit(seen.public_url)
    remedy = "Set POSTHASTE_PUBLIC_URL to the https address under which the tracker is reached."
    if url.scheme != "https":
        return Check("one-click", "", "bad", f"Links begin with {seen.public_url}, which is no https.", remedy)
    if url.hostname in ("localhost", "127.0.0.1", "::1"):
        return Check("one-click", "", "bad", f"Nobody else can reach {seen.public_url}.", remedy)
    unsigned = [domain.name for domain in seen.domains if not domain.keys]
    if unsigned:
        detail = f"Nothing signs the List-Unsubscribe headers for {', '.join(unsigned)} here."
        return Check("one-click", "", "warning", detail, "Sign here (posthaste dkim), or be sure that the relay does.")
    return Check("one-click", "", "good", "HTTPS, and the headers are signed.")


def _spf(domain: Domain) -> Check:
    if domain.spf is None:
        return _unasked("spf", domain.returns)
    found = [text for text in domain.spf if re.match(r"v=spf1(?:\s|$)", text, re.IGNORECASE)]
    if not found:
        remedy = f'Publish a TXT record at {domain.returns}, such as "v=spf1 include:YOUR-RELAY -all".'
        return Check("spf", domain.returns, "bad", "There is no SPF record.", remedy)
    if len(found) > 1:
        return Check(
            "spf", domain.returns, "bad", f"There are {len(found)} SPF records.", "Keep one; two count as none."
        )
    record = found[0]
    if re.search(r"(?:^|\s)\+?all(?:\s|$)", record, re.IGNORECASE):
        return Check("spf", domain.returns, "bad", f"{record} lets anybody send.", "End it with -all or ~all.")
    if len(_LOOKUP.findall(record)) > MOST_LOOKUPS:
        return Check(
            "spf", domain.returns, "bad", "It needs more than ten DNS lookups.", "Shorten it: it fails as it is."
        )
    if not re.search(r"[-~]all(?:\s|$)|redirect=", record, re.IGNORECASE):
        return Check("spf", domain.returns, "warning", f"{record} says nothing of others.", "End it with -all or ~all.")
    return Check("spf", domain.returns, "good", record)


def _dkim(domain: Domain) -> Iterable[Check]:
    if not domain.keys:
        detail = "No key of ours signs for this domain."
        yield Check(
            "dkim", domain.name, "warning", detail, f"posthaste dkim add {domain.name} SELECTOR, if no relay signs."
        )
    for key in domain.keys:
        if key.published is None:
            yield _unasked("dkim", key.name)
        elif not key.published:
            yield Check(
                "dkim", key.name, "bad", "No record is published.", f'Publish TXT at {key.name}: "{key.record}"'
            )
        elif all(_public(text) != _public(key.record) for text in key.published):
            detail = "What is published there is another key."
            yield Check("dkim", key.name, "bad", detail, f'Publish TXT at {key.name}: "{key.record}"')
        else:
            yield Check("dkim", key.name, "good", "The key that signs is published.")


def tags(record: str) -> dict[str, str]:
    """Return the tags of a DKIM or DMARC record, white space taken out."""
    parts = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): re.sub(r"\s+", "", value) for name, sign, value in parts if sign}


def _public(record: str) -> tuple[str, str]:
    found = tags(record)
    return found.get("k", "rsa").lower(), found.get("p", "")


def _policies(domain: Domain) -> list[dict[str, str]]:
    found = [tags(text) for text in domain.dmarc or ()]
    return [each for each in found if each.get("v", "").upper() == "DMARC1"]


def _dmarc(domain: Domain) -> Check:
    if domain.dmarc is None:
        return _unasked("dmarc", domain.name)
    policies = _policies(domain)
    if len(policies) != 1:
        what = "There is no DMARC record." if not policies else f"There are {len(policies)} DMARC records."
        remedy = f'Publish one TXT record at _dmarc.{domain.name}: "v=DMARC1; p=none; rua=mailto:YOU".'
        return Check("dmarc", domain.name, "bad", what, remedy)
    policy = policies[0].get("p", "none").lower()
    if policy not in ("none", "quarantine", "reject"):
        return Check("dmarc", domain.name, "bad", f"p={policy} is no policy.", "Use none, quarantine or reject.")
    if policy == "none":
        return Check("dmarc", domain.name, "good", "p=none", "Once reports are clean: p=quarantine, then p=reject.")
    return Check("dmarc", domain.name, "good", f"p={policy}")


def _alignment(domain: Domain) -> Check:
    """From must be of the domain that DKIM signs for, or of that of the return path."""
    strict = any(policy.get("aspf", "r").lower() == "s" for policy in _policies(domain))
    by_spf = domain.returns == domain.name or (not strict and related(domain.returns, domain.name))
    if domain.keys and by_spf:
        return Check("alignment", domain.name, "good", f"DKIM signs for it, mail returns to {domain.returns}.")
    if domain.keys:
        detail = f"DKIM signs for it; {domain.returns}, where mail returns to, is another domain."
        return Check("alignment", domain.name, "good", detail, "A bounce domain below it would align SPF, too.")
    if by_spf:
        detail = f"Only by SPF, at {domain.returns}: it is lost when mail is forwarded."
        return Check("alignment", domain.name, "warning", detail, f"Sign for {domain.name}: posthaste dkim add.")
    remedy = f"Sign for {domain.name}, or let mail return to a domain below it."
    return Check("alignment", domain.name, "bad", "Neither DKIM nor SPF is of this domain.", remedy)


def related(one: str, other: str) -> bool:
    """Tell whether two domains are one, or one stands below the other, which is more than a top-level domain."""
    short, long = sorted((one.lower(), other.lower()), key=len)
    return "." in short and (short == long or long.endswith("." + short))


def _unasked(name: str, about: str) -> Check:
    return Check(name, about, "unknown", "No DNS server answered.", "Check it where DNS is at hand.")
