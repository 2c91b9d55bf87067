"""`posthaste account`: SMTP accounts."""

import os
from typing import Annotated

import typer

from cli import choices
from cli.commands import KeyOption, command, group
from cli.output import pairs, text
from cli.session import Session
from shared.contracts import commands
from shared.contracts.account import Limits, TlsMode

app = group("account", "SMTP accounts: the relays that mails go through.")


@command(app, "add")
async def add(
    session: Session,
    name: Annotated[str, typer.Option("--name", help="What people call it.")],
    host: Annotated[str, typer.Option("--host", help="Host of the relay.")],
    sender: Annotated[list[str], typer.Option("--sender", help="Address that may be used as sender; repeatable.")],
    port: Annotated[int, typer.Option("--port", help="587 with STARTTLS, 465 with implicit TLS.")] = 587,
    tls: Annotated[TlsMode, typer.Option("--tls", help="How the connection is encrypted.")] = "starttls",
    username: Annotated[str, typer.Option("--username", help="For AUTH; none means no AUTH.")] = "",
    connections: Annotated[int, typer.Option("--connections", help="Connections at a time.")] = 10,
    per_hour: Annotated[int | None, typer.Option("--per-hour", help="Mails an hour at most.")] = None,
    seconds_between: Annotated[
        float | None, typer.Option("--seconds-between", help="Least pause between mails.")
    ] = None,
    bounce_domain: Annotated[
        str, typer.Option("--bounce-domain", help="Domain that mail comes back to; else it goes to the sender.")
    ] = "",
    key: KeyOption = "",
) -> None:
    """Add an SMTP account.

    With `--username` the password is asked for, or taken from POSTHASTE_SMTP_PASSWORD: never as an argument, which
    others could see.

    Example: `posthaste account add --name relay --host smtp.example.com --username mailer --sender news@example.com`
    """
    password = ""
    if username:
        password = os.environ.get("POSTHASTE_SMTP_PASSWORD") or typer.prompt("Password", hide_input=True, err=True)
    answer = await session.ask(
        commands.AddAccount(
            name=name,
            host=host,
            port=port,
            tls=tls,
            username=username,
            password=password,
            senders=sender,
            connections=connections,
            limits=Limits(per_hour=per_hour, seconds_between=seconds_between),
            bounce_domain=bounce_domain,
        ),
        key=key,
    )
    session.out.done(
        answer, f"Added account {answer['account']}. Test it before use: posthaste account test {answer['account']}"
    )


@command(app, "test")
async def test(
    session: Session,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id or name.")],
    to: Annotated[str, typer.Option("--to", help="Also deliver a test mail to this address.")] = "",
) -> None:
    """Let a sender connect, do TLS and AUTH and, with `--to`, deliver a test mail.

    What does not work is refused as `account_not_working`, with what the relay said.

    Example: `posthaste account test relay --to me@example.com`
    """
    answer = await session.ask(commands.TestAccount(account=await choices.account_id(session, account), to=to))
    session.out.done(answer, f"[green]Works.[/green] {text(answer.get('detail', ''))}")


@command(app, "show")
async def show(
    session: Session,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id or name.")],
) -> None:
    """Show one account: whether it works, and which providers behind it get less or nothing for a time, and why.

    Example: `posthaste account show relay`
    """
    chosen = await choices.account_id(session, account)
    accounts = (await session.ask(commands.Accounts()))["accounts"]
    found = next(each for each in accounts if each["account"] == chosen)
    shaping = [
        *({**each, "gets": f"{each['per_hour']} an hour"} for each in found["slowed"]),
        *({**each, "gets": "nothing"} for each in found["suspended"]),
    ]
    if session.out.as_json:
        session.out.json(found)
        return
    names = (
        "account",
        "name",
        "host",
        "port",
        "tls",
        "username",
        "senders",
        "connections",
        "limits",
        "working",
        "detail",
    )
    session.out.screen.print(pairs({name.capitalize(): found[name] for name in names}))
    columns = {"provider": "Provider", "gets": "Gets", "until": "Until", "since": "Since", "rule": "Rule"}
    rows = [{**each, "provider": each["provider"] or "all"} for each in shaping]
    session.out.rows({"rows": rows}, "rows", columns, empty="No provider is slowed or suspended.")


@command(app, "preflight")
async def preflight(
    session: Session,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id or name.")],
) -> None:
    """Check what providers look at: SPF, the DKIM keys, DMARC and alignment in DNS, TLS, one-click; with remedies.

    Exit code 1 if anything is bad.

    Example: `posthaste account preflight relay`
    """
    answer = await session.ask(commands.Preflight(account=await choices.account_id(session, account)))
    columns = {"state": "State", "name": "Check", "about": "Domain", "detail": "Detail", "remedy": "Remedy"}
    session.out.rows(answer, "checks", columns)
    if answer["verdict"] == "bad":
        raise typer.Exit(1)


@command(app, "health")
async def health(
    session: Session,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id or name.")],
    hours: Annotated[int, typer.Option("--hours", min=1, max=744, help="How far back.")] = 24,
) -> None:
    """Show how each provider behind an account fared, hour by hour.

    Example: `posthaste account health relay --hours 48`
    """
    chosen = await choices.account_id(session, account)
    answer = await session.ask(commands.ProviderHealth(account=chosen, hours=hours))
    names = ("hour", "provider", "accepted", "deferred", "rejected", "slowed", "suspended")
    rows = [{**each, "provider": each["provider"] or "all"} for each in answer["rows"]]
    columns = {name: name.capitalize() for name in names}
    session.out.rows({**answer, "rows": rows}, "rows", columns, empty="Nothing went out.")


@command(app, "list")
async def list_accounts(session: Session) -> None:
    """List all SMTP accounts.

    Example: `posthaste account list --json`
    """
    columns = {
        "account": "Id",
        "name": "Name",
        "host": "Host",
        "port": "Port",
        "tls": "TLS",
        "senders": "Senders",
        "limits": "Limits",
        "tested": "Tested",
        "working": "Works",
        "detail": "Detail",
    }
    empty = "No account yet: posthaste account add --help"
    session.out.rows(await session.ask(commands.Accounts()), "accounts", columns, empty=empty)
