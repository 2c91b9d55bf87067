"""An installation that has something to show: one mailing sent, one planned, others on demand."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client as Connection

from deploy.local import Local
from shared.contracts import commands
from shared.contracts.account import Limits
from shared.contracts.commands import Command, Query
from shared.messaging.client import Client
from tests.harness.posthaste import Posthaste
from tests.harness.waiting import until

PEOPLE = 40
_TEXT = "Hello {{ name }}\n\nhttps://shop.example/\n"


@dataclass
class Stock:
    """What is there, and more of it."""

    client: Client
    campaign: str
    account: str
    sent: str = ""
    planned: str = ""

    async def do(self, command: Command) -> dict[str, Any]:
        """Have a command done."""
        answer = await self.client.command(command)
        assert answer.refusal is None, answer.refusal
        return answer.data

    async def ask(self, query: Query) -> dict[str, Any]:
        """Return what a query finds."""
        answer = await self.client.query(query)
        assert answer.refusal is None, answer.refusal
        return answer.data

    async def status(self, mailing: str) -> str:
        """Return the status of a mailing, "" while nobody has read of it."""
        answer = await self.client.query(commands.Status(mailing=mailing))
        return str(answer.data["status"]) if answer.refusal is None else ""

    async def draft(self, name: str, limits: Limits | None = None, campaign: str = "") -> str:
        """Draft a mailing and fix its audience."""
        drafted = await self.do(
            commands.DraftMailing(
                campaign=campaign or self.campaign,
                name=name,
                account=self.account,
                sender_name="Shop",
                sender_address="stock@shop.example",
                subject="Hello {{ name }}",
                text=_TEXT,
                limits=limits or Limits(),
            )
        )
        await self.do(commands.FreezeAudience(mailing=drafted["mailing"]))
        return str(drafted["mailing"])

    async def slow(self, name: str) -> str:
        """Start a mailing that takes long enough to look at it."""
        mailing = await self.draft(name, Limits(seconds_between=5))
        await self.do(commands.ScheduleMailing(mailing=mailing))

        async def sending() -> bool:
            return await self.status(mailing) == "Sending"

        await until(sending, 30, every=0.1)
        return mailing


async def stocked(nc: Connection, local: Local, people: int = PEOPLE) -> Stock:
    """Bring an installation there, asking on `nc`."""
    stock = Stock(Client(nc, "operator", seconds=20), "", "")
    smtp = {
        "host": local.urls.smtp_host,
        "port": local.urls.smtp_port,
        "tls": "none",
        "senders": ["stock@shop.example"],
    }
    stock.account = (await stock.do(commands.AddAccount.model_validate({"name": "Stock relay", **smtp})))["account"]
    await stock.do(commands.TestAccount(account=stock.account))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stock.csv"
        rows = [
            f"{'reject' if place == 5 else 'person'}-{place}@stock.example,Person {place}" for place in range(people)
        ]
        path.write_text("email,name\n" + "\n".join(rows) + "\n")
        name = f"Stock of {people}"
        ended = await Posthaste(local.folder.path)("contacts", "import", str(path), "--list", name)
        assert ended.code == 0, ended.error
    stock.campaign = (await stock.do(commands.OpenCampaign(name=f"Stocked {people}", lists=[name])))["campaign"]
    stock.planned = await stock.draft("Planned one")
    stock.sent = await stock.draft("Sent one")
    await stock.do(commands.ScheduleMailing(mailing=stock.sent))

    async def completed() -> bool:
        return await stock.status(stock.sent) == "Completed"

    await until(completed, 60, every=0.2)
    return stock
