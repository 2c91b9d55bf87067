"""Opening a connection: whose fault it is when none comes about, and that nothing is said in clear that must not be."""

import asyncio
import socket
from pathlib import Path

import pytest

from services.sender.smtp import transport
from services.sender.smtp.connection import Connection
from services.sender.smtp.errors import AuthFailed, RelayBusy, RelayError, RelayRefused, RelayUnreachable, TlsFailed
from services.sender.smtp.transport import Relay, connect
from shared.contracts.account import TlsMode
from tests.faults.sending import SHORT, Notes, free, mail, mails, said
from tests.harness.certificates import Certificate, certificate
from tests.harness.smtp import Act, Options, Phase, ScriptedSmtp

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCEPTED = (4, 250)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return the certificate the servers of this module show."""
    return certificate(tmp_path_factory.mktemp("tls"))


def relay(server: ScriptedSmtp, tls: TlsMode = "none", **more: str) -> Relay:
    """Return the coordinates of the scripted server."""
    return Relay("127.0.0.1", server.port, tls, **more)


FAULTS = (
    pytest.param("greeting", Act(then="hang"), RelayUnreachable, 0, id="2 no greeting"),
    pytest.param("greeting", Act(then="close"), RelayUnreachable, 0, id="2 closed without greeting"),
    pytest.param("greeting", Act(then="reset"), RelayUnreachable, 0, id="2 reset without greeting"),
    pytest.param("greeting", Act(b"421 4.3.2 busy\r\n", then="close"), RelayBusy, 421, id="3 greeting 421"),
    pytest.param("greeting", b"450 4.3.2 busy\r\n", RelayBusy, 450, id="3 greeting 4xx"),
    pytest.param("greeting", Act(b"554 5.3.2 no\r\n", then="close"), RelayRefused, 554, id="4 greeting 5xx"),
    pytest.param("greeting", b"HTTP/1.1 400 Bad Request\r\n", RelayRefused, 0, id="4 no SMTP at all"),
    pytest.param("greeting", Act(b"x" * 200_000, then="hang"), RelayRefused, 0, id="29 greeting without end"),
    pytest.param("ehlo", b"550 5.3.2 no\r\n", RelayRefused, 550, id="5 EHLO and HELO 5xx"),
    pytest.param("ehlo", b"451 4.3.2 later\r\n", RelayBusy, 451, id="5 EHLO 4xx"),
    pytest.param("ehlo", Act(b"421 4.3.2 bye\r\n", then="close"), RelayBusy, 421, id="5 EHLO 421"),
    pytest.param("ehlo", Act(then="close"), RelayUnreachable, 0, id="5 closed at EHLO"),
    pytest.param("ehlo", Act(then="hang"), RelayUnreachable, 0, id="5 no reply to EHLO"),
)


@pytest.mark.parametrize(("phase", "act", "error", "code"), FAULTS)
async def test_a_connection_that_does_not_come_about_says_why(
    server: ScriptedSmtp, phase: Phase, act: Act | bytes, error: type[RelayError], code: int
) -> None:
    """Each fault of opening is one of our errors with the relay's code; no mail was touched."""
    server.script = lambda _session, at: act if at == phase else None
    with pytest.raises(RelayError) as raised:
        await connect(relay(server), timeout=0.3)
    assert type(raised.value) is error
    assert raised.value.code == code
    assert not server.mails


