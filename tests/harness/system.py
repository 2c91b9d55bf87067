"""The whole system under test: everything that `deploy.local` runs, with a scripted relay in the test's own process.

A test brings contacts in by CSV, drafts, freezes and schedules by the real commands, does something terrible, waits for
the end in the log and lets `account_for` hold log, ledger and report against what the relay saw. Commands and queries
are asked again under one key while nobody answers, as people do.
"""

import asyncio
import signal
from collections.abc import Sequence
from typing import Any, Protocol

from nats.aio.client import Client as Connection

from deploy.local import Local
from services.sender.chunks import chunk as chunks
from services.sender.chunks.chunk import Status
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Command, Query
from shared.contracts.envelope import Commit
from shared.contracts.mailing import MailingCancelled, MailingCompleted, MailingFailed
from shared.contracts.sending import ChunkPlanned
from shared.eventlog.connection import close
from shared.eventlog.documents import Documents
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.messaging.client import Client, UnansweredError
from tests.harness.smtp import Act, Phase, Script, ScriptedSmtp, Session
from tests.harness.toll import strike
from tests.harness.waiting import until
from tests.harness.witness import Account, Claim, digests_of, judged

PATIENCE = 90.0
"""Seconds anything may take: the machine may be busy with others."""
ANSWER = 4.0
"""Seconds that somebody who asks waits before asking again."""
LETTER = {
    "name": "The letter",
    "sender_name": "Example",
    "sender_address": "news@shop.example",
    "subject": "Hello {{ name | default('you') }}",
    "text": "Hello {{ name | default('you') }}\n\nhttps://shop.example/\n",
}
_PASSING = frozenset({"no_sender", "unavailable", "internal", "unknown_outcome", "not_yet"})
_ENDS = {MailingCompleted: "Completed", MailingCancelled: "Cancelled", MailingFailed: "Failed"}


def unhurried(seconds: float) -> Script:
    """Take so long for the reply to every mail, so that a fault finds mails under way."""

    def script(session: Session, phase: Phase) -> Act | None:
        if phase == "dot":
            return Act(b"250 2.0.0 Ok: queued as QA%06d\r\n" % len(session.server.accepted), delay=seconds)
        return None

    return script


