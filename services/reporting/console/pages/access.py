"""Who may do what: people who sign in, tokens of programs, and who asked for what lately."""

from functools import partial
from typing import TYPE_CHECKING, get_args

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.dialog import dialog_button
from services.reporting.console.form import Form, Submit, Values, made
from services.reporting.console.frame import Frame, Section, heading, nothing
from services.reporting.console.html import tag
from services.reporting.console.listing import Column, Listing
from shared.contracts import commands
from shared.contracts.commands import Command, Refusal
from shared.contracts.principals import Permission

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_PERMISSIONS = [(name, name.replace("_", " ").capitalize()) for name in get_args(Permission)]
_AUDIT = 20


class _Access:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk

    async def draw(self) -> None:
        """Draw the page."""
        heading("Access", "People sign in here; programs show a token. Each may do what is ticked, and nothing else.")
        self._people = self._part("People", "person", "Add a person", self._new_person, self._draw_people)
        self._tokens = self._part("Tokens", "token", "Issue a token", self._new_token, self._draw_tokens)
        with tag("section", "", "", aria_label="Audit"):
            with tag("div", "", "section-head"):
                tag("h2", "Asked for lately")
            audit = Section(self._frame, tag("div", "", "stack"), self._audit)
        for section in (self._people, self._tokens, audit):
            await section.draw()

    def _part(self, title: str, what: str, action: str, fields: object, draw: object) -> Section:
        with tag("section", "", "", aria_label=title):
            with tag("div", "", "section-head"):
                tag("h2", title)
                submit = self._add_person if what == "person" else self._issue
                dialog_button(action, action, "", submit, action, fields=fields)  # type: ignore[arg-type]
            self._secret = tag("div", "", "secret", role="status", hidden=True) if what == "token" else None
            return Section(self._frame, tag("div", "", "stack"), draw)  # type: ignore[arg-type]

    def _new_person(self, form: Form) -> None:
        form.text("name", "Name", required=True, maxlength=200)
        form.text("email", "E-mail address", required=True, type="email")
        form.text("password", "First password", required=True, type="password", hint="At least 10 characters.", autocomplete="new-password")
        form.checks("permissions", "May", _PERMISSIONS, ["view"])

    def _new_token(self, form: Form) -> None:
        form.text("name", "Name of the program", required=True, maxlength=200)
        form.checks("permissions", "May", _PERMISSIONS, ["view"])

    async def _add_person(self, values: Values) -> Refusal | None:
        fields = values.given("name", "email") | {"password": values.raw("password")}
        answer = await self._desk.tell(made(commands.AddUser, **fields, permissions=values.all("permissions")))
        if answer.refusal is None:
            self._frame.say(f"{values['name']} was added.")
            await self._people.draw()
        return answer.refusal

    async def _issue(self, values: Values) -> Refusal | None:
        command = made(commands.IssueToken, name=values["name"], permissions=values.all("permissions"))
        answer = await self._desk.tell(command)
        if answer.refusal is None and self._secret is not None:
            self._secret.clear()
            with self._secret:
                tag("p", f"The token of {values['name']}. It is shown this once:")
                tag("code", answer.data["secret"])
            self._secret.put(hidden=None)
            await self._tokens.draw()
        return answer.refusal

    async def _draw_people(self) -> None:
        users = (await self._desk.read(commands.Users()))["users"]
        if not users:
            nothing("Nobody yet", "Add the people who work with mailings.")
            return
        columns = (Column("Person", "wide"), Column("May", "wide"), Column("Do", "do"))
        listing = Listing("People", columns, "cards")
        listing.fill([(partial(_person, user), _may(user), partial(self._with_person, user)) for user in users])

    def _with_person(self, user: Data) -> None:
        def permissions(form: Form) -> None:
            form.checks("permissions", "May", _PERMISSIONS, user["permissions"])

        def password(form: Form) -> None:
            form.text("password", "New password", required=True, type="password", hint="At least 10 characters.", autocomplete="new-password")

        async def permit(values: Values) -> Refusal | None:
            return await self._done(made(commands.ChangePermissions, user=user["user"], permissions=values.all("permissions")), self._people)

        async def set_password(values: Values) -> Refusal | None:
            return await self._done(made(commands.SetPassword, user=user["user"], password=values.raw("password")), self._people)

        async def remove(_: Values) -> Refusal | None:
            return await self._done(commands.RemoveUser(user=user["user"]), self._people)

        name, ended = user["name"], "All sessions of this person end."
        with tag("div", "", "actions"):
            self._small("Permissions", f"What {name} may do", ended, permit, "Change", permissions)
            self._small("Password", f"A new password for {name}", ended, set_password, "Set the password", password)
            text = "Name, address and password are erased. What the person did stays in the log under an id."
            self._small("Remove", f"Remove {name}?", text, remove, "Remove", None, "danger")

    async def _draw_tokens(self) -> None:
        tokens = (await self._desk.read(commands.Tokens()))["tokens"]
        if not tokens:
            nothing("No token yet", "A program that talks to the HTTP API shows a token.")
            return
        columns = (Column("Token", "wide"), Column("May", "wide"), Column("Until", "when"), Column("Do", "do"))
        Listing("Tokens", columns, "cards").fill([self._token(token) for token in tokens])

    def _token(self, token: Data) -> tuple[object, ...]:
        async def revoke(_: Values) -> Refusal | None:
            return await self._done(commands.RevokeToken(token=token["token"]), self._tokens)

        def actions() -> None:
            text = "Whatever shows it is turned away from now on."
            self._small("Revoke", f"Revoke {token['name']}?", text, revoke, "Revoke", None, "danger")

        until = words.moment(token["expires_at"] or "", self._desk.zone) or "for ever"
        return token["name"], _may(token), f"expired {until}" if token["expired"] else until, actions

    def _small(self, label: str, title: str, text: str, submit: Submit, do: str, fields: object, style: str = "") -> None:
        dialog_button(label, title, text, submit, do, style=f"small {style}".strip(), fields=fields)  # type: ignore[arg-type]

    async def _done(self, command: Command, section: Section) -> Refusal | None:
        answer = await self._desk.tell(command)
        if answer.refusal is None:
            self._frame.say("Done.")
            await section.draw()
        return answer.refusal

    async def _audit(self) -> None:
        rows = (await self._desk.read(commands.AuditTrail(limit=_AUDIT)))["rows"]
        columns = (Column("Command", "wide"), Column("About"), Column("Who"), Column("From"), Column("Outcome"), Column("When", "when"))
        listing = Listing("Asked for lately", columns, "cards")
        listing.fill(
            [
                (
                    row["command"],
                    row["about"] or "–",
                    row["principal"] or "–",
                    row["remote"] or row["via"],
                    row["outcome"],
                    words.exact(row["at"], self._desk.zone),
                )
                for row in rows
            ]
        )


def _person(user: Data) -> None:
    tag("span", user["name"], "name")
    tag("span", user["email"], "under")


def _may(principal: Data) -> str:
    names = [name.replace("_", " ") for name in principal["permissions"]]
    return "everything" if len(names) == len(_PERMISSIONS) else ", ".join(names) or "nothing"


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/access", "Access", "administer")
    async def _(frame: Frame) -> None:
        await _Access(frame).draw()
