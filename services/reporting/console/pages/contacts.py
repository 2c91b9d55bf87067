"""Contacts: the lists there are, and a file on its way into one: upload, preview, columns, progress, rejected rows."""

from functools import partial
from typing import TYPE_CHECKING

from nicegui.events import GenericEventArguments

from services.reporting.console import words
from services.reporting.console.desk import AwayError, Data, RefusedError
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, Section, heading, nothing
from services.reporting.console.html import Tag, link, tag
from services.reporting.console.listing import NONE, Column, Listing
from services.reporting.console.live import later
from services.reporting.console.pages.contact_consent import Consent
from services.reporting.console.pages.contact_domains import Domains
from services.reporting.console.pages.contact_look import Look
from services.reporting.console.pages.contact_rule import Rule
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LOOK = 0.5
_REJECTED = 100
_SEND = "(e) => { if (e.target.files.length) sendFile(e.target.files[0], emit); }"
_ENCODINGS = (
    ("", "Found by itself"),
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("cp1252", "Windows-1252"),
    ("iso-8859-15", "ISO 8859-15"),
)
_HINT = "The first line names the columns. Nothing is imported before you have seen it."
_DELIMITERS = (("", "Found by itself"), (",", "Comma"), (";", "Semicolon"), ("\t", "Tab"))


