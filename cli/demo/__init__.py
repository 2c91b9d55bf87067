"""`posthaste demo`: one real mailing from a CSV file to a ledger that balances, with the sender killed on the way.

Everything runs for real in `<data>/demo`: nats-server, the services, SMTP to the mail catcher, the tracker. It ends
with exit status 0 only when the ledger balances, nobody got two mails and nothing is lost.
"""

import asyncio
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.demo.crowd import OWN, read_mails
from cli.errors import CliError
from cli.output import pairs, table
from cli.session import Data, Session, session
from deploy.local import Local
from shared.contracts import commands
from shared.contracts.account import Limits
from shared.contracts.verdicts import RULES

HERE = Path(__file__).parent
RATE = 720_000
"""Mails an hour: 200 a second, so that there is a middle to be killed in."""
KILL_AT = 0.3
QUICK = {
    # A dead sender's mails are taken over after this many seconds (15 in production).
    "POSTHASTE_ACK_WAIT": "4",
    # The catcher greylists some recipients for five seconds; production waits five minutes.
    "POSTHASTE_RETRY_FIRST": "6",
    "POSTHASTE_RETRY_LONGEST": "12",
}
_POLL = 0.1
_PATIENCE = 60.0


class DemoFailedError(CliError):
    """What the demo is to show did not hold."""

    exit_code = 1


async def demo(
    session: Session,
    keep: Annotated[bool, typer.Option("--keep", help="Keep it running at the end, to look around.")] = False,
) -> None:
    """Send a real mailing to 2,000 contacts, kill the sender on the way, and see the ledger balance.

    Example: `posthaste demo --keep`
    """
    folder = session.data / "demo"
    if folder.exists():
        shutil.rmtree(folder)
    started = time.monotonic()
    session.out.note("Starting nats-server, planner, sender, tracker, reporting and a mail catcher ...")
    async with Local(folder, ports="free", extra=QUICK) as local:
        await _Demo(session, local, folder).run()
        session.out.note(f"[dim]{time.monotonic() - started:.0f} s. Mails and logs are in {folder}.[/dim]")
        if keep:
            session.out.note(f"Still running: mails at {local.urls.mails}. Ctrl-C ends it.")
            await asyncio.Event().wait()


