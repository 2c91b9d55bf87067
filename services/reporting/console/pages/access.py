"""Who may do what: people who sign in, tokens of programs, and who asked for what lately."""

from functools import partial
from typing import TYPE_CHECKING, get_args

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.dialog import Question, dialog_button
from services.reporting.console.form import Form, Submit, Values, made
from services.reporting.console.frame import Frame, Section, heading, nothing
from services.reporting.console.html import Tag, tag
from services.reporting.console.listing import NONE, Cell, Column, Listing
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
        person = Question("Add a person", "", "Add the person", fields=self._new_person)
        with _part("People", person, self._add_person):
            self._people = Section(self._frame, tag("div", "", "stack"), self._draw_people)
        token = Question("Issue a token", "", "Issue the token", fields=self._new_token)
        with _part("Tokens", token, self._issue):
            self._secret = tag("div", "", "secret", role="status", hidden=True)
            self._tokens = Section(self._frame, tag("div", "", "stack"), self._draw_tokens)
        with _part("Asked for lately"):
            audit = Section(self._frame, tag("div", "", "stack"), self._audit)
        for section in (self._people, self._tokens, audit):
            await section.draw()

    def _new_person(self, form: Form) -> None:
        form.text("name", "Name", required=True, maxlength=200)
        form.text("email", "E-mail address", required=True, type="email")
        form.text(
            "password",
            "First password",
            required=True,
            type="password",
            hint="At least 10 characters.",
            autocomplete="new-password",
        )
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
        if answer.refusal is None:
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
        columns = (Column("Person", "wide"), Column("May", "wide"), Column("Actions", "do"))
        listing = Listing("People", columns, "cards")
        listing.fill([(partial(_person, user), _may(user), partial(self._with_person, user)) for user in users])

    def _with_person(self, user: Data) -> None:
        def permissions(form: Form) -> None:
            form.checks("permissions", "May", _PERMISSIONS, user["permissions"])

        def password(form: Form) -> None:
            form.text(
                "password",
                "New password",
                required=True,
                type="password",
                hint="At least 10 characters.",
                autocomplete="new-password",
            )

        async def permit(values: Values) -> Refusal | None:
            return await self._done(
                made(commands.ChangePermissions, user=user["user"], permissions=values.all("permissions")), self._people
            )

        async def set_password(values: Values) -> Refusal | None:
            return await self._done(
                made(commands.SetPassword, user=user["user"], password=values.raw("password")), self._people
            )

        async def remove(_: Values) -> Refusal | None:
            return await self._done(commands.RemoveUser(user=user["user"]), self._people)

        name, ended = user["name"], "All sessions of this person end."
        with tag("div", "", "actions"):
            question = Question(f"What {name} may do", ended, "Change", "small", permissions)
            dialog_button("Permissions", question, permit)
            question = Question(f"A new password for {name}", ended, "Set the password", "small", password)
            dialog_button("Password", question, set_password)
            text = "Name, address and password are erased. What the person did stays in the log under an id."
            dialog_button("Remove", Question(f"Remove {name}?", text, "Remove", "danger small"), remove)

    async def _draw_tokens(self) -> None:
        tokens = (await self._desk.read(commands.Tokens()))["tokens"]
        if not tokens:
            nothing("No token yet", "A program that talks to the HTTP API shows a token.")
            return
        columns = (Column("Token", "wide"), Column("May", "wide"), Column("Until", "when"), Column("Actions", "do"))
        Listing("Tokens", columns, "cards").fill([self._token(token) for token in tokens])

    def _token(self, token: Data) -> list[Cell]:
        async def revoke(_: Values) -> Refusal | None:
            return await self._done(commands.RevokeToken(token=token["token"]), self._tokens)

        def actions() -> None:
            text = "Whatever shows it is turned away from now on."
            dialog_button("Revoke", Question(f"Revoke {token['name']}?", text, "Revoke", "danger small"), revoke)

        until = words.moment(token["expires_at"] or "", self._desk.zone) or "for ever"
        return [token["name"], _may(token), f"expired {until}" if token["expired"] else until, actions]

    async def _done(self, command: Command, section: Section) -> Refusal | None:
        answer = await self._desk.tell(command)
        if answer.refusal is None:
            self._frame.say("Done.")
            await section.draw()
        return answer.refusal

    async def _audit(self) -> None:
        rows = (await self._desk.read(commands.AuditTrail(limit=_AUDIT)))["rows"]
        columns = (
            Column("Command", "wide"),
            Column("About"),
            Column("Who"),
            Column("From"),
            Column("Outcome"),
            Column("When", "when"),
        )
        listing = Listing("Asked for lately", columns, "cards")
        listing.fill(
            [
                (
                    row["command"],
                    row["about"] or NONE,
                    row["principal"] or NONE,
                    row["remote"] or row["via"],
                    row["outcome"],
                    words.exact(row["at"], self._desk.zone),
                )
                for row in rows
            ]
        )


def _part(title: str, question: Question | None = None, submit: Submit | None = None) -> Tag:
    """Draw a part of the page with what can be added to it."""
    with tag("section", "", "", aria_label=title) as part, tag("div", "", "section-head"):
        tag("h2", title)
        if question is not None and submit is not None:
            dialog_button(question.title, question, submit)
    return part


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
