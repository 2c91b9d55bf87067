"""Somebody who works with an installation by both ways in: the command line, and HTTP with a token.

`BothWays` asks of any installation; a `Marketer` has an account there whose relay stands in the test. What was done
over HTTP shows in what is asked next. What arrived is asked of the relay, which is outside.
"""

import itertools
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import httpx

from deploy.local import Local
from shared.contracts.api import ENDPOINTS, FLOWS, VERSION
from tests.harness.posthaste import Posthaste
from tests.harness.smtp import Accepted
from tests.harness.system import System
from tests.harness.waiting import until

LETTER = {"sender_address": "news@shop.example", "subject": "For {{ name }}", "text": "Dear {{ name }}"}
PACKET = 8
"""What an administrator set: so many recipients an hour of a mailing that says nothing else."""
PATIENCE = 60.0
"""Seconds anything may take: the machine may be busy with others."""
_SERVICES = [
    (row.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", VERSION + row.path)), row.service)
    for row in (*ENDPOINTS, *FLOWS)
]


class BothWays:
    """Asks by either way."""

    def __init__(self, local: Local, http: httpx.AsyncClient) -> None:
        self.local = local
        self.posthaste = Posthaste(local.folder.path)
        self._http = http
        self._position = 0

    async def ran(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever was printed
        """Run a command that must succeed and return its JSON."""
        ended = await self.posthaste(*arguments, "--json")
        assert ended.code == 0, ended.out + ended.error
        return ended.json

    async def fails(self, *arguments: str) -> str:
        """Run a command that must be refused; return the code of the refusal."""
        ended = await self.posthaste(*arguments)
        assert ended.code == 2, ended.out + ended.error
        return ended.error.partition(":")[0]

    async def asked(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | bytes | None = None,
        *,
        key: str = "",
        bearer: str = "",
    ) -> httpx.Response:
        """Ask over HTTP, in the name of somebody else where `bearer` is given; bytes go as they are."""
        path = VERSION + path
        page = path.partition("?")[0]
        service = next(name for verb, known, name in _SERVICES if verb == method and known.fullmatch(page))
        headers = {"X-At-Least": str(self._position)} if method == "GET" and self._position else {}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
        url = getattr(self.local.urls, service) + path
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        reply = await self._http.request(method, url, headers=headers, **sent)
        self._position = max(self._position, int(reply.headers.get("X-Position", 0)))
        return reply

    async def done(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "", bearer: str = ""
    ) -> dict[str, Any]:
        """Ask for what must be answered; return the data."""
        reply = await until(lambda: self._answered(method, path, body, key, bearer), PATIENCE)
        assert reply is not None
        assert reply.status_code == 200, reply.text
        data: dict[str, Any] = reply.json()["data"]
        return data

    async def _answered(self, *wanted: Any) -> httpx.Response | None:  # noqa: ANN401 - as `done` has it
        method, path, body, key, bearer = wanted
        reply = await self.asked(method, path, body, key=key, bearer=bearer)
        return None if reply.status_code == 503 else reply

    async def denied(self, method: str, path: str, body: dict[str, Any] | None = None, *, bearer: str = "") -> str:
        """Ask for what must be refused; return the code."""
        reply = await self.asked(method, path, body, bearer=bearer)
        assert reply.status_code >= 400, reply.text
        return str(reply.json()["code"])

    async def uploaded(self, data: bytes) -> dict[str, Any]:
        """Upload a file over HTTP; return where it is, as requests name it."""
        reply = await self.asked("POST", "/uploads", data)
        assert reply.status_code == 200, reply.text
        return {name: reply.json()[name] for name in ("upload", "parts")}

    async def brought_in(self, table: bytes, to_list: str) -> dict[str, Any]:
        """Import a CSV file into a list over HTTP; return how it ended."""
        put = await self.uploaded(table)
        await self.done("POST", "/imports", put | {"list": to_list})
        last: dict[str, Any] = {}

        async def over() -> bool:
            last.update(await self.done("GET", f"/imports/{put['upload']}"))
            return last["state"] in ("done", "failed")

        await until(over, PATIENCE, every=0.1)
        return last


class Marketer(BothWays):
    """Asks, and looks at what comes out."""

    def __init__(self, system: System, http: httpx.AsyncClient) -> None:
        super().__init__(system.local, http)
        self.system = system
        self._versions = itertools.count(1)

    async def told(self, *records: dict[str, Any]) -> None:
        """Tell of records of the CRM over HTTP, each newer than all before; `id` is address and name as well."""
        events = []
        for each in records:
            event = {"specversion": "1.0", "id": each["id"], "source": "crm", "type": "contact.upserted/1"}
            usual = {"version": next(self._versions), "name": each["id"].title()}
            events.append(event | {"data": usual | {"addresses": [f"{each['id']}@one.example"]} | each})
        assert (await self.done("POST", "/contacts", {"events": events}))["taken"] == len(events)

    async def campaign(self, *lists: str, **more: object) -> str:
        """Open a campaign over HTTP."""
        opened = await self.done("POST", "/campaigns", {"name": "Spring", "lists": lists} | more)
        return str(opened["campaign"])

    async def draft(self, campaign: str, **more: object) -> str:
        """Draft a mailing over HTTP."""
        wanted = {"campaign": campaign, "name": "May", "account": self.system.account} | LETTER | more
        return str((await self.done("POST", "/mailings", wanted))["mailing"])

    async def fixed(self, mailing: str, **sources: object) -> dict[str, Any]:
        """Choose where the audience of a mailing comes from, and freeze it, over HTTP."""
        if sources:
            await self.done("PUT", f"/mailings/{mailing}/sources", {"sources": sources})
        return await self.done("POST", f"/mailings/{mailing}/audience", {})

    async def begun(self, campaign: str, **more: object) -> str:
        """Draft a mailing to all lists of a campaign and start it at once."""
        mailing = await self.draft(campaign, **more)
        await self.fixed(mailing)
        await self.done("POST", f"/mailings/{mailing}/schedule", {})
        return mailing

    async def status(self, mailing: str) -> dict[str, Any]:
        """Return how a mailing stands."""
        return await self.done("GET", f"/mailings/{mailing}")

    async def becomes(self, mailing: str, whether: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until a mailing stands so."""
        last: dict[str, Any] = {}

        async def stands() -> dict[str, Any]:
            reply = await self.asked("GET", f"/mailings/{mailing}")
            if reply.status_code == 200:  # else reporting has not heard of it yet
                last.update(reply.json()["data"])
            return last if last and whether(last) else {}

        try:
            return await until(stands, PATIENCE, every=0.1)
        except AssertionError:
            raise AssertionError(f"within {PATIENCE} s it came to {last}") from None

    async def completed(self, mailing: str) -> dict[str, EmailMessage]:
        """Wait until a mailing is completed; return its mails by recipient."""
        await self.becomes(mailing, lambda status: status["status"] == "Completed")
        return {mail.recipient: read(mail) for mail in self.arrived(mailing)}

    def arrived(self, mailing: str) -> list[Accepted]:
        """Return what arrived of a mailing so far."""
        return [mail for mail in self.system.relay.accepted if mail.message_id.startswith(f"<{mailing}.")]


def read(mail: Accepted) -> EmailMessage:
    """Return a mail as mail programs read it."""
    message = message_from_bytes(mail.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body_of(mail: EmailMessage, kind: str = "plain") -> str:
    """Return the text of a mail, or its HTML."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@asynccontextmanager
async def asking(local: Local) -> AsyncIterator[BothWays]:
    """Yield somebody who may ask everything of an installation."""
    async with _signed_in(local) as http:
        yield BothWays(local, http)


@asynccontextmanager
async def at_work(system: System) -> AsyncIterator[Marketer]:
    """Yield somebody who may do everything."""
    async with _signed_in(system.local) as http:
        yield Marketer(system, http)


@asynccontextmanager
async def _signed_in(local: Local) -> AsyncIterator[httpx.AsyncClient]:
    issued = await Posthaste(local.folder.path)("token", "issue", "--name", "marketer", "--permission", "all", "--json")
    headers = {"Authorization": f"Bearer {issued.json['secret']}"}
    async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as http:
        yield http


def events_of(lines: list[dict[str, Any]]) -> list[str]:
    """Return what happened to a mailing, in order."""
    return [line["type"] for line in sorted(lines, key=lambda line: line["seq"]) if line["type"].startswith("mailing.")]
