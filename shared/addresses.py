"""E-mail addresses: a fast syntax check, the canonical form for comparing, the bytes for the envelope.

Nearly all addresses are plain ASCII and pass one regular expression; the rest goes through email-validator (IDN,
SMTPUTF8). Canonical form: domain as lower-case A-labels, local part in lower case. Mails go to the address as given.
"""

import re

_PLAIN = re.compile(
    r"[A-Za-z0-9_%+'-]+(?:\.[A-Za-z0-9_%+'-]+)*@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)


class AddressError(ValueError):
    """The text is no e-mail address; the message says why."""


def parse(text: str) -> str:
    """Return the address to send to (domain as A-labels); `AddressError` when it is none."""
    if len(text) <= 254 and _PLAIN.fullmatch(text) and text.index("@") <= 64:
        return text
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - slow to load, seldom needed

    try:
        checked = validate_email(text, check_deliverability=False, allow_smtputf8=True, test_environment=True)
    except EmailNotValidError as error:
        raise AddressError(str(error)) from error
    return checked.ascii_email or f"{checked.local_part}@{checked.ascii_domain}"


def canonical(address: str) -> str:
    """Return the form under which addresses are compared: one mail per canonical address."""
    return address.lower()


def domain(address: str) -> str:
    """Return the domain in lower case."""
    return address.rpartition("@")[2].lower()
