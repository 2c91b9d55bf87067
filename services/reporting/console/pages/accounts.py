"""SMTP accounts: those there are, whether they work, a test of each, and a form for a new one."""

from functools import partial
from typing import TYPE_CHECKING

from services.reporting.console.account_lines import providers_told, warm_up_told
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, Section, heading, nothing
from services.reporting.console.html import link, pill, tag
from services.reporting.console.pages import account_form
from services.reporting.console.pages.account_form import ALIASES, TLS, account_fields, account_of
from shared.contracts import commands
from shared.contracts.account import PERIODS, Limits
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console


def limits_of(values: Values) -> Limits:
    """Return the limits a form holds."""
    return Limits.model_validate(values.given("per_hour", "seconds_between"))


class _Accounts:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk

    async def draw(self) -> None:
        """Draw the page."""
        heading("Accounts", "The SMTP relays that mails go out through. Each is tested once before it can be used.")
        place = tag("div", "", "stack")
        self._section = Section(self._frame, place, self._list)
        if self._desk.may("administer"):
            self._new()
        await self._section.draw()

    async def _list(self) -> None:
        accounts = (await self._desk.read(commands.Accounts()))["accounts"]
        if not accounts:
            text = "Add the relay of your provider below. To try things out, use the mail catcher of this installation."
            nothing(
                "No account yet", text if self._desk.may("administer") else "Whoever administers Posthaste adds one."
            )
        for account in accounts:
            self._account(account)

    def _account(self, account: Data) -> None:
        with tag("article", "", "card account", aria_label=account["name"]):
            with tag("div", "", "section-head"):
                tag("h2", account["name"])
                state, tone = _state(account)
                pill(state, tone)
                if self._desk.may("administer"):
                    link("Edit", f"/accounts/{account['account']}/edit", "quiet", aria_label=f"Edit {account['name']}")
            with tag("dl", "", "facts"):
                _fact("Server", f"{account['host']}:{account['port']}")
                _fact("Encryption", dict(TLS)[account["tls"]])
                _fact("User", account["username"] or "none")
                _fact("Sends as", ", ".join(account["senders"]))
                _fact("Limits", _limits(account))
                if account["warm_up"]:
                    _fact("Warm-up", f"from {account['warm_up']['starts_on']}: {warm_up_told(account['warm_up'])}")
                if account["providers"]:
                    _fact("Single providers", providers_told(account["providers"]).replace("\n", "; "))
                if account["bounce_domain"]:
                    _fact("Return paths", account["bounce_domain"])
            if account["detail"]:
                tag("p", account["detail"], "said")
            for line in _shaping(account):
                tag("p", line, "said")
            if self._desk.may("administer"):
                form = Form(partial(self._test, account), "row")
                with form:
                    label = "Test mail to"
                    form.text(
                        "to", label, type="email", autocomplete="email", hint="Leave empty to only connect and sign in."
                    )
                    form.buttons("Test", style="plain" if account["working"] else "")

    async def _test(self, account: Data, values: Values) -> Refusal | None:
        answer = await self._desk.tell(commands.TestAccount(account=account["account"], to=values["to"]))
        if answer.refusal is None:
            works = answer.data["working"]
            self._frame.say(f"{account['name']} {'works' if works else 'does not work'}: {answer.data['detail']}")
            await self._section.draw()
        return answer.refusal

    def _new(self) -> None:
        with tag("section", "", "card", aria_labelledby="new-account"):
            tag("h2", "Add an account", id="new-account")
            form = Form(lambda values: self._add(form, values), aliases=ALIASES)
            with form:
                account_fields(form, {})
                form.buttons("Add the account")

    async def _add(self, form: Form, values: Values) -> Refusal | None:
        fields = account_of(values)
        if isinstance(fields, Refusal):
            return fields
        command = made(commands.AddAccount, password=values.raw("password"), **fields)
        answer = await self._desk.tell(command, form.id)
        if answer.refusal is None:
            self._frame.say(f"{values['name']} was added. Test it before use.")
            await self._section.draw()
        return answer.refusal


def _fact(label: str, text: str) -> None:
    with tag("div"):
        tag("dt", label)
        tag("dd", text)


def _state(account: Data) -> tuple[str, str]:
    if account["working"]:
        return "Works", "green"
    return ("Does not work", "red") if account["tested"] else ("Not tested", "amber")


def _shaping(account: Data) -> list[str]:
    """Return in words which providers get less or nothing."""
    slowed = [
        f"{each['provider']} gets {each['per_hour']:,} an hour for now, until {each['until'][:16]} UTC ({each['rule']})"
        for each in account["slowed"]
    ]
    suspended = [
        f"{each['provider'] or 'Everybody'} gets nothing until {each['until'][:16]} UTC ({each['rule']})"
        for each in account["suspended"]
    ]
    return suspended + slowed


def _limits(account: Data) -> str:
    limits = account["limits"]
    given = [(name.replace("per_", "a " if name != "per_hour" else "an "), limits[name]) for name in PERIODS]
    parts = [f"{most:,} {period}" for period, most in given if most]
    parts += [f"{limits['seconds_between']:g} s between mails"] if limits["seconds_between"] else []
    parts += [f"{limits['messages']:,} over one connection"] if limits["messages"] else []
    parts += [f"{account['per_day_now']:,} today"] if account["per_day_now"] != limits["per_day"] else []
    return ", ".join(parts) or "none"


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/accounts", "Accounts")
    async def _(frame: Frame) -> None:
        await _Accounts(frame).draw()

    @console.page("/accounts/{account}/edit", "Edit account", "administer", here="/accounts")
    async def _(frame: Frame, account: str) -> None:
        with tag("nav", "", "crumbs", aria_label="Back"):
            link("← Accounts", "/accounts")
        await account_form.draw_edit(frame, account)
