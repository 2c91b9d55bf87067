"""Domains that are not mailed: whose contacts are left out of every audience, those of domains below included."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Column, String, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.schema import METADATA
from shared.addresses import domain
from shared.contracts.consent import EVERYTHING

REASON = "blocked_domain"
"""Why a contact is left out."""

BLOCKED_DOMAINS = Table(
    "blocked_domains",
    METADATA,
    Column("domain", String(253), primary_key=True),
    Column("reason", Text, nullable=False),
)


async def names(conn: AsyncConnection) -> frozenset[str]:
    """Return all blocked domains."""
    return frozenset(await conn.scalars(select(BLOCKED_DOMAINS.c.domain)))


def is_blocked(name: str, blocked: Collection[str]) -> bool:
    """Tell whether a domain or one above it is blocked."""
    parts = name.split(".")
    return any(".".join(parts[at:]) in blocked for at in range(len(parts)))


def mark(rows: Iterable[tuple[Any, ...]], blocks: dict[str, dict[str, str]], blocked: Collection[str]) -> None:
    """Add to what blocks addresses those of blocked domains; rows are (address key, contact, list, address ...)."""
    for key, _, _, address, *_ in rows if blocked else ():
        if is_blocked(domain(address), blocked):
            blocks.setdefault(key, {}).setdefault(EVERYTHING, REASON)
