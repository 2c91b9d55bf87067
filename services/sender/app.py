"""The sender: jobs in, mails out over SMTP, what became of each mail into evt.chunk.

    job.<account>.<lane>.>  ->  attend -> work -> SMTP  ->  evt.chunk.<mailing>.<n>
    evt.mailing, evt.account, evt.relay, evt.consent  ->  gates and suppression (in memory)
    probe.account  ->  try an account out
    view.mail, dry_run.chunk  ->  make mails, to be looked at

Run in any number: `python -m services.sender.app`. Stateless but for the local journals, which are evidence only.
SIGTERM begins nothing new, waits for open dots and gives back the rest.
"""

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from services.sender import metrics
from services.sender.accounts import Accounts
from services.sender.chunks.retry import BackOff
from services.sender.gates.confirm import Confirmation
from services.sender.gates.gates import Gates
from services.sender.gates.memory import LogMemory
from services.sender.gates.suppression import Suppression
from services.sender.gates.trust import Trust
from services.sender.handlers import handlers
from services.sender.jobs.attend import Attendant
from services.sender.jobs.lanes import LOOK, Lanes
from services.sender.journal.journal import sweep
from services.sender.limits.pacing import Pacing
from services.sender.limits.rules import Rules
from services.sender.mails.contents import Contents
from services.sender.mails.rehearsals import Rehearsals
from services.sender.mails.web_view import WebView
from services.sender.settings import SenderSettings
from services.sender.shaping.rules import rules
from services.sender.shaping.shaper import Shaper
from services.sender.work.flight import Draining
from services.sender.work.means import Means
from shared.contracts import subjects
from shared.contracts.envelope import Commit
from shared.eventlog.documents import Documents
from shared.eventlog.errors import LogBehindViewError
from shared.eventlog.follow import Follower
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

FOLLOWED = [subjects.ALL_MAILINGS, subjects.ALL_ACCOUNTS, subjects.ALL_RELAYS, subjects.ALL_CONSENT]
OLD_EVIDENCE = 7 * 86_400.0
"""Seconds after which the journal of a dead worker is of no use: its chunks were taken over long ago."""

GARBAGE = 50_000
"""Objects more than before at which Python looks for cycles: what comes and goes with a mail has none."""


class Sender:
    """Wires the parts of one sender process together."""

    def __init__(self, service: Service, settings: SenderSettings) -> None:
        """Take the connected service and its settings."""
        self.service, self.settings = service, settings
        self.log = EventLog(service.nc, budget=600.0)
        self.gates = Gates(self.log.load)
        self.draining = Draining()

    async def start(self) -> None:
        """Read the views up to now, then open a lane for every account and lane."""
        service = self.service
        self.clock = await leading(service.nc)
        self.accounts = self._accounts()
        self.journals = self.settings.journal_dir or self.settings.data_dir / "journals"
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
        content, payloads = Objects(service.nc, subjects.CONTENT), Documents(service.nc, subjects.PAYLOADS)
        lanes = Lanes(
            self.accounts,
            self._attendant(confirmation, content, payloads),
            Timers(service.nc),
            Reader(service.nc, subjects.JOBS, budget=LOOK),
            self.journals,
            lambda task: task.add_done_callback(self._ended),
        )
        # Draining workers still confirm their last claims: these outlive the lanes.
        for work in (self.clock.run(), confirmation.run(), self.memory.run()):
            self._keep(asyncio.create_task(work))
        metrics.show(lambda: len(lanes.open), self.gates.accounts.values)
        service.spawn("lanes", self._work(lanes), grace=self.settings.drain)
        of_views = self._contents(content)  # templates of their own: those at work stay compiled
        rehearsals = Rehearsals(of_views, self.accounts.bounce_domain)
        service.include(handlers(WebView(self.log, payloads, of_views), rehearsals, self.accounts))

    def _accounts(self) -> Accounts:
        nc, settings = self.service.nc, self.settings
        return Accounts(
            log=self.log,
            gates=self.gates,
            settings=settings,
            keys=KeyRing.of(settings.secret_keys, settings.address_pepper),
            secrets=Bucket(nc, subjects.SECRETS),
            pacing=Bucket(nc, subjects.PACING),
            rules=Rules(Providers.load(settings.providers_file)),
            worker=new_id(6),
            clock=self.clock,
            keep=self._keep,
        )

    def _attendant(self, confirmation: Confirmation, content: Objects, payloads: Documents) -> Attendant:
        settings, jobs, rates = self.settings, Reader(self.service.nc, subjects.JOBS), self.accounts.rules
        return Attendant(
            log=self.log,
            clock=self.clock,
            worker=self.accounts.worker,
            gates=self.gates,
            suppression=self.suppression,
            payloads=payloads,
            contents=self._contents(content),
            means=Means(
                confirmation,
                Pacing(self.accounts.pacing, self.clock),
                BackOff(first=settings.retry_first, longest=settings.retry_longest),
                Shaper(rules(settings.shaping_rules), self.accounts.say, rates.providers),
                settings.window,
                settings.ack_wait,
                rates,
                ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="signing"),
                self.accounts.domains_of,
            ),
            draining=self.draining,
            journals=self.journals,
            job_exists=lambda seq, subject: _exists(jobs, seq, subject),
        )

    def _contents(self, content: Objects) -> Contents:
        return Contents(content.get, self.accounts.signing_key, self.accounts.keys, self.settings.public_url)

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

    async def _work(self, lanes: Lanes) -> None:
        await self._trusted()
        await lanes.keep(self.service.stopping, self.follower)

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

    def _keep(self, task: asyncio.Task[None]) -> None:
        """Have a task run until the lanes have drained; with its failure the process ends."""
        task.add_done_callback(self._ended)
        self.service.on_stop(_cancelling(task))


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
