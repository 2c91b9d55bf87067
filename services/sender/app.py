"""The sender: jobs in, mails out over SMTP, what became of each mail into evt.chunk.

    job.<account>.<lane>.>  ->  attend -> work -> SMTP  ->  evt.chunk.<mailing>.<n>
    evt.mailing, evt.account, evt.relay, evt.consent  ->  gates and suppression (in memory)
    probe.account  ->  try an account out
    view.mail, dry_run.chunk  ->  make mails, to be looked at

Run in any number: `python -m services.sender.app`. Stateless but for the local journals, which are evidence only.
SIGTERM begins nothing new, waits for open dots and gives back the rest.
"""

import asyncio
import itertools
import logging
import os
import platform
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from faststream.nats import NatsRouter
from faststream.nats.message import NatsMessage

from services.sender import metrics
from services.sender.attend import Attendant
from services.sender.breaker import Breaker
from services.sender.confirm import Confirmation
from services.sender.connections import Connections
from services.sender.contents import Contents
from services.sender.flight import Draining
from services.sender.gates import AccountGate, Gates
from services.sender.habits import Habits
from services.sender.jobs import Lane
from services.sender.journal import Journal, sweep
from services.sender.lanes import waiting
from services.sender.leases import Most
from services.sender.limits import Rules, least
from services.sender.line import Line
from services.sender.memory import LogMemory
from services.sender.pacing import Pacing
from services.sender.probe import try_account
from services.sender.rehearsals import Rehearsals
from services.sender.relay import Command as RelayCommand
from services.sender.relay import PauseAccount, RelayDecider, ReleaseAccount, ReleaseDue
from services.sender.retry import BackOff
from services.sender.settings import SenderSettings
from services.sender.shaper import Shaper
from services.sender.shaping import rules
from services.sender.smtp import Connection, Timeouts
from services.sender.suppression import Suppression
from services.sender.transport import GREETING, Relay, connect
from services.sender.trust import Trust
from services.sender.web_view import WebView
from services.sender.work import Means
from shared.clock import boot_seconds, now
from shared.contracts import subjects
from shared.contracts.commands import Probe, ProbeResult, Viewed, ViewWanted
from shared.contracts.envelope import Commit, Origin
from shared.dkim_keys import SigningKey
from shared.eventlog.documents import Documents
from shared.eventlog.errors import LogBehindViewError, MissingError
from shared.eventlog.follow import Follower
from shared.eventlog.handling import handle
from shared.eventlog.keys import Bucket
from shared.eventlog.objects import Objects
from shared.eventlog.reader import Reader
from shared.eventlog.server_clock import leading
from shared.eventlog.store import EventLog
from shared.eventlog.timers import Timers
from shared.ids import new_id
from shared.keys import KeyRing
from shared.messaging.ask import ask
from shared.messaging.service import Service, run_service
from shared.providers import Providers

logger = logging.getLogger(__name__)

FOLLOWED = [subjects.ALL_MAILINGS, subjects.ALL_ACCOUNTS, subjects.ALL_RELAYS, subjects.ALL_CONSENT]
OLD_EVIDENCE = 7 * 86_400.0
"""Seconds after which the journal of a dead worker is of no use: its chunks were taken over long ago."""

LANES = (subjects.PROMPT, subjects.REST)
"""Open from the start; the lanes of large providers are opened when they first have work."""

GARBAGE = 50_000
"""Objects more than before at which Python looks for cycles: what comes and goes with a mail has none."""

LOOK = 1.0
"""Seconds between two looks at which lanes have work."""


