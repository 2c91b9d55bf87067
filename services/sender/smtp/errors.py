"""What can go wrong between us and a relay before a mail is on its way; each says whose fault it is and what is next.

None of these is about a recipient: no mail was begun, none is charged. The caller backs the lane off
(`RelayUnreachable`, `RelayBusy`), or pauses the account and tells the operator (`RelayRefused`, `TlsFailed`,
`AuthFailed`).
"""


class RelayError(Exception):
    """No usable connection came about.

    Attributes:
        code: The relay's reply code, 0 where it did not speak.
        text: Its reply or the error of the network, never with a password.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(f"{code} {text}" if code else text)
        self.code = code
        self.text = text


class RelayUnreachable(RelayError):  # noqa: N818 - named after what happened, as the callers read it
    """No connection, no greeting in time, or it was lost while being opened: try again with back-off."""


class RelayBusy(RelayError):  # noqa: N818 - see RelayUnreachable
    """A temporary no (4xx, 421) to greeting, EHLO, STARTTLS or AUTH: try again with back-off."""


class RelayRefused(RelayError):  # noqa: N818 - see RelayUnreachable
    """A permanent no (5xx) to greeting or EHLO, or no SMTP at all: the account pauses, its mails stay queued."""


class TlsFailed(RelayError):  # noqa: N818 - see RelayUnreachable
    """No STARTTLS, a failed handshake or an unverified certificate: the account pauses, nothing went in clear."""


class AuthFailed(RelayError):  # noqa: N818 - see RelayUnreachable
    """The relay does not take our credentials, or offers no way to present them: the account pauses at once."""
