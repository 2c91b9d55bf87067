"""`posthaste token`, `user`, `audit`, and the first token of `up`."""

import asyncio
import signal
import sys
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from cli import up
from shared.contracts import commands
from shared.contracts.principals import PERMISSIONS
from tests.harness.installations import Quick
from tests.harness.posthaste import Posthaste
from tests.integration.cli.conftest import Services

TOKENS = {"tokens": [{"token": "t1", "name": "shop", "permissions": ["view"], "expires_at": None, "expired": False}]}
USERS = {"users": [{"user": "u1", "name": "Ann", "email": "Ann@example.com", "permissions": ["view"]}]}


async def test_a_token_is_alone_on_standard_output(posthaste: Posthaste, services: Services) -> None:
    """So it can be taken up by a script; what is to be said about it goes to standard error."""
    services.says[commands.IssueToken] = {"token": "t1", "secret": "pht_t1_xyz"}
    ended = await posthaste(
        *("token", "issue", "--name", "shop", "--permission", "view", "--permission", "send"),
        *("--expires", "2030-01-02T03:04", "--key", "k"),
    )
    assert (ended.code, ended.out) == (0, "pht_t1_xyz\n")
    assert "t1" in ended.error
    (asked,) = services.asked
    expires = datetime(2030, 1, 2, 3, 4).astimezone()
    assert asked == commands.IssueToken(name="shop", permissions=["view", "send"], expires_at=expires)
    assert services.keys == ["k"]


async def test_permissions_are_named_or_all(posthaste: Posthaste, services: Services) -> None:
    """What is none is refused with those there are; `all` is each of them."""
    services.says[commands.IssueToken] = {"token": "t1", "secret": "pht_t1_xyz"}
    ended = await posthaste("token", "issue", "--name", "x", "--permission", "everything")
    assert ended.code == 2
    assert ended.error.startswith("bad_permission: 'everything'")
    assert (await posthaste("token", "issue", "--name", "x", "--permission", "all")).code == 0
    assert services.asked == [commands.IssueToken(name="x", permissions=list(PERMISSIONS))]


async def test_tokens_are_revoked_by_name(posthaste: Posthaste, services: Services) -> None:
    """The list says which there are."""
    services.says |= {commands.Tokens: TOKENS, commands.RevokeToken: {"token": "t1"}}
    assert "shop" in (await posthaste("token", "list")).out
    assert (await posthaste("token", "revoke", "shop")).code == 0
    assert services.asked[-1] == commands.RevokeToken(token="t1")


async def test_passwords_come_from_the_environment_and_people_by_address(
    posthaste: Posthaste, services: Services
) -> None:
    """However the address is written; a password is never an argument."""
    services.says |= {model: {"user": "u1"} for model in (commands.AddUser, commands.SetPassword, commands.RemoveUser)}
    services.says |= {commands.Users: USERS, commands.ChangePermissions: {"user": "u1"}}
    posthaste.environment["POSTHASTE_USER_PASSWORD"] = "a long password"
    await posthaste("user", "add", "--name", "Ann", "--email", "ann@example.com", "--permission", "view")
    await posthaste("user", "password", "ann@EXAMPLE.com")
    await posthaste("user", "permissions", "Ann", "--permission", "edit")
    await posthaste("user", "remove", "u1")
    assert "ann@example.com" in (await posthaste("user", "list")).out.lower()
    asked = [one for one in services.asked if not isinstance(one, commands.Users)]
    assert asked == [
        commands.AddUser(name="Ann", email="ann@example.com", password="a long password", permissions=["view"]),
        commands.SetPassword(user="u1", password="a long password"),
        commands.ChangePermissions(user="u1", permissions=["edit"]),
        commands.RemoveUser(user="u1"),
    ]


async def test_the_audit_is_shown_by_principal_and_command(posthaste: Posthaste, services: Services) -> None:
    """A row for each command, with what came of it."""
    row = {"at": "2026-11-27", "principal": "t1", "command": "mailing.pause", "outcome": "forbidden", "via": "http"}
    services.says[commands.AuditTrail] = {"rows": [row], "next": ""}
    ended = await posthaste("audit", "--principal", "t1", "--command", "mailing.pause", "--limit", "5")
    assert "forbidden" in ended.out
    assert services.asked == [commands.AuditTrail(principal="t1", command="mailing.pause", limit=5)]


async def _up(data: Path) -> dict[str, str]:
    """Run `posthaste up --json` until it is up, end it, and return what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "up", "--data", str(data), "--free-ports", "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(90):
            said = await process.stdout.readuntil(b"}\n")
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
    told: dict[str, str] = orjson.loads(said)
    return told


@pytest.mark.timeout(240)
async def test_up_shows_the_first_token_once(tmp_path: Path) -> None:
    """At the first start of a data folder; never again, and no other one either."""
    first = await _up(tmp_path)
    assert first["token"].startswith("pht_")
    async with Quick(tmp_path, ports="free") as again:
        assert await up._first_token(again) == ""