async def test_01_a_relay_that_is_not_there_is_unreachable() -> None:
    """A refused connection is nobody's fault but the network's."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(RelayUnreachable):
            await connect(Relay("127.0.0.1", reserved.getsockname()[1], "none"), timeout=1)


async def test_01_a_name_that_does_not_resolve_is_unreachable() -> None:
    """So is a host nobody knows."""
    with pytest.raises(RelayUnreachable):
        await connect(Relay("nowhere.invalid", 25, "none"), timeout=2)


async def test_05_an_old_relay_is_spoken_to_without_extensions(server: ScriptedSmtp) -> None:
    """Where EHLO is not known HELO does, one command at a time."""

    def script(session: object, phase: Phase) -> bytes | None:
        line = getattr(session, "line", b"")
        return b"502 5.5.1 what?\r\n" if phase == "ehlo" and line.startswith(b"EHLO") else None

    server.script = script
    connection = await connect(relay(server), timeout=1, timeouts=SHORT)
    assert not connection.capabilities.extensions
    assert said(await connection.send(mails("a", "reject", "c"), free, Notes())) == [ACCEPTED, (2, 550), ACCEPTED]
    await connection.quit()


async def test_capabilities_are_read_from_ehlo(server: ScriptedSmtp) -> None:
    """What the relay offers is known before the first mail."""
    offered = (await _opened(relay(server))).capabilities
    assert (offered.pipelining, offered.size, offered.eight_bit) == (True, 10_485_760, True)
    assert (offered.smtputf8, offered.enhanced, offered.tls) == (True, True, "")


async def _opened(target: Relay) -> Connection:
    connection = await connect(target, timeout=2, timeouts=SHORT)
    await connection.quit()
    return connection


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mails_go_over_verified_tls(shown: Certificate, tls: TlsMode) -> None:
    """With STARTTLS or from the start, windows and long messages pass through TLS."""
    options = Options(tls=shown.context, implicit=tls == "implicit", users={"user": "secret"})
    async with ScriptedSmtp(options=options) as secure:
        target = relay(secure, tls, username="user", password="secret", ca_file=shown.ca_file)
        connection = await connect(target, timeout=2, timeouts=SHORT)
        assert connection.capabilities.tls.startswith("TLSv1.")
        assert connection.capabilities.pipelining
        long = mail(9, body=b"a long line of text\r\n" * 50_000)
        results = await connection.send([*mails("a", "reject", "c"), long, mail(10)], free, Notes())
        assert said(results) == [ACCEPTED, (2, 550), ACCEPTED, ACCEPTED, ACCEPTED]
        assert secure.accepted[2].size > 1_000_000
        await connection.quit()


@pytest.mark.parametrize("offer", ["PLAIN", "LOGIN", "LOGIN PLAIN"])
async def test_credentials_are_presented_as_the_relay_likes(shown: Certificate, offer: str) -> None:
    """PLAIN or LOGIN, once."""
    options = Options(tls=shown.context, users={"user": "secret"}, auth=offer)
    async with ScriptedSmtp(options=options) as secure:
        await _opened(relay(secure, "starttls", username="user", password="secret", ca_file=shown.ca_file))


async def test_06_without_starttls_nothing_more_is_said(server: ScriptedSmtp) -> None:
    """A relay that should do TLS and does not offer it gets no credentials and no mail."""
    server.options = Options(users={"user": "secret"})
    with pytest.raises(TlsFailed):
        await connect(relay(server, "starttls", username="user", password="secret"), timeout=1)
    await asyncio.sleep(0)
    assert all(not line.startswith((b"AUTH", b"MAIL")) for session in server.sessions for line in session.commands)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(b"454 4.7.0 not now\r\n", RelayBusy, id="not now"),
        pytest.param(b"554 5.7.0 no\r\n", TlsFailed, id="refused"),
        pytest.param(b"220 go\r\n", TlsFailed, id="no handshake"),
    ],
)
async def test_06_starttls_that_fails_is_no_plain_connection(
    server: ScriptedSmtp, reply: bytes, error: type[RelayError]
) -> None:
    """Refused, not now, or a handshake that is none: never go on in clear."""
    server.options = Options(extensions=("STARTTLS",))
    server.script = lambda _session, phase: reply if phase == "starttls" else None
    with pytest.raises(error):
        await connect(relay(server, "starttls"), timeout=1)
    assert not server.mails


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("flaw", ["unknown", "expired", "another name"])
async def test_07_a_certificate_that_does_not_verify_ends_it(tmp_path: Path, tls: TlsMode, flaw: str) -> None:
    """Unknown authority, expired, or for another host: an account fault, and no credentials leave."""
    names = ("mail.example.com",) if flaw == "another name" else ()
    shown = certificate(tmp_path, *names, days=-1 if flaw == "expired" else 1)
    trusted = "" if flaw == "unknown" else shown.ca_file
    options = Options(tls=shown.context, implicit=tls == "implicit", users={"user": "secret"})
    async with ScriptedSmtp(options=options) as secure:
        with pytest.raises(TlsFailed):
            await connect(relay(secure, tls, username="user", password="secret", ca_file=trusted), timeout=1)


async def test_08_what_is_said_before_tls_is_forgotten(server: ScriptedSmtp, shown: Certificate) -> None:
    """Text injected behind the 220 of STARTTLS changes nothing."""
    server.options = Options(tls=shown.context)
    injected = b"220 2.0.0 Ready\r\n250-injected\r\n250 XEVIL\r\n"
    server.script = lambda _session, phase: injected if phase == "starttls" else None
    try:
        connection = await connect(relay(server, "starttls", ca_file=shown.ca_file), timeout=1)
    except TlsFailed:  # the injected text ruined the handshake: as good
        return
    assert "xevil" not in connection.capabilities.extensions
    await connection.quit()


AUTH = (
    pytest.param(b"535 5.7.8 wrong\r\n", AuthFailed, 535, id="9 wrong password"),
    pytest.param(b"530 5.7.0 no\r\n", AuthFailed, 530, id="9 refused"),
    pytest.param(b"454 4.7.0 later\r\n", RelayBusy, 454, id="10 not now"),
    pytest.param(Act(b"421 4.7.0 bye\r\n", then="close"), RelayBusy, 421, id="10 closing"),
    pytest.param(Act(then="close"), RelayUnreachable, 0, id="10 closed"),
)


@pytest.mark.parametrize(("reply", "error", "code"), AUTH)
async def test_a_login_that_fails_says_whose_fault_it_is(
    shown: Certificate, reply: Act | bytes, error: type[RelayError], code: int
) -> None:
    """Wrong credentials are the account's fault and tried once; a relay that cannot check them is busy."""
    asked: list[bytes] = []

    def script(session: object, phase: Phase) -> Act | bytes | None:
        if phase == "auth":
            asked.append(getattr(session, "line", b""))
            return reply
        return None

    options = Options(tls=shown.context, users={"user": "secret"})
    async with ScriptedSmtp(script, options) as secure:
        with pytest.raises(RelayError) as raised:
            await connect(
                relay(secure, "starttls", username="user", password="secret", ca_file=shown.ca_file), timeout=1
            )
    assert type(raised.value) is error
    assert raised.value.code == code
    assert len(asked) == 1
    assert "secret" not in str(raised.value)


async def test_credentials_go_without_tls_to_this_machine_only(
    server: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback is no network; to anything else credentials are not sent in clear."""
    server.options = Options(users={"user": "secret"})
    target = relay(server, username="user", password="secret")
    await _opened(target)
    monkeypatch.setattr(transport, "_is_this_machine", lambda _client: False)
    with pytest.raises(AuthFailed, match="without TLS"):
        await connect(target, timeout=1)
    assert not any(line.startswith(b"AUTH") for session in server.sessions for line in session.commands)


async def test_a_relay_without_auth_gets_no_login(shown: Certificate) -> None:
    """Credentials without a way to present them are the account's fault."""
    async with ScriptedSmtp(options=Options(tls=shown.context)) as secure:
        with pytest.raises(AuthFailed):
            await connect(
                relay(secure, "starttls", username="user", password="secret", ca_file=shown.ca_file), timeout=1
            )


async def test_a_password_does_not_show() -> None:
    """Coordinates can be logged."""
    assert "secret" not in repr(Relay("h", 25, "starttls", "user", "secret"))
