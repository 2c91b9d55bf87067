"""`posthaste account`: SMTP accounts."""

import os
from typing import Annotated, Any

import typer

from cli import choices
from cli.commands import KeyOption, command, group
from cli.errors import InputError
from cli.output import pairs, text
from cli.session import Session
from shared.contracts import commands
from shared.contracts.account import TlsMode

app = group("account", "SMTP accounts: the relays that mails go through.")


Name = Annotated[str, typer.Option("--name", help="What people call it.")]
Host = Annotated[str, typer.Option("--host", help="Host of the relay.")]
Sender = Annotated[list[str], typer.Option("--sender", help="Address that may be used as sender; repeatable.")]
Port = Annotated[int, typer.Option("--port", help="587 with STARTTLS, 465 with implicit TLS.")]
Tls = Annotated[TlsMode, typer.Option("--tls", help="How the connection is encrypted.")]
Username = Annotated[str, typer.Option("--username", help="For AUTH; none means no AUTH.")]
Connections = Annotated[int, typer.Option("--connections", help="Connections at a time, over all senders.")]
PerSecond = Annotated[int | None, typer.Option("--per-second", help="Mails a second at most.")]
PerMinute = Annotated[int | None, typer.Option("--per-minute", help="Mails a minute at most.")]
PerHour = Annotated[int | None, typer.Option("--per-hour", help="Mails an hour at most.")]
PerDay = Annotated[int | None, typer.Option("--per-day", help="Mails in 24 hours at most, spread over them.")]
Between = Annotated[float | None, typer.Option("--seconds-between", help="Least pause between mails.")]
Messages = Annotated[int | None, typer.Option("--messages", help="Mails over one connection at most.")]
Provider = Annotated[
    list[str] | None,
    typer.Option(
        "--provider", metavar="NAME:LIMITS", help="Limits of one provider, as gmail:connections=5,per_minute=300."
    ),
]
WarmUpFrom = Annotated[str, typer.Option("--warm-up-from", metavar="DATE", help="Day 1 of the warm-up.")]
WarmUpDays = Annotated[
    str,
    typer.Option("--warm-up", metavar="DAY:MAILS,...", help="Mails a day from that day on, as 1:500,2:1000,7:5000."),
]
BounceDomain = Annotated[
    str, typer.Option("--bounce-domain", help="Domain that mail comes back to; else it goes to the sender.")
]


@command(app, "add")
async def add(
    session: Session,
    name: Name,
    host: Host,
    sender: Sender,
    port: Port = 587,
    tls: Tls = "starttls",
    username: Username = "",
    connections: Connections = 10,
    per_second: PerSecond = None,
    per_minute: PerMinute = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    seconds_between: Between = None,
    messages: Messages = None,
    provider: Provider = None,
    warm_up_from: WarmUpFrom = "",
    warm_up: WarmUpDays = "",
    bounce_domain: BounceDomain = "",
    key: KeyOption = "",
) -> None:
    """Add an SMTP account.

    With `--username` the password is asked for, or taken from POSTHASTE_SMTP_PASSWORD: never as an argument, which
    others could see.

    Example: `posthaste account add --name relay --host smtp.example.com --username mailer --sender news@example.com`
    """
    limits = {
        "per_second": per_second,
        "per_minute": per_minute,
        "per_hour": per_hour,
        "per_day": per_day,
        "seconds_between": seconds_between,
        "messages": messages,
    }
    wanted = {
        "name": name,
        "host": host,
        "port": port,
        "tls": tls,
        "username": username,
        "password": _password() if username else "",
        "senders": sender,
        "connections": connections,
        "limits": limits,
        "providers": _providers(provider or []),
        "warm_up": _warm_up(warm_up_from, warm_up),
        "bounce_domain": bounce_domain,
    }
    answer = await session.ask(commands.AddAccount.model_validate(wanted), key=key)
    session.out.done(
        answer, f"Added account {answer['account']}. Test it before use: posthaste account test {answer['account']}"
    )


