"""What the lanes of an account share: its password, connections to its relay, and what we tell of that relay."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from services.sender.gates.gates import AccountGate, Gates
from services.sender.limits.connections import Connections
from services.sender.limits.domains import Domains
from services.sender.limits.leases import Most
from services.sender.limits.pacing import Clock
from services.sender.limits.rules import Rules, least
from services.sender.settings import SenderSettings
from services.sender.shaping.breaker import Breaker
from services.sender.shaping.relay import Command, PauseAccount, RelayDecider, ReleaseAccount
from services.sender.smtp.connection import Connection
from services.sender.smtp.habits import Habits
from services.sender.smtp.link import Timeouts
from services.sender.smtp.transport import GREETING, Relay, connect
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.envelope import Origin
from shared.dkim_keys import SigningKey
from shared.eventlog.errors import MissingError
from shared.eventlog.handling import handle
from shared.eventlog.keys import Bucket
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.keys import KeyRing

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Accounts:
    """The accounts as this process works them.

    Attributes:
        keep: Has a task run until the process has drained.
        habits: What was learnt of each relay.
    """

    log: EventLog
    gates: Gates
    settings: SenderSettings
    keys: KeyRing
    secrets: Bucket
    pacing: Bucket
    rules: Rules
    worker: str
    clock: Clock
    keep: Callable[[asyncio.Task[None]], None]
    habits: defaultdict[tuple[str, int], Habits] = field(default_factory=lambda: defaultdict(Habits))
    connections: dict[str, Connections] = field(default_factory=dict)
    domains: dict[str, Domains] = field(default_factory=dict)
    breakers: defaultdict[str, Breaker] = field(default_factory=lambda: defaultdict(Breaker))

    def domains_of(self, account: AccountGate) -> Domains:
        """Return what is known of the domains to which the account's mail goes."""
        if (found := self.domains.get(account.account)) is None:
            connections = self.shared(account)
            found = self.domains[account.account] = Domains(connections.share, self.clock.now)
        return found

    def shared(self, account: AccountGate) -> Connections:
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
                shares=lambda: self.rules.paced(account.settings).domain is not None,
            )
            self.keep(asyncio.create_task(found.run()))
        return found

    async def connect(self, account: AccountGate, lane: str) -> Connection:
        """Open a connection to an account's relay.

        Raises:
            services.sender.smtp.errors.RelayError: It cannot be opened.
        """
        settings, patience = account.settings, self.settings.relay_patience
        connection = await connect(
            Relay(
                host=settings.host,
                port=settings.port,
                tls=settings.tls,
                username=settings.username,
                password=await self.password(account.account) if settings.username else "",
                local_hostname=self.settings.hostname,
            ),
            timeout=GREETING * patience,
            timeouts=Timeouts().shortened(patience),
            habits=self.habits[settings.host, settings.port],
        )
        connection.limit = least(connection.limit, self.rules.messages(settings, lane))
        return connection

    async def password(self, account_id: str) -> str:
        """Return an account's password, "" where it has none."""
        sealed = await self.secrets.get(account_id)
        return self.keys.unseal(sealed[0]) if sealed else ""

    async def signing_key(self, domain: str, selector: str) -> SigningKey:
        """Return a key that signs for a domain.

        Raises:
            MissingError: There is none.
        """
        kept = await self.secrets.get(subjects.signing_key(domain, selector))
        if kept is None:
            raise MissingError(f"no key {selector} signs for {domain}")
        return SigningKey(self.keys.unseal(kept[0]))

    def bounce_domain(self, account_id: str) -> str:
        """Return where an account's mail comes back to, "" where it is not ours."""
        known = self.gates.accounts.get(account_id)
        return known.settings.bounce_domain if known is not None else ""

    async def pause(self, account_id: str, reason: str) -> None:
        """Record that a relay refuses an account as a whole."""
        await self.say(account_id, PauseAccount(reason))
        logger.error("account paused: %s", reason, extra={"account": account_id})

    async def say(self, account_id: str, command: Command) -> None:
        """Carry out a command on what we know of the account's relay."""
        cause = command.cause if isinstance(command, ReleaseAccount) else ""
        origin = Origin(f"{self.worker}.relay.{new_id()}", "sender", now(), account_id, cause)
        await handle(self.log, RelayDecider(), subjects.relay(account_id), command, origin)