class Sender:
    """Wires the parts of one sender process together."""

    def __init__(self, service: Service, settings: SenderSettings) -> None:
        """Take the connected service and its settings."""
        self.service, self.settings = service, settings
        self.log = EventLog(service.nc, budget=600.0)
        self.keys = KeyRing.of(settings.secret_keys, settings.address_pepper)
        self.secrets = Bucket(service.nc, subjects.SECRETS)
        self.worker = new_id(6)
        self.draining = Draining()
        self.timers = Timers(service.nc)
        self.gates = Gates(self.log.load)
        self.journals = settings.journal_dir or settings.data_dir / "journals"
        self.slots = itertools.count()
        self.habits: defaultdict[tuple[str, int], Habits] = defaultdict(Habits)
        self.lanes: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.pacing = Bucket(service.nc, subjects.PACING)
        self.rules = Rules(Providers.load(settings.providers_file))
        self.connections: dict[str, Connections] = {}
        self.breakers: dict[str, Breaker] = {}

    async def start(self) -> None:
        """Read the views up to now, then open a lane for every account and lane."""
        service, settings = self.service, self.settings
        self.clock = await leading(service.nc)
        self.journals.mkdir(parents=True, exist_ok=True)
        self.memory = LogMemory(self.journals)
        self.log.on_append = self._appended
        sweep(self.journals, OLD_EVIDENCE)
        begins = (await self.log.bounds()).last_seq
        self.suppression = Suppression(begins, lambda f, start, stop: self.log.scan(f, start=start, stop=stop))
        async for commits in self.log.scan([subjects.ALL_ACCOUNTS, subjects.ALL_RELAYS], stop=begins):
            for commit in commits:
                self.gates.apply(commit)
        self.follower = Follower(self.log, FOLLOWED, self._apply)
        await self.follower.start(begins)
        service.on_stop(self.follower.stop)
        confirmation = Confirmation(self.log.last_seq, self.follower.wait_for)
        jobs = Reader(service.nc, subjects.JOBS)
        content = Objects(service.nc, subjects.CONTENT)
        self.attendant = Attendant(
            log=self.log,
            clock=self.clock,
            worker=self.worker,
            gates=self.gates,
            suppression=self.suppression,
            payloads=Documents(service.nc, subjects.PAYLOADS),
            contents=Contents(content.get, self._signing_key, self.keys, settings.public_url),
            means=Means(
                confirmation,
                Pacing(self.pacing, self.clock),
                BackOff(first=settings.retry_first, longest=settings.retry_longest),
                Shaper(rules(settings.shaping_rules), self._say, self.rules.providers),
                settings.window,
                settings.ack_wait,
                self.rules,
                ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="signing"),
            ),
            draining=self.draining,
            journals=self.journals,
            job_exists=lambda seq, subject: _exists(jobs, seq, subject),
        )
        # Draining workers still confirm their last claims: these two outlive the lanes.
        for work in (self.clock.run(), confirmation.run(), self.memory.run()):
            task = asyncio.create_task(work)
            task.add_done_callback(self._ended)
            service.on_stop(_cancelling(task))
        metrics.show(lambda: len(self.lanes), self.gates.accounts.values)
        service.spawn("lanes", self._keep_lanes(), grace=settings.drain)
        service.include(self._asked(Documents(service.nc, subjects.PAYLOADS), content))

    def _appended(self, before: int, seq: int, event_id: str) -> None:
        """Note a commit of ours; one that is not behind all we saw before stands in another log: end, and ask again."""
        if self.memory.seen.incarnation and seq <= before:
            self.draining.asked = True
            self.service.fail(LogBehindViewError(f"an append came to seq {seq}, the log was at {before} before"))
        self.memory.saw(seq, event_id)

    def _apply(self, commit: Commit) -> None:
        self.memory.saw(commit.seq, commit.events[0].id)
        self.log.highest = max(self.log.highest, commit.seq)
        if commit.subject.startswith("evt.consent."):
            self.suppression.apply(commit)
        else:
            self.gates.apply(commit)

    async def _keep_lanes(self) -> None:
        """Open lanes as accounts appear; when the process is to end, let every lane drain."""
        await self._trusted()
        jobs = Reader(self.service.nc, subjects.JOBS, budget=LOOK)
        wanted, looked = await waiting(jobs), boot_seconds()
        while not self.service.stopping.is_set():
            if boot_seconds() - looked >= LOOK:
                wanted, looked = await waiting(jobs), boot_seconds()
            for account in list(self.gates.accounts.values()):
                if account.released:
                    cause, account.released = account.released, ""
                    await self._say(account.account, ReleaseAccount(cause))
                if account.over(now()):
                    await self._say(account.account, ReleaseDue(now()))
                for lane in (*LANES, *(lane for of, lane in sorted(wanted) if of == account.account)):
                    if (account.account, lane) not in self.lanes:
                        task = asyncio.create_task(self._lane(account, lane).run())
                        task.add_done_callback(self._ended)
                        self.lanes[account.account, lane] = task
            if self.follower.failure is not None:
                raise self.follower.failure
            try:
                await asyncio.wait_for(self.service.stopping.wait(), 0.2)
            except TimeoutError:
                continue
        self.draining.asked = True
        await asyncio.gather(*self.lanes.values(), return_exceptions=True)
        await asyncio.gather(*(each.close() for each in self.connections.values()))

    async def _trusted(self) -> None:
        """Wait until the log may be worked on, or the process is to end."""

        async def asking(subject: str, body: bytes, seconds: float) -> bytes | None:
            return await ask(self.service.nc, subject, body, seconds=seconds)

        who = f"sender on {platform.node()}"[:64]
        trust = Trust(self.log, self.memory, who, asking, patience=self.settings.trust_seconds)
        waits = [asyncio.ensure_future(work) for work in (trust.gained(), self.service.stopping.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if waits[0].done():
                waits[0].result()
        finally:
            for wait in waits:
                wait.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.service.fail(error)

    def _lane(self, account: AccountGate, lane: str) -> Lane:
        def new_line() -> Line:
            return Line(
                lambda: self._connect(account, lane),
                lambda: Journal.open(self.journals, self.worker, next(self.slots)),
                lambda: account.settings,
            )

        return Lane(
            log=self.log,
            account=account,
            lane=lane,
            new_line=new_line,
            most_lines=lambda: self.rules.connections(account.settings, lane),
            connections=self._shared(account),
            attendant=self.attendant,
            timers=self.timers,
            draining=self.draining,
            pause_account=self._pause_account,
            ack_wait=self.settings.ack_wait,
            breaker=self.breakers.setdefault(account.account, Breaker()),
        )

    def _shared(self, account: AccountGate) -> Connections:
        """Return the account's connections in this process, all lanes together."""
        if (found := self.connections.get(account.account)) is None:
            found = self.connections[account.account] = Connections(
                bucket=self.pacing,
                clock=self.clock,
                account=account.account,
                holder=self.worker,
                most=lambda: Most(
                    account.settings.connections, lambda lane: self.rules.connections(account.settings, lane)
                ),
            )
            task = asyncio.create_task(found.run())
            task.add_done_callback(self._ended)
            self.service.on_stop(_cancelling(task))
        return found

    async def _connect(self, account: AccountGate, lane: str) -> Connection:
        settings, patience = account.settings, self.settings.relay_patience
        connection = await connect(
            Relay(
                host=settings.host,
                port=settings.port,
                tls=settings.tls,
                username=settings.username,
                password=await self._password(account.account) if settings.username else "",
                local_hostname=self.settings.hostname,
            ),
            timeout=GREETING * patience,
            timeouts=Timeouts().shortened(patience),
            habits=self.habits[settings.host, settings.port],
        )
        connection.limit = least(connection.limit, self.rules.messages(settings, lane))
        return connection

    async def _password(self, account_id: str) -> str:
        sealed = await self.secrets.get(account_id)
        return self.keys.unseal(sealed[0]) if sealed else ""

    async def _signing_key(self, domain: str, selector: str) -> SigningKey:
        kept = await self.secrets.get(subjects.signing_key(domain, selector))
        if kept is None:
            raise MissingError(f"no key {selector} signs for {domain}")
        return SigningKey(self.keys.unseal(kept[0]))

    async def _pause_account(self, account_id: str, reason: str) -> None:
        await self._say(account_id, PauseAccount(reason))
        logger.error("account paused: %s", reason, extra={"account": account_id})

    async def _say(self, account_id: str, command: RelayCommand) -> None:
        """Carry out a command on what we know of the account's relay."""
        cause = command.cause if isinstance(command, ReleaseAccount) else ""
        origin = Origin(f"{self.worker}.relay.{new_id()}", "sender", now(), account_id, cause)
        await handle(self.log, RelayDecider(), subjects.relay(account_id), command, origin)

    def _bounce_domain(self, account: str) -> str:
        known = self.gates.accounts.get(account)
        return known.settings.bounce_domain if known is not None else ""

    def _asked(self, payloads: Documents, content: Objects) -> NatsRouter:
        router = NatsRouter()
        of_views = Contents(content.get, self._signing_key, self.keys, self.settings.public_url)
        views = WebView(self.log, payloads, of_views)  # with templates of their own: those at work stay compiled
        rehearsals = Rehearsals(of_views, self._bounce_domain)

        @router.subscriber(subjects.view(), queue="sender", decoder=_raw)
        async def view(body: bytes) -> bytes:
            try:
                viewed = await views.show(ViewWanted.model_validate_json(body))
            except Exception:
                logger.exception("a mail could not be shown")
                viewed = Viewed(state="later")
            return viewed.packed()

        @router.subscriber(subjects.rehearsal(), queue="sender", decoder=_raw)
        async def rehearsal(body: bytes) -> bytes:
            return (await rehearsals.rehearse(body)).model_dump_json().encode()

        @router.subscriber(subjects.probe(), queue="sender", decoder=_raw)
        async def probe(body: bytes) -> bytes:
            try:
                asked = Probe.model_validate_json(body)
                password = await self._password(asked.account) if asked.username else ""
                result = await try_account(asked, password)
            except Exception as error:  # whatever it was, the planner gets an answer, and the account is not working
                logger.exception("probe failed")
                result = ProbeResult(working=False, detail=f"the sender failed: {type(error).__name__}")
            return result.model_dump_json().encode()

        return router


async def _raw(message: NatsMessage) -> bytes:
    return bytes(message.body)


def _cancelling(task: asyncio.Task[None]) -> Callable[[], Awaitable[None]]:
    async def cancel() -> None:
        task.cancel()

    return cancel


async def _exists(jobs: Reader, seq: int, subject: str) -> bool:
    """Tell whether a job stands there still: once JOBS was made anew, its numbers mean other chunks' jobs."""
    found = await jobs.at(seq)
    return found is not None and found.subject == subject


def main() -> None:
    """Run the sender until it is told to stop."""
    settings = SenderSettings()
    run_service("sender", settings, lambda service: Sender(service, settings).start(), garbage=GARBAGE)


if __name__ == "__main__":
    main()
