"""The preflight of an account: gathers what `preflight` judges, from the log and from DNS."""

import asyncio
from typing import TYPE_CHECKING

from services.planner.accounts import preflight
from services.planner.accounts.account import LOOPBACK
from services.planner.accounts.signing import keys_of
from services.planner.parts import Parts
from shared.addresses import domain as domain_of
from shared.contracts import commands
from shared.contracts.commands import Answer, Refusal

if TYPE_CHECKING:
    from services.planner.accounts.dns import Dns


async def account_preflight(parts: Parts, wanted: commands.Preflight) -> Answer | Refusal:
    """Check everything providers look at."""
    from services.planner.accounts.dns import Dns  # noqa: PLC0415 - a tenth of the planner's start, and few accounts are added

    facts = {fact.id: fact for fact in await parts.board.accounts()}
    fact = facts.get(wanted.account)
    if fact is None or fact.state.added is None:
        return Refusal(code="account_unknown", message="There is no such account.", field="account")
    added, asked = fact.state.added, Dns(parts.settings.dns_server)
    names = list(dict.fromkeys(domain_of(sender) for sender in added.senders))
    keys = [await keys_of(parts.log, name) for name in names]
    domains = await asyncio.gather(
        *(_domain(asked, name, added.bounce_domain or name, signing) for name, signing in zip(names, keys, strict=True))
    )
    seen = preflight.Seen(
        tls=added.tls,
        loopback=added.host.lower() in LOOPBACK,
        tested=fact.state.tested is not None,
        working=fact.state.working and not fact.paused,
        public_url=parts.settings.public_url,
        domains=domains,
    )
    found = preflight.checks(seen)
    states = {each.state for each in found}
    verdict = next(state for state in ("bad", "unknown", "warning", "good") if state in states)
    return Answer(ok=True, data={"account": fact.id, "verdict": verdict, "checks": [each._asdict() for each in found]})


async def _domain(asked: "Dns", name: str, returns: str, signing: dict[str, str]) -> preflight.Domain:
    spf, dmarc, *published = await asyncio.gather(
        asked.texts(returns), asked.policy(name), *(asked.texts(record) for record in signing)
    )
    keys = [preflight.DkimKey(*each, seen) for each, seen in zip(signing.items(), published, strict=True)]
    return preflight.Domain(name, returns, spf, dmarc, keys)