def people(count: int, **special: int) -> list[str]:
    """Return so many addresses, `special` ones among them (`greylist=20`) spread evenly, after which the relay acts."""
    names = [f"ann{place}" for place in range(count)]
    for shift, (behaviour, times) in enumerate(special.items()):
        for place in range(times):
            names[(place * count // times + shift) % count] = f"{behaviour}-{place}"
    return [f"{name}@x{place % 7}.example" for place, name in enumerate(names)]


class Asker(Protocol):
    """Whatever carries a request and its answer."""

    async def command(self, command: Command, key: str = "") -> Answer:
        """Ask for something to be done."""

    async def query(self, query: Query, at_least: int = 0) -> Answer:
        """Ask for what is known."""


class System:
    """One installation, its relay, and somebody who asks."""

    def __init__(self, local: Local, relay: ScriptedSmtp, connections: int) -> None:
        self.local = local
        self.relay = relay
        self.connections = connections
        self.account = ""
        self.killed_senders = 0
        self._position = 0

    async def open(self) -> None:
        """Connect as the operator."""
        self.nc: Connection = await self.local.connect("operator")
        self.log = EventLog(self.nc)
        self._asker: Asker = Client(self.nc, "operator", seconds=ANSWER)

    async def close(self) -> None:
        """Disconnect."""
        await close(self.nc)

    @property
    def arrived(self) -> int:
        """How many mails the relay took, but for tests."""
        return len(self.relay.accepted)

    async def reached(self, count: int) -> None:
        """Wait until the relay took so many mails."""
        await until(lambda: self.arrived >= count, PATIENCE)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a program that is started again; count the senders that died by it."""
        strike()
        if name.startswith("sender") and number == signal.SIGKILL and self.local.programs[name].pid:
            self.killed_senders += 1
        self.local.kill(name, number)

    async def fell(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a program a signal; return when it was started again (it need not be ready)."""
        program = self.local.programs[name]
        await until(lambda: program.pid, PATIENCE)
        before = program.starts
        self.kill(name, number)
        await until(lambda: program.starts > before, PATIENCE)

    async def do(self, command: Command, key: str = "") -> dict[str, Any]:
        """Have a command done, asked again under the same key while nobody answers."""
        key = key or new_id()
        answer = await until(lambda: self._asked(command, key), PATIENCE)
        assert answer is not None
        assert answer.refusal is None, f"{command.NAME}: {answer.refusal}"
        return answer.data

    async def ask(self, query: Query) -> dict[str, Any]:
        """Return the data of an answer that includes all that was done before."""
        answer = await until(lambda: self._asked(query, ""), PATIENCE)
        assert answer is not None
        assert answer.refusal is None, f"{query.NAME}: {answer.refusal}"
        return answer.data

    async def _asked(self, wanted: Command | Query, key: str) -> Answer | None:
        try:
            if isinstance(wanted, Command):
                answer = await self._asker.command(wanted, key)
            else:
                answer = await self._asker.query(wanted, self._position)
        except UnansweredError:  # whoever had it died: asked again under the same key
            return None
        if answer.refusal is not None and answer.refusal.code in _PASSING:
            return None
        self._position = max(self._position, answer.position)
        return answer

    async def add_account(self) -> None:
        """Add the relay as a tested account."""
        added = await self.do(
            commands.AddAccount(
                name="relay",
                host="127.0.0.1",
                port=self.relay.port,
                tls="none",
                senders=["news@shop.example"],
                connections=self.connections,
            )
        )
        self.account = str(added["account"])
        await self.do(commands.TestAccount(account=self.account))

    async def bring_in(self, addresses: Sequence[str], to_list: str = "readers") -> None:
        """Import contacts from a CSV file into a list and wait until all are in."""
        rows = [f"{address},Person {place}\n" for place, address in enumerate(addresses)]
        upload = await self.upload(("email,name\n" + "".join(rows)).encode())
        await self.do(commands.ImportContacts(upload=upload, parts=1, list=to_list), upload)

        async def done() -> bool:
            status = await self.ask(commands.ImportStatus(upload=upload))
            assert status["state"] != "failed", status
            return bool(status["state"] == "done")

        await until(done, PATIENCE)

    async def upload(self, data: bytes) -> str:
        """Upload a small file and return its id."""
        upload = new_id()
        await Documents(self.nc, subjects.INBOX).put_once(subjects.upload_part(upload, 0), data)
        return upload

    async def draft(self, to_list: str = "readers", **more: object) -> str:
        """Open a campaign and draft a mailing in it."""
        opened = await self.do(commands.OpenCampaign(name="Autumn", lists=[to_list]))
        wanted = LETTER | {"campaign": opened["campaign"], "account": self.account} | more
        return str((await self.do(commands.DraftMailing.model_validate(wanted)))["mailing"])

    async def start(self, addresses: Sequence[str], to_list: str = "readers", **more: object) -> str:
        """Bring all of it about: contacts, a draft, its audience, the start; return the mailing."""
        await self.bring_in(addresses, to_list)
        mailing = await self.draft(to_list, **more)
        frozen = await self.do(commands.FreezeAudience(mailing=mailing))
        assert frozen["recipients"] == len(addresses), frozen
        await self.do(commands.ScheduleMailing(mailing=mailing))
        return mailing

    async def ended(self, mailing: str, how: str = "Completed", within: float = PATIENCE) -> None:
        """Wait until the log has the end of the mailing."""

        async def end() -> str:
            commits = await self.log.load(subjects.mailing(mailing))
            events = [record.event for commit in commits for record in commit.events]
            return next((_ENDS[type(event)] for event in reversed(events) if type(event) in _ENDS), "")

        try:
            found = await until(end, within, every=0.1)
        except AssertionError:
            status = await self.ask(commands.Status(mailing=mailing))
            raise AssertionError(f"not ended within {within} s, {self.arrived} mails arrived: {status}") from None
        assert found == how, await self.ask(commands.Status(mailing=mailing))

    async def settled(self, mailing: str) -> None:
        """Wait until nobody is pending any more."""

        async def nobody() -> bool:
            return not (await self.ask(commands.VerifyLedger(mailing=mailing)))["pending"]

        await until(nobody, PATIENCE, every=0.1)

    async def still(self) -> None:
        """Wait until the relay heard nothing new for as long as a hundred mails take."""

        async def quiet() -> bool:
            before = (len(self.relay.accepted), len(self.relay.mails))
            await asyncio.sleep(0.3)
            return before == (len(self.relay.accepted), len(self.relay.mails))

        await until(quiet, PATIENCE)

    async def account_for(self, mailing: str, *, doubts: int | None = None) -> Account:
        """Assert that log, ledger, report and relay agree on every recipient; at most `doubts` are in doubt.

        Where `doubts` is not given, it is one for each connection of each sender that was killed.
        """
        self._position = max(self._position, (await self.log.bounds()).last_seq)
        ledger = await self.ask(commands.VerifyLedger(mailing=mailing))
        assert ledger["balanced"], ledger
        assert ledger["pending"] == 0, ledger
        account = judged(await self._claims(mailing), self.relay)
        said = {outcome: count for outcome, count in ledger["totals"].items() if count}
        assert said == dict(account.totals), "the ledger says another thing than the log"
        status = await self.ask(commands.Status(mailing=mailing))
        assert status["sent"] == account.totals["accepted"], status
        assert status["in_doubt"] == account.totals["in_doubt"], status
        most = self.killed_senders * self.connections if doubts is None else doubts
        assert len(account.in_doubt) <= most, f"{len(account.in_doubt)} in doubt, at most {most} may be"
        named = await self.ask(commands.Doubts(mailing=mailing, limit=1000))
        assert sorted(row["address"] for row in named["rows"]) == sorted(account.in_doubt)
        return account

    async def _claims(self, mailing: str) -> list[Claim]:
        """Return what the log says of each address of the frozen audience; a chunk never planned was cancelled."""
        states: dict[int, chunks.Chunk] = {}
        history: dict[int, list[Commit]] = {}
        async for commits in self.log.scan([subjects.plans_of(mailing), subjects.chunks_of(mailing)]):
            for commit in commits:
                n = int(commit.subject.rpartition(".")[2])
                history.setdefault(n, []).append(commit)
                for record in commit.events:
                    if isinstance(record.event, ChunkPlanned):
                        assert n not in states, f"chunk {n} was planned twice"
                        states[n] = chunks.initial(len(record.event.contacts), record.event.doubt)
                    else:
                        chunks.evolve(states[n], record.event, seq=commit.seq, recorded_at=commit.recorded_at)
        digests = {n: digests_of(commits) for n, commits in history.items()}
        claims: list[Claim] = []
        page: dict[str, Any] = {"next": ""}
        while not claims or page["next"]:
            page = await self.ask(
                commands.Audience(mailing=mailing, only="recipients", limit=1000, after=page["next"]),
            )
            for row in page["rows"]:
                n, index = row["n"], row["index"]
                status = Status(states[n].status[index]) if n in states else Status.CANCELLED
                claims.append(Claim(row["address"], status, frozenset(digests.get(n, {}).get(index, ()))))
        return claims
