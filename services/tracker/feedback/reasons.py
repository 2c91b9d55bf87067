"""The closed set of reasons: whose fault each is, whether it is for good, what it is called elsewhere.

The words are those in which the sender speaks of live replies. `permanent` means that this address will never take
mail: only that may lead to a suppression without being heard again. docs/feedback.md has the same table; a test holds
it to this one.
"""

from typing import Final, Literal, NamedTuple

Scope = Literal["address", "domain", "sender", "content", "us", "unknown"]
"""Whose fault: the address, its domain, our sender domain, this message, our servers or reputation, or not known."""

Reason = Literal[
    "user-unknown",
    "filtered",
    "mailbox-disabled",
    "mailbox-full",
    "moved",
    "domain-unknown",
    "null-mx",
    "network",
    "expired",
    "system",
    "system-full",
    "mailer",
    "rate",
    "too-many-connections",
    "reputation",
    "blocked",
    "reverse-dns",
    "relaying",
    "authentication",
    "bad-sender",
    "security",
    "tls",
    "policy",
    "spam",
    "virus",
    "content",
    "not-compliant",
    "too-large",
    "protocol",
    "suppressed",
    "unclear",
    "unknown",
    "feedback",
    "vacation",
    "delivered",
]


class Meaning(NamedTuple):
    """What a reason means; `sisimai`: what Sisimai calls it, several names where we make no difference."""

    scope: Scope
    permanent: bool
    sisimai: tuple[str, ...]
    sentence: str


REASONS: Final[dict[Reason, Meaning]] = {
    "user-unknown": Meaning("address", True, ("userunknown",), "there is no such address"),
    "filtered": Meaning("address", False, ("filtered",), "refused for this recipient, but not to the address as such"),
    "mailbox-disabled": Meaning("address", False, ("suspend",), "the account is locked, unpaid or asleep"),
    "mailbox-full": Meaning("address", False, ("mailboxfull",), "the mailbox is full"),
    "moved": Meaning("address", True, ("hasmoved",), "the person moved and left no forwarding address"),
    "domain-unknown": Meaning("domain", True, ("hostunknown",), "there is no such domain, or it has no mail"),
    "null-mx": Meaning("domain", True, ("notaccept",), "the domain or host says that it takes no mail"),
    "network": Meaning("domain", False, ("networkerror",), "no connection, DNS failing, or mail going in circles"),
    "expired": Meaning("domain", False, ("expired",), "tried until time was up"),
    "system": Meaning("domain", False, ("systemerror",), "the receiving system has a fault"),
    "system-full": Meaning("domain", False, ("systemfull",), "the receiving system is out of space"),
    "mailer": Meaning("domain", False, ("mailererror",), "the program behind the address failed"),
    "rate": Meaning("us", False, ("speeding", "ratelimited"), "too much in too short a time"),
    "too-many-connections": Meaning("us", False, ("toomanyconn",), "too many connections or recipients at once"),
    "reputation": Meaning("us", False, ("badreputation",), "our address or domain has a poor reputation"),
    "blocked": Meaning("us", False, ("blocked",), "our host is on a list, or not wanted there"),
    "reverse-dns": Meaning("us", False, ("requireptr",), "our address has no fitting reverse DNS"),
    "relaying": Meaning("us", False, ("norelaying",), "that server does not take mail for the domain from us"),
    "authentication": Meaning("sender", False, ("authfailure",), "SPF, DKIM or DMARC fails"),
    "bad-sender": Meaning("sender", False, ("rejected",), "the sender's address is not accepted"),
    "security": Meaning("us", False, ("securityerror",), "credentials or rights are missing, or no detail is given"),
    "tls": Meaning("us", False, ("failedstarttls",), "the connection has to be encrypted, and was not"),
    "policy": Meaning("unknown", False, ("policyviolation",), "against a policy there"),
    "spam": Meaning("content", False, ("spamdetected",), "taken for spam"),
    "virus": Meaning("content", False, ("virusdetected",), "taken for a virus"),
    "content": Meaning("content", False, ("contenterror",), "headers, encoding or attachments are not accepted"),
    "not-compliant": Meaning("content", False, ("notcompliantrfc",), "not as the mail standards want it"),
    "too-large": Meaning("content", False, ("mesgtoobig", "exceedlimit", "emailtoolarge"), "the mail is too large"),
    "protocol": Meaning("us", False, ("syntaxerror",), "a command was not understood"),
    "suppressed": Meaning("address", False, ("suppressed",), "the provider in between has it on its own list"),
    "unclear": Meaning("unknown", False, ("onhold",), "something was said that tells no reason"),
    "unknown": Meaning("unknown", False, ("undefined",), "nothing was said"),
    "feedback": Meaning("address", False, ("feedback",), "a feedback report: see its type"),
    "vacation": Meaning("address", False, ("vacation",), "an automatic answer"),
    "delivered": Meaning("address", False, ("delivered",), "it arrived"),
}