class _Contacts:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._upload: Data = {}
        self._hint: Tag | None = None

    async def draw(self) -> None:
        """Draw the page."""
        heading("Contacts", "Lists hold the people that campaigns write to. They come from CSV files.")
        if self._desk.may("add_recipient"):
            self._import_card()
        self._section = Section(self._frame, tag("div", "", "stack"), self._lists)
        await self._section.draw()
        Rule(self._frame, self._section)
        place = tag("div", "", "stack")
        consent = Consent(self._frame)
        with place:
            Look(self._frame, consent, self._section)
        await Domains(self._frame).draw()

    async def _lists(self) -> None:
        found = await self._desk.read(commands.Lists())
        lists = found["lists"]
        if self._hint is not None and (kinds := found.get("kinds")):
            self._hint.say(f"{_HINT} A column “kind” may hold {', '.join(kinds)}.")
        if not lists:
            nothing("No list yet", "Import a CSV file with a column of e-mail addresses: it becomes a list.")
            return
        columns = (
            Column("List", "wide"),
            Column("Whoever joins", "state"),
            Column("Rule", "wide"),
            Column("Contacts", "number"),
        )
        listing = Listing("Lists", columns, "cards")
        listing.fill(
            (one["name"], partial(self._joins, one), one["rule"] or NONE, partial(self._members, one)) for one in lists
        )

    def _members(self, one: Data) -> None:
        label = f"{one['name']}: {words.many(one['members'], 'contact')}"
        link(words.count(one["members"]), f"/lists/{one['id']}/members", aria_label=label)

    def _joins(self, one: Data) -> None:
        said = "has to confirm" if one["confirmed"] else "is on it"
        if self._desk.may("edit"):
            label = f"{one['name']}: whoever joins {said}"
            link(said, f"/lists/{one['id']}/confirmation", aria_label=label)
        else:
            tag("span", said)

    def _import_card(self) -> None:
        with tag("section", "", "card", aria_labelledby="import-title"):
            tag("h2", "Import contacts", id="import-title")
            with tag("div", "", "field"):
                with tag("label", "", for_="import-file"):
                    tag("span", "CSV file")
                chooser = tag(
                    "input",
                    id="import-file",
                    type="file",
                    accept=".csv,.txt,.tsv,text/csv",
                    aria_describedby="import-hint",
                )
                chooser.on("change", self._sent, js_handler=_SEND)
                self._hint = tag("p", _HINT, "hint", id="import-hint")
            self._progress = tag("p", "", "under", role="status", hidden=True)
            self._place = tag("div", "", "stack import")

    async def _sent(self, event: GenericEventArguments) -> None:
        news = event.args
        self._progress.put(hidden=None)
        if news["state"] == "sending":
            self._place.clear()
            self._progress.say(f"Uploading … {round(100 * news['part'])} %")
            return
        if news["state"] == "failed":
            said = (
                news["body"].get("detail") or news["body"].get("message") or "The file did not arrive. Choose it again."
            )
            self._progress.say(said)
            return
        self._upload = news["body"] | {"name": news["name"], "size": news["size"]}
        self._progress.say(f"{news['name']}, {words.size(news['size'])}")
        await self._preview({})

    async def _preview(self, options: dict[str, str]) -> None:
        """Show the first rows as they would be read."""
        try:
            query = commands.PreviewImport(upload=self._upload["upload"], limit=5, **options)
            found = await self._desk.read(query)
        except (AwayError, RefusedError) as error:  # said where it was asked; another choice may do
            found = {"columns": [], "rows": [], "encoding": "", "delimiter": "", "problem": str(error)}
        self._place.clear()
        with self._place:
            self._options(found, options)
            if found.get("problem"):
                tag("p", _told(found["problem"]), "problem", role="alert")
            if found["columns"]:
                self._rows(found)
                self._mapping(found, options)

    def _options(self, found: Data, options: dict[str, str]) -> None:
        async def submit(values: Values) -> Refusal | None:
            await self._preview(
                values.given("encoding") | ({"delimiter": values.raw("delimiter")} if values.raw("delimiter") else {})
            )
            return None

        form = Form(submit, "row")
        with form:
            known = (
                f"Found: {found['encoding']}"
                if found["encoding"] and not options.get("encoding")
                else "Found by itself"
            )
            form.choice(
                "encoding", "Encoding", (("", known), *_ENCODINGS[1:]), options.get("encoding", ""), required=True
            )
            mark = {",": "comma", ";": "semicolon", "\t": "tab"}.get(found["delimiter"], "")
            known = f"Found: {mark}" if mark and not options.get("delimiter") else "Found by itself"
            form.choice(
                "delimiter",
                "Columns are separated by",
                (("", known), *_DELIMITERS[1:]),
                options.get("delimiter", ""),
                required=True,
            )
            form.buttons("Read it this way", style="plain")

    def _rows(self, found: Data) -> None:
        headers = [column["header"] for column in found["columns"]]
        listing = Listing("The first rows of the file", [Column(header or "(no name)") for header in headers], "flat")
        for row in found["rows"]:
            listing.row([*row["cells"], *[""] * len(headers)][: len(headers)])

    def _mapping(self, found: Data, options: dict[str, str]) -> None:
        async def submit(values: Values) -> Refusal | None:
            columns = {column["header"]: values[f"column-{place}"] for place, column in enumerate(found["columns"])}
            fields = {
                "upload": self._upload["upload"],
                "parts": self._upload["parts"],
                "file_name": self._upload["name"],
            }
            command = made(commands.ImportContacts, **fields, **options, list=values["list"], columns=columns)
            answer = await self._desk.tell(command, form.id)
            if answer.refusal is None:
                self._place.clear()
                with self._place:
                    self._listing = tag("div", "", "stack")
                await self._look(answer.data["upload"])
            return answer.refusal

        form = Form(submit, "wide", aliases={"columns": "column-0"})
        with form:
            form.text(
                "list",
                "Into the list",
                self._upload["name"].rsplit(".", 1)[0],
                required=True,
                maxlength=200,
                hint="Made if there is none of this name.",
            )
            with tag("details", "", "more", open=None):
                tag("summary", "Which column is what")
                with tag("div", "", "mapping"):
                    for place, column in enumerate(found["columns"]):
                        label = column["header"] or "(no name)"
                        form.text(f"column-{place}", label, column["field"], classes="bare", placeholder="left out")
                tag("p", "“email” is the address, “name” the name; everything else can be used as {{ field }}.", "hint")
            form.buttons("Import")

    async def _look(self, upload: str) -> None:
        """Say how far it is until it is done."""
        try:
            status = await self._desk.read(commands.ImportStatus(upload=upload))
        except AwayError:  # it goes on without us; looked at again
            status = {"state": "running", "rows": 0}
        with self._frame.content:
            if status["state"] in ("running", "ending"):
                self._progress.say(f"Importing … {words.many(status['rows'], 'row')}")
                later(_LOOK, lambda: self._look(upload))
                return
            self._progress.say("Imported." if status["state"] == "done" else _told(status["problem"]))
            self._place.clear()
            with self._place:
                await self._result(upload, status)
            await self._section.draw()

    async def _result(self, upload: str, status: Data) -> None:
        with tag("dl", "", "tiles"):
            for name in ("added", "updated", "unchanged", "rejected"):
                with tag("div", "", "tile"):
                    tag("dt", name.capitalize())
                    with tag("dd"):
                        tag("span", words.count(status[name]), "figure")
        if status["rejected"]:
            rows = (await self._desk.read(commands.RejectedRows(upload=upload, limit=_REJECTED)))["rows"]
            more = f", the first {len(rows)}" if status["rejected"] > len(rows) else ""
            tag("h3", f"Rejected rows{more}")
            columns = (Column("Line", "number"), Column("Column"), Column("Why", "wide"), Column("Value", "wide"))
            listing = Listing("Rejected rows", columns, "cards")
            listing.fill([(str(row["line"]), row["column"], row["reason"], row["value"]) for row in rows])


def _told(problem: object) -> str:
    return str(problem.get("message", problem)) if isinstance(problem, dict) else str(problem)


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/contacts", "Contacts")
    async def _(frame: Frame) -> None:
        await _Contacts(frame).draw()
