"""The form of an SMTP account, new or there already: server, sender addresses, limits, warm-up, return path."""

from typing import Any

from nicegui import ui

from services.reporting.console.account_lines import (
    providers_of,
    providers_told,
    warm_up_of,
    warm_up_told,
)
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made, more, words_of
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import tag
from shared.contracts import commands
from shared.contracts.account import AccountLimits
from shared.contracts.commands import Command, Refusal

TLS = (("starttls", "STARTTLS"), ("implicit", "TLS from the start"), ("none", "None: in clear"))
ALIASES = {"limits": "per_hour", "warm_up": "days", "warm_up.starts_on": "warm_up_from"}
_PROVIDERS = "One a line: its name and what is limited, such as gmail: connections=5, per_minute=300."
_TEXTS = ("name", "host", "port", "tls", "username", "connections", "bounce_domain")


def account_fields(form: Form, known: Data) -> None:
    """Add the fields, with what is `known` of the account."""
    hint = "What people call it here."
    form.text("name", "Name", known.get("name", ""), required=True, maxlength=200, hint=hint)
    with tag("div", "", "pair"):
        host = known.get("host", "")
        form.text("host", "Server", host, required=True, maxlength=253, placeholder="smtp.example.com")
        form.text("port", "Port", known.get("port", 587), required=True, type="number", min=1, max=65535)
    form.choice("tls", "Encryption", TLS, known.get("tls", "starttls"), required=True)
    with tag("div", "", "pair"):
        form.text("username", "User", known.get("username", ""), autocomplete="off")
        hint = "Empty: it keeps the one it has." if known else ""
        form.text("password", "Password", type="password", autocomplete="new-password", hint=hint)
    hint, senders = "The addresses that may stand as sender, separated by commas.", ", ".join(known.get("senders", []))
    form.text("senders", "Sender addresses", senders, required=True, hint=hint)
    _limits(form, known.get("limits", {}), known)
    ramp, providers = known.get("warm_up"), known.get("providers", {})
    with more("Warm-up, single providers, return path", shown=bool(ramp or providers or known.get("bounce_domain"))):
        with tag("div", "", "pair"):
            form.text("warm_up_from", "Warm-up from", (ramp or {}).get("starts_on", ""), type="date")
            hint = "Mails a day from that day on: 1:500, 2:1000, 7:5000. After the last day it is over."
            form.text("days", "Day: mails", warm_up_told(ramp), hint=hint)
        form.area("providers", "Single providers", providers_told(providers), rows=3, hint=_PROVIDERS)
        hint = "Where mail that comes back goes, each to an address of its own; empty: to the sender."
        form.text("bounce_domain", "Domain of return paths", known.get("bounce_domain", ""), maxlength=253, hint=hint)


def _limits(form: Form, limits: Data, known: Data) -> None:
    given = {name: limits.get(name) or "" for name in AccountLimits.model_fields}
    whole: dict[str, Any] = {"type": "number", "min": 1}
    with tag("div", "", "pair"):
        form.text("per_second", "Mails a second at most", given["per_second"], **whole)
        form.text("per_minute", "Mails a minute at most", given["per_minute"], **whole)
    with tag("div", "", "pair"):
        form.text("per_hour", "Mails an hour at most", given["per_hour"], **whole)
        hint = "Spread over the day: 2,400 are one in 36 seconds."
        form.text("per_day", "Mails a day at most", given["per_day"], hint=hint, **whole)
    with tag("div", "", "pair"):
        between = given["seconds_between"]
        form.text("seconds_between", "Seconds between mails", between, type="number", min=0, step="any")
        form.text("messages", "Mails over one connection", given["messages"], **whole)
    connections = known.get("connections", 10)
    form.text("connections", "Connections at a time", connections, required=True, max=200, **whole)


def account_of(values: Values) -> Data | Refusal:
    """Return what a form with these fields says, the password left out."""
    warm_up, providers = warm_up_of(values["warm_up_from"], values["days"]), providers_of(values.raw("providers"))
    for part in (warm_up, providers):
        if isinstance(part, Refusal):
            return part
    return {
        **values.given(*_TEXTS),
        "senders": words_of(values["senders"]),
        "limits": AccountLimits.model_validate(values.given(*AccountLimits.model_fields)),
        "warm_up": warm_up,
        "providers": providers,
    }


async def draw_edit(frame: Frame, account: str) -> None:
    """Draw the page on which one is edited."""
    accounts = (await frame.desk.read(commands.Accounts()))["accounts"]
    known = next((one for one in accounts if one["account"] == account), None)
    if known is None:
        nothing("There is no such account", "It was never added here.", "To the accounts", "/accounts")
        return
    heading(f"Edit {known['name']}", "Limits hold at once. After another server, user or password test it again.")

    async def save(values: Values) -> Refusal | None:
        fields = account_of(values)
        if isinstance(fields, Refusal):
            return fields
        password = values.raw("password") or None
        command: Command = made(commands.EditAccount, account=account, password=password, **fields)
        answer = await frame.desk.tell(command, form.id)
        if answer.refusal is None:
            ui.navigate.to(f"/accounts?at={answer.position}")
        return answer.refusal

    form = Form(save, "card", aliases=ALIASES)
    with form:
        account_fields(form, known)
        form.buttons("Save")
