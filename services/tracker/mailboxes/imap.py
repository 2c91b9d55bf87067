"""One connection to an IMAP server (RFC 3501, RFC 9051): blocking, so it lives in a thread; bounded in all it fetches.

Every method raises a `MailboxError` that says what is wrong and what to do; no message holds a password or an address.
Nothing is changed on the server (BODY.PEEK, EXAMINE) but for what `move` moves.
"""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError
from imap_tools.utils import encode_folder

from shared.contracts.mailbox import MailboxSettings
from shared.logs import without_addresses

MOST_AT_ONCE = 50_000
"""Messages of a folder up to which it is searched in one go, and the UIDs searched at a time beyond."""

_UID = re.compile(rb"\bUID (\d{1,10})\b")
_PASSING = re.compile(rb"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\b", re.IGNORECASE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOST_FOLDERS_TOLD = 20
_LONGEST = 300
_CONNECT_S = 10.0


class MailboxError(Exception):
    """Something is wrong with a mailbox; the text says what, and what to do."""


class UnreachableError(MailboxError):
    """No connection, or it broke: it may pass by itself."""


class RefusedError(MailboxError):
    """The server does not let us in: it will not pass by itself."""


class FolderError(MailboxError):
    """A folder is not there, or will not be opened."""


class UnreadableError(MailboxError):
    """The server does not hand these messages out."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder that was selected: its UIDVALIDITY, the UID that the next message gets, its messages."""

    name: str
    validity: int
    next_uid: int
    messages: int


class Session:
    """A connection that is logged in."""

    def __init__(self, box: BaseMailBox) -> None:
        self._box = box
        self._folder = Folder("", 0, 1, 0)
        self._moves = False

    @classmethod
    def open(cls, settings: MailboxSettings, password: str, seconds: float) -> "Session":
        """Connect, do TLS and log in.

        Raises:
            UnreachableError: No connection, no TLS, or the server is busy.
            RefusedError: Wrong user or password.
        """
        with _told(settings, password):
            box = _connected(settings, min(seconds, _CONNECT_S))
        try:
            with _told(settings, password):  # a stop may have to wait for this: shorter than for what follows
                plain = settings.username.isascii() and password.isascii()
                (box.login if plain else box.login_utf8)(settings.username, password, None)
                box.client.socket().settimeout(seconds)
        except MailboxError:
            with contextlib.suppress(OSError):
                box.client.shutdown()
            raise
        session = cls(box)
        with _told(settings, password):  # servers say more to who is logged in
            session._moves = b"MOVE" in b" ".join(filter(None, box.client.capability()[1])).upper().split()
        return session

    def folders(self) -> list[str]:
        """Return the names of all folders that can be read."""
        with _told():
            return [each.name for each in self._box.folder.list() if "\\Noselect" not in each.flags]

    def select(self, name: str, *, readonly: bool) -> Folder:
        """Open a folder.

        Raises:
            FolderError: It is not there; the text lists those that are.
        """
        client = self._box.client
        with _told():
            try:
                try:
                    self._box.folder.set(name, readonly)
                except imaplib.IMAP4.readonly:  # read it all the same: moving says what is wrong
                    self._box.folder.set(name, readonly=True)
            except MailboxFolderSelectError as error:
                known = ", ".join(repr(each) for each in self.folders()[:_MOST_FOLDERS_TOLD])
                raise FolderError(f"There is no folder {name!r}; there are {known or 'none'}.") from error
            validity = _number(client.response("UIDVALIDITY")[1])
            next_uid = _number(client.response("UIDNEXT")[1])
            messages = _number(client.untagged_responses.get("EXISTS"))
        if not validity:
            raise FolderError(f"The server gives no UIDVALIDITY of {name!r}: it cannot be read safely.")
        self._folder = Folder(name, validity, next_uid, messages)
        return self._folder

    def after(self, uid: int, since: date | None) -> Iterator[tuple[list[int], int]]:
        """Yield the UIDs behind `uid` in ascending order, and up to where was searched, until the end of the folder."""
        folder = self._folder
        last = folder.next_uid - 1 if folder.next_uid else 2**32 - 1
        step = last if folder.messages <= MOST_AT_ONCE else MOST_AT_ONCE
        while uid < last:
            upto = min(uid + step, last)
            words = ["UID", f"{uid + 1}:{upto}"]
            if since is not None:
                words += ["SINCE", f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}"]
            with _told():
                status, data = self._box.client.uid("SEARCH", *words)
            if status != "OK":
                raise UnreachableError(f"The server refuses to search {folder.name!r}: {_words(data)}")
            found = sorted({int(each) for line in data if line for each in line.split()})
            yield [each for each in found if uid < each <= upto], upto
            uid = upto

    def fetch(self, uids: Sequence[int], limit: int) -> dict[int, bytes]:
        """Return the first `limit` bytes of these messages; those that are gone meanwhile are missing.

        Raises:
            UnreadableError: The server will not hand one of them out.
        """
        with _told():
            try:
                status, data = self._box.client.uid("FETCH", _set(uids), f"(UID BODY.PEEK[]<0.{limit}>)")
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                raise UnreadableError(f"The server does not hand it out: {_clean(str(error))}") from error
        if status != "OK":
            raise UnreadableError(f"The server does not hand it out: {_words(data)}")
        return dict(_bodies(data))

    def move(self, uids: Sequence[int], target: str) -> None:
        """Move messages into another folder.

        Raises:
            FolderError: It cannot be done.
        """
        with _told():
            try:
                if self._moves:
                    status, data = self._box.client.uid("MOVE", _set(uids), encode_folder(target).decode())
                    if status != "OK":
                        raise FolderError(f"Nothing can be moved to {target!r}: {_words(data)}")
                else:
                    self._box.move([str(uid) for uid in uids], target)
            except ImapToolsError as error:
                raise FolderError(f"Nothing can be moved to {target!r}: {_clean(str(error))}") from error

    def close(self) -> None:
        """Log out; whether the server hears it does not matter."""
        with contextlib.suppress(Exception):
            self._box.logout()

    def abort(self) -> None:
        """End it from another thread: whoever waits for the server hears at once."""
        with contextlib.suppress(OSError):
            self._box.client.socket().shutdown(socket.SHUT_RDWR)


def _connected(settings: MailboxSettings, seconds: float) -> BaseMailBox:
    host, port = settings.host, settings.port
    if settings.security == "tls":
        return MailBox(host, port, timeout=seconds, ssl_context=ssl.create_default_context())
    if settings.security == "starttls":
        return MailBoxStartTls(host, port, timeout=seconds, ssl_context=ssl.create_default_context())
    return MailBoxUnencrypted(host, port, timeout=seconds)


@contextlib.contextmanager
def _told(settings: MailboxSettings | None = None, password: str = "") -> Iterator[None]:
    """Turn what the libraries raise into what an operator can act on."""
    where = f"{settings.host}:{settings.port}" if settings else "the server"
    try:
        yield
    except MailboxLoginError as error:
        said = _words(error.command_result[1], password)
        if _PASSING.search(b" ".join(each for each in error.command_result[1] if isinstance(each, bytes))):
            raise UnreachableError(f"{where} lets nobody in just now: {said}") from None
        raise RefusedError(f"{where} refuses the login: {said} Check user and password, or an app password.") from None
    except socket.gaierror:
        raise UnreachableError(f"There is no host {where}: check its name.") from None
    except ssl.SSLCertVerificationError as error:
        why = f"The certificate of {where} is not good: {error.verify_message}. Check the host name, or who signed it."
        raise UnreachableError(why) from None
    except ssl.SSLError as error:
        why = f"{where} does not speak TLS there ({error.reason}): is it the port of {_other(settings)}?"
        raise UnreachableError(why) from None
    except ConnectionRefusedError:
        raise UnreachableError(f"Nothing listens on {where}: check host and port.") from None
    except TimeoutError:
        raise UnreachableError(f"{where} does not answer in time: check host, port and firewall.") from None
    except (OSError, EOFError, imaplib.IMAP4.error, ImapToolsError) as error:
        said = _clean(str(error), password)
        raise UnreachableError(f"The connection to {where} broke: {said or type(error).__name__}") from None


def _other(settings: MailboxSettings | None) -> str:
    return "STARTTLS (143)" if settings is None or settings.security == "tls" else "TLS (993)"


def _number(found: Sequence[object] | None) -> int:
    last = found[-1] if found else None
    return int(last) if isinstance(last, bytes) and last.isdigit() else 0


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _bodies(data: Sequence[object]) -> Iterator[tuple[int, bytes]]:
    """Yield UID and bytes; the UID stands before the literal or behind it."""
    for place, item in enumerate(data):
        if not isinstance(item, tuple) or len(item) < 2:
            continue
        behind = data[place + 1] if place + 1 < len(data) else b""
        match = _UID.search(item[0]) or (_UID.search(behind) if isinstance(behind, bytes) else None)
        if match is not None:
            yield int(match[1]), bytes(item[1])


def _words(data: Sequence[object], password: str = "") -> str:
    return _clean(" ".join(each.decode("utf-8", "replace") for each in data if isinstance(each, bytes)), password)


def _clean(text: str, password: str = "") -> str:
    if password:
        text = text.replace(password, "...")
    text = without_addresses(" ".join(text.split()))[:_LONGEST]
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