@command(app, "edit")
async def edit(
    session: Session,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id or name.")],
    name: Name = "",
    host: Host = "",
    sender: Annotated[list[str] | None, typer.Option("--sender", help="Addresses instead of those it has.")] = None,
    port: Port = 0,
    tls: Annotated[TlsMode | None, typer.Option("--tls", help="How the connection is encrypted.")] = None,
    username: Annotated[str | None, typer.Option("--username", help='For AUTH; "" means no AUTH.')] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    connections: Connections = 0,
    per_second: PerSecond = None,
    per_minute: PerMinute = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    seconds_between: Between = None,
    messages: Messages = None,
    provider: Provider = None,
    warm_up_from: WarmUpFrom = "",
    warm_up: WarmUpDays = "",
    bounce_domain: BounceDomain = "",
    no_warm_up: Annotated[bool, typer.Option("--no-warm-up", help="End the warm-up.")] = False,
    key: KeyOption = "",
) -> None:
    """Change an SMTP account; what is not given stays. A limit of 0 takes it away.

    Limits hold at once, for mailings under way, too. After another host, TLS, user or password test it again. The
    password is asked for, or taken from POSTHASTE_SMTP_PASSWORD. `--provider NAME:` takes the limits of one away.

    Example: `posthaste account edit relay --per-hour 500 --connections 4`
    """
    found = await choices.account_id(session, account)
    rows = (await session.ask(commands.Accounts())).get("accounts", [])
    wanted = {name: row[name] for row in rows if row["account"] == found for name in _FIELDS}
    given = {"name": name, "host": host, "senders": sender, "port": port, "tls": tls, "connections": connections}
    given["bounce_domain"] = bounce_domain
    wanted |= {name: value for name, value in given.items() if value}
    wanted |= {} if username is None else {"username": username}
    limits = {
        "per_second": per_second,
        "per_minute": per_minute,
        "per_hour": per_hour,
        "per_day": per_day,
        "seconds_between": seconds_between,
        "messages": messages,
    }
    limits = wanted["limits"] | {name: value for name, value in limits.items() if value is not None}
    wanted["limits"] = {name: value or None for name, value in limits.items()}
    providers = wanted["providers"] | _providers(provider or [])
    wanted["providers"] = {name: value for name, value in providers.items() if value}
    if warm_up or warm_up_from or no_warm_up:
        wanted["warm_up"] = None if no_warm_up else _warm_up(warm_up_from, warm_up)
    wanted |= {"account": found, "password": _password() if password else None}
    answer = await session.ask(commands.EditAccount.model_validate(wanted), key=key)
    session.out.done(answer, f"Changed account {found}.")


@command(app, "test")
async def test(
    session: Session,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id or name.")],
    to: Annotated[str, typer.Option("--to", help="Also deliver a test mail to this address.")] = "",
    key: KeyOption = "",
) -> None:
    """Let a sender connect, do TLS and AUTH and, with `--to`, deliver a test mail.

    What does not work is refused as `account_not_working`, with what the relay said.

    Example: `posthaste account test relay --to me@example.com`
    """
    wanted = commands.TestAccount(account=await choices.account_id(session, account), to=to)
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"[green]Works.[/green] {text(answer.get('detail', ''))}")


@command(app, "show")
async def show(
    session: Session,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id or name.")],
) -> None:
    """Show one account: limits, warm-up, whether it works, which providers get less or nothing for a time, and why.

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
    session.out.screen.print(pairs({name.capitalize(): found[name] for name in _SHOWN} | _more(found)))
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


_FIELDS = (
    *("name", "host", "port", "tls", "username", "senders", "connections"),
    *("limits", "providers", "warm_up", "bounce_domain"),
)

_SHOWN = ("account", "name", "host", "port", "tls", "username", "senders", "connections", "limits", "working", "detail")


def _more(row: dict[str, Any]) -> dict[str, object]:
    """Return what is said of providers and of the warm-up."""
    found: dict[str, object] = {f"Provider {name}": limits for name, limits in row["providers"].items()}
    if ramp := row["warm_up"]:
        found["Warm-up"] = f"from {ramp['starts_on']}: " + ", ".join(
            f"day {day} {mails}" for day, mails in ramp["per_day"].items()
        )
    return found | {"Mails a day, today": row["per_day_now"]}


def _password() -> str:
    found: str = os.environ.get("POSTHASTE_SMTP_PASSWORD") or typer.prompt("Password", hide_input=True, err=True)
    return found


def _providers(given: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text_ in given:
        name, colon, limits = text_.partition(":")
        pairs = [pair.partition("=") for pair in limits.split(",") if pair]
        if not colon or any(not equals for _, equals, _ in pairs):
            raise InputError("invalid", f"{text_!r} is not as gmail:connections=5,per_minute=300.")
        found[name] = {limit: value for limit, _, value in pairs}
    return found


def _warm_up(starts_on: str, days: str) -> dict[str, object] | None:
    if not days and not starts_on:
        return None
    pairs = [pair.partition(":") for pair in days.split(",")]
    if not starts_on or any(not (day.isdigit() and mails.isdigit()) for day, _, mails in pairs):
        raise InputError("invalid", "A warm-up needs --warm-up-from, a date, and --warm-up, as 1:500,2:1000,7:5000.")
    return {"starts_on": starts_on, "per_day": {int(day): int(mails) for day, _, mails in pairs}}