class _Demo:
    """The steps of the demo, in order."""

    def __init__(self, outer: Session, local: Local, folder: Path) -> None:
        self._out = outer.out
        self._local = local
        self._folder = folder

    async def run(self) -> None:
        """Run all steps and check what they show."""
        async with session(self._out, self._folder) as inner:
            self._ask = inner.ask
            account = await self._account()
            await self._contacts(inner)
            mailing = await self._mailing(account)
            await self._send(mailing)
            done = await self._crowd(mailing)
            await self._report(mailing, done)

    def _say(self, text: str) -> None:
        self._out.note(f"[bold]>[/bold] {text}")

    async def _account(self) -> str:
        urls = self._local.urls
        added = await self._ask(
            commands.AddAccount(
                name="Mail catcher",
                host=urls.smtp_host,
                port=urls.smtp_port,
                tls="none",
                senders=["winter@outfitters.example"],
                connections=4,
            )
        )
        await self._ask(commands.TestAccount(account=added["account"], to="postmaster@outfitters.example"))
        self._say("SMTP account added, and tested with a mail.")
        return str(added["account"])

    async def _contacts(self, inner: Session) -> None:
        upload_id, parts = await inner.upload(HERE / "contacts.csv", lambda _size: None)
        await self._ask(
            commands.ImportContacts(upload=upload_id, parts=parts, list="Newsletter", file_name="contacts.csv")
        )
        deadline = time.monotonic() + _PATIENCE
        while (status := await self._ask(commands.ImportStatus(upload=upload_id)))["state"] == "running":
            if time.monotonic() > deadline:
                raise DemoFailedError("import_slow", f"The import is not done within {_PATIENCE:g} s.")
            await asyncio.sleep(_POLL)
        if status["state"] != "done":
            raise DemoFailedError("import_failed", str(status))
        self._say(
            f"{status['rows']:,} rows imported: {status['added']:,} contacts, "
            f"{status['unchanged'] + status['updated']} seen before, {status['rejected']} rejected:"
        )
        rejected = await self._ask(commands.RejectedRows(upload=upload_id))
        self._out.notes.print(table(rejected["rows"], {"line": "Line", "column": "Column", "reason": "Reason"}))

    async def _mailing(self, account: str) -> str:
        campaign = await self._ask(commands.OpenCampaign(name="Winter", lists=["Newsletter"]))
        drafted = await self._ask(
            commands.DraftMailing(
                campaign=campaign["campaign"],
                name="The winter issue",
                account=account,
                sender_name="Example Outfitters",
                sender_address="winter@outfitters.example",
                subject="The winter issue, {{ name | default('dear reader') }}",
                html=(HERE / "mail.html").read_text("utf-8"),
                limits=Limits(per_hour=RATE),
            )
        )
        mailing = str(drafted["mailing"])
        frozen = await self._ask(commands.FreezeAudience(mailing=mailing))
        self._say(
            f"Audience frozen: {frozen.get('recipients')} recipients, left out: {frozen.get('skipped') or 'none'}."
        )
        await self._ask(commands.SendTest(mailing=mailing, to=["me@outfitters.example"]))
        self._say("Test mail sent through the prompt lane.")
        await self._ask(commands.ScheduleMailing(mailing=mailing))
        return mailing

    async def _send(self, mailing: str) -> None:
        """Watch it go out; kill the sender at a third."""
        killed = False
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._out.notes,
            transient=True,
        ) as progress:
            bar = progress.add_task("Sending")
            deadline = time.monotonic() + _PATIENCE
            while (status := await self._status(mailing))["status"] not in ("Completed", "Failed", "Cancelled"):
                progress.update(bar, total=status["total"], completed=status["sent"] + status["failed"])
                if not killed and status["sent"] >= KILL_AT * status["total"] > 0:
                    killed = True
                    self._local.kill("sender")
                    progress.console.print("[bold red]> kill -9 of the sender, with mails on the wire.[/bold red]")
                if time.monotonic() > deadline:
                    raise DemoFailedError("too_slow", f"Not completed within {_PATIENCE:g} s: {status}")
                await asyncio.sleep(_POLL)
        if status["status"] != "Completed":
            raise DemoFailedError("not_completed", f"{status['status']}: {status['reason']}")
        self._say(f"Completed: {status['sent']:,} sent, {status['failed']} failed, {status['in_doubt']} in doubt.")

    async def _status(self, mailing: str) -> Data:
        return await self._ask(commands.Status(mailing=mailing))

    async def _crowd(self, mailing: str) -> Counter[str]:
        self._say("A crowd opens, clicks and unsubscribes through the tracker ...")
        sent = (await self._status(mailing))["sent"]
        await asyncio.sleep(RULES.soon / 1000)  # who reads sooner than anybody can is judged a machine
        with Progress(BarColumn(), MofNCompleteColumn(), console=self._out.notes, transient=True) as progress:
            bar = progress.add_task("Reading", total=sent)
            done = await read_mails(self._folder / "mails", lambda: progress.advance(bar))
        deadline = time.monotonic() + _PATIENCE
        while (await self._status(mailing))["unsubscribed"] < done["unsubscribed"]:
            if time.monotonic() > deadline:
                break  # the report says what is missing
            await asyncio.sleep(_POLL)
        return done

    async def _report(self, mailing: str, done: Counter[str]) -> None:
        status = await self._status(mailing)
        links = await self._ask(commands.Links(mailing=mailing))
        ledger = await self._ask(commands.VerifyLedger(mailing=mailing))
        received = _received(self._folder / "mails")
        twice = sum(1 for count in received.values() if count > 1)
        if self._out.as_json:
            self._out.json({"status": status, "links": links["links"], "ledger": ledger, "received_twice": twice})
        else:
            shown = {
                "Status": status["status"],
                **{name.replace("_", " ").capitalize(): status[name] for name in _SHOWN},
                "Ledger": "balanced" if ledger["balanced"] else "NOT BALANCED",
                "Got two mails": twice,
            }
            self._out.screen.print(Panel(pairs(shown), title="The winter issue", expand=False))
            self._out.screen.print(table(links["links"], {"url": "Link", "hits": "Hits", "people": "People"}))
        problems = [
            *(["the ledger does not balance"] if not ledger["balanced"] else []),
            *([f"{twice} recipients got two mails"] if twice else []),
            *(
                f"{done[act]} {act}, the report says {status[act]}"
                for act in ("opened", "unsubscribed")
                if status[act] != done[act]
            ),
        ]
        if problems:
            raise DemoFailedError("demo_failed", "; ".join(problems))


_SHOWN = (
    *("total", "sent", "rejected", "skipped", "expired", "in_doubt", "evidence"),
    *("read", "opened", "clicked", "unsubscribed"),
)


def _received(mails: Path) -> Counter[str]:
    """Return how many mails each recipient of the mailing got, by the catcher's index."""
    counted: Counter[str] = Counter()
    for line in (mails / "index.jsonl").read_bytes().splitlines():
        for recipient in orjson.loads(line)["recipients"]:
            if not recipient.endswith(OWN):
                counted[recipient.casefold()] += 1
    return counted
