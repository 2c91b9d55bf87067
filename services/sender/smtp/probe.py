"""Try an SMTP account out for the planner: connect, TLS, AUTH and, where an address is given, one test mail."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from services.sender.replies.reply import Phase
from services.sender.smtp import wire
from services.sender.smtp.errors import RelayError
from services.sender.smtp.transport import Relay, connect
from services.sender.smtp.window import Mail
from shared.addresses import AddressError, parse
from shared.clock import now
from shared.contracts.commands import Probe, ProbeResult


class _NoWitness:
    """A probe leaves no journal: nobody takes it over."""

    def dot(self, index: int) -> None:
        """Nothing to keep."""

    def reply(self, index: int, code: int, enhanced: str, text: str, phase: int = 0) -> None:
        """Nothing to keep."""


async def try_account(probe: Probe, password: str) -> ProbeResult:
    """Return what the relay said; never raises for what a relay may do."""
    relay = Relay(host=probe.host, port=probe.port, tls=probe.tls, username=probe.username, password=password)
    try:
        connection = await connect(relay)
    except RelayError as error:
        return ProbeResult(working=False, detail=f"{type(error).__name__}: {error}")
    extensions = list(connection.capabilities.extensions)
    if not probe.to:
        await connection.quit()
        return ProbeResult(working=True, detail="connected", tls=connection.capabilities.tls, extensions=extensions)
    try:
        mail = _test_mail(parse(probe.sender), parse(probe.to))
    except AddressError as error:
        await connection.quit()
        return ProbeResult(working=False, detail=f"address: {error}", extensions=extensions)
    (result,) = await connection.send([mail], lambda _: None, _NoWitness())
    await connection.quit()
    working = result.phase == Phase.DOT and 200 <= result.code < 300
    detail = f"test mail: {result.code} {result.enhanced} {result.text or result.reason}".strip()
    return ProbeResult(working=working, detail=detail, tls=connection.capabilities.tls, extensions=extensions)


def _test_mail(sender: str, to: str) -> Mail:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = sender, to
    message["Subject"] = "Test of the SMTP account"
    message["Date"] = format_datetime(now())
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("This account can send. You need not answer this mail.\n")
    body = wire.stuffed(wire.normal(message.as_bytes()))
    return Mail(0, sender.encode(), to.encode(), body)
