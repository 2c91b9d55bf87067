"""A mailbox behind TLS: from the first byte or by STARTTLS, believed where its certificate is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.tracker.mailboxes.imap import Session, UnreachableError
from shared.contracts.mailbox import MailboxSettings, Security
from tests.harness.certificates import Certificate, certificate
from tests.harness.imap import PASSWORD, USER, ImapLine, ImapServer
from tests.harness.mailbag import bounce


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return the certificate of localhost."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def ports(shown: Certificate) -> AsyncIterator[dict[Security, int]]:
    """Yield where a server listens with TLS from the first byte, and where with STARTTLS."""
    server = ImapServer(certificate=shown).start()
    server.deliver([bounce(0)])
    line = ImapLine(server.port, shown.context)
    yield {"tls": await line.start(), "starttls": server.port}
    await line.stop()
    server.stop()


async def _opened(security: Security, port: int, host: str = "localhost") -> Session:
    settings = MailboxSettings(name="m", host=host, port=port, security=security, username=USER)
    return await asyncio.to_thread(Session.open, settings, PASSWORD, 10.0)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_that_is_trusted_is_read_through(
    ports: dict[Security, int], shown: Certificate, security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names who signed it; mails are read as they are without TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", shown.ca_file)
    session = await _opened(security, ports[security])
    folder = await asyncio.to_thread(session.select, "INBOX", readonly=True)
    assert folder.messages == 1
    (uids, _) = await asyncio.to_thread(next, session.after(0, None))
    assert (await asyncio.to_thread(session.fetch, uids, 100_000)) == {uids[0]: bounce(0)}
    await asyncio.to_thread(session.close)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_that_nobody_vouches_for_is_not(
    ports: dict[Security, int], security: Security, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password is never sent, and what to check is said; the same for a name that is not in it."""
    with pytest.raises(UnreachableError, match=r"certificate of localhost:.* is not good"):
        await _opened(security, ports[security])
    monkeypatch.setenv("SSL_CERT_FILE", certificate(tmp_path / "other", "imap.shop.example").ca_file)
    with pytest.raises(UnreachableError, match="Check the host name, or who signed it"):
        await _opened(security, ports[security])
