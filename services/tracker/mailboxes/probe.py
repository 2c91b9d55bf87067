"""Try a mailbox out for the planner: connect, TLS, login, and whether its folders are there."""

import asyncio

from services.tracker.mailboxes.imap import FolderError, MailboxError, Session
from services.tracker.mailboxes.reader import PasswordError
from services.tracker.mailboxes.watch import Passwords
from shared.contracts.commands import MailboxProbe, ProbeResult
from shared.contracts.mailbox import MailboxSettings


async def try_mailbox(probe: MailboxProbe, passwords: Passwords, seconds: float) -> ProbeResult:
    """Return what the server said; never raises for what a server may do."""
    try:
        password = await passwords.of(probe.mailbox)
        detail = await asyncio.to_thread(_tried, probe.settings, password, seconds)
    except (MailboxError, PasswordError) as error:  # told to who asked
        return ProbeResult(working=False, detail=str(error))
    return ProbeResult(working=True, detail=detail, tls=probe.settings.security)


def _tried(settings: MailboxSettings, password: str, seconds: float) -> str:
    session = Session.open(settings, password, seconds)
    try:
        names = filter(None, (*settings.folders, settings.sent))
        found = [session.select(name, readonly=True) for name in names]
        if settings.target and settings.target not in session.folders():
            known = ", ".join(map(repr, session.folders()[:20]))
            raise FolderError(f"There is no folder {settings.target!r} to move to; there are {known}.")
    finally:
        session.close()
    return "Logged in. " + ", ".join(f"{folder.name}: {folder.messages} mails" for folder in found) + "."
