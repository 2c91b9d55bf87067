"""`posthaste up`: everything on this machine, in the foreground, until Ctrl-C or SIGTERM."""

import asyncio
import gc
import signal
from typing import Annotated

import typer

from cli.errors import CliError
from cli.output import pairs
from cli.session import OPERATOR, Session
from deploy.data_folder import FolderHeldError
from deploy.local import Local, PortsTakenError, Urls
from deploy.supervisor import StartError
from shared.contracts import commands, subjects
from shared.contracts.principals import PERMISSIONS
from shared.eventlog.store import EventLog
from shared.messaging.client import Client

_GARBAGE = 5_000
"""Objects more than before at which Python looks for cycles, from the start on: this process lives for long."""


class NotStartedError(CliError):
    """The installation did not start."""

    exit_code = 1


async def up(
    session: Session,
    senders: Annotated[int, typer.Option("--senders", min=1, max=64, help="Sender processes.")] = 1,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Take free ports instead of the usual ones.")
    ] = False,
) -> None:
    """Run everything on this machine: NATS, all services, a mail catcher. Ctrl-C ends it; nothing is lost.

    All state is in the data folder; starting again goes on where it stopped.

    Example: `posthaste up --data /var/lib/posthaste --senders 2`
    """
    local = Local(session.data, senders=senders, ports="free" if free_ports else None)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    session.out.note("Starting ...")
    starting = asyncio.create_task(local.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():  # told to stop while it was starting
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    try:
        await starting
    except (FolderHeldError, PortsTakenError, StartError) as error:
        stopping.cancel()
        raise NotStartedError("not_started", str(error)) from error
    gc.set_threshold(_GARBAGE)
    try:
        _welcome(session, local.urls, await _first_token(local))
        await stopping
        session.out.note("Stopping ...")
    finally:
        await local.stop()


async def _first_token(local: Local) -> str:
    """Issue the first token where the log knows no principal yet; "" where it does. Nobody can show it later."""
    nc = await local.connect(OPERATOR)
    try:
        if await EventLog(nc).last_seq(subjects.ALL_PRINCIPALS):
            return ""
        wanted = commands.IssueToken(name="first", permissions=list(PERMISSIONS))
        return str((await Client(nc, OPERATOR).command(wanted)).data.get("secret", ""))
    finally:
        await nc.close()


def _welcome(session: Session, urls: Urls, token: str) -> None:
    shown = {
        "Console": urls.reporting,
        "NATS": urls.nats,
        "Links in mails": urls.public,
        "Caught mails": urls.mails,
        "SMTP of the catcher": f"{urls.smtp_host}:{urls.smtp_port}",
        "Logs": str(session.data / "logs"),
    }
    if session.out.as_json:
        session.out.json({"running": True, **shown} | ({"token": token} if token else {}))
        return
    session.out.screen.print("[bold green]Posthaste is up.[/bold green] Ctrl-C ends it.")
    session.out.screen.print(pairs(shown))
    if token:
        session.out.screen.print(
            f"\nThe first token, with all permissions. Keep it well, it is not shown again:\n  [bold]{token}[/bold]\n"
            "Programs show it as `Authorization: Bearer ...`. Others: posthaste token issue --help"
        )
    session.out.screen.print(
        "\nPeople sign in at the console once they are added: "
        "posthaste user add --name NAME --email ADDRESS --permission all"
    )
    session.out.screen.print(
        "\nNext, in another terminal: posthaste account add --name catcher --host "
        f"{urls.smtp_host} --port {urls.smtp_port} --tls none --sender news@example.com"
    )
