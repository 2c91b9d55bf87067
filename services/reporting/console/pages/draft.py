"""Writing a mailing: campaign, account, sender, subject, HTML and text, with a preview; the same form edits a draft."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import tag
from services.reporting.console.pages.accounts import limits_of
from services.reporting.console.preview import preview
from shared.contracts import commands
from shared.contracts.commands import Refusal
from shared.languages import known

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_HTML = """<p>Hello {{ name | default("there") }},</p>
<p><a href="https://example.com/">See what is new</a></p>
"""
_TRACKING = (("person", "Per person"), ("anonymous", "In sum only"), ("off", "Off"))
_DOUBT = (("hold", "Hold it for a decision"), ("resend", "Send it again"))
_RETRY = (
    ("3600", "One hour"),
    ("21600", "Six hours"),
    ("86400", "One day"),
    ("259200", "Three days"),
    ("604800", "A week"),
)
_KEPT = ("stop", "batch", "recipient_time", "notify", "notify_url", "zone", "ab_test", "preheader")
_TEXTS = (
    "campaign",
    "name",
    "account",
    "sender_name",
    "sender_address",
    "reply_to",
    "language",
    "subject",
    "doubt",
    "tracking",
    "retry_for",
)


class _Draft:
    """The form, empty or with what was written."""

    def __init__(self, frame: Frame, mailing: str = "") -> None:
        self._frame = frame
        self._desk = frame.desk
        self._mailing = mailing
        self._kept: dict[str, object] = {}  # what the form does not show

    async def draw(self) -> None:
        """Draw it, or what has to be there first."""
        campaigns = [one for one in (await self._desk.read(commands.Campaigns()))["campaigns"] if self._takes(one)]
        accounts = (await self._desk.read(commands.Accounts()))["accounts"]
        working = [account for account in accounts if account["working"]]
        heading("Edit the mailing" if self._mailing else "New mailing")
        if not campaigns:
            nothing("There is no campaign yet", "A mailing belongs to one.", "Open a campaign", "/campaigns/new")
        elif not working:
            nothing(
                "No account works yet", "A mailing goes out through a tested account.", "To the accounts", "/accounts"
            )
        else:
            written = await self._desk.read(commands.Draft(mailing=self._mailing)) if self._mailing else {}
            if written:
                files = [{k: v for k, v in file.items() if k != "size"} for file in written["attachments"]]
                self._kept = {"headers": written["headers"], "attachments": files}
                self._kept |= {
                    name: written[name]
                    for name in (
                        "stop",
                        "batch",
                        "recipient_time",
                        "notify",
                        "notify_url",
                        "zone",
                        "ab_test",
                        "preheader",
                    )
                    if written.get(name)
                }
                said = {k: {f: v[f] for f in ("subject", "html", "text")} for k, v in written["variants"].items()}
                self._kept |= {"variants": said} if said else {}
            self._form_of(campaigns, working, written)

    def _takes(self, campaign: Data) -> bool:
        """Tell whether a campaign takes mailings, or has the one that is shown."""
        today = datetime.now(UTC).date().isoformat()
        return bool(self._mailing) or (campaign["status"] == "open" and (campaign["ends_on"] or "9") > today)

    def _form_of(self, campaigns: list[Data], accounts: list[Data], written: Data) -> None:
        wanted = str(ui.context.client.request.query_params.get("campaign", "")) or campaigns[0]["campaign"]
        senders = list(dict.fromkeys(address for account in accounts for address in account["senders"]))
        limits = written.get("limits", {"per_hour": None, "seconds_between": None})
        with tag("div", "", "columns"):
            self._form = Form(self._submit, "card wide", aliases={"limits": "per_hour"})
            with self._form as form:
                with tag("div", "", "pair"):
                    form.text(
                        "name",
                        "Name",
                        written.get("name", ""),
                        required=True,
                        maxlength=200,
                        hint="Recipients do not see it.",
                    )
                    options = [(one["campaign"], one["name"]) for one in campaigns]
                    form.choice("campaign", "Campaign", options, str(written.get("campaign", wanted)), required=True)
                with tag("div", "", "pair"):
                    form.text("sender_name", "Sender name", written.get("sender_name", ""), maxlength=200)
                    form.text(
                        "sender_address",
                        "Sender address",
                        written.get("sender_address", senders[0]),
                        required=True,
                        list=f"senders-{form.id}",
                    )
                with tag("datalist", id=f"senders-{form.id}"):
                    for address in senders:
                        tag("option", value=address)
                form.text(
                    "subject",
                    "Subject",
                    written.get("subject", ""),
                    required=True,
                    maxlength=900,
                    hint="Placeholders work: {{ name }}",
                )
                form.area("html", "HTML", written.get("html", _HTML), rows=14, spellcheck=False, classes="code-field")
                form.area("text", "Text", written.get("text", ""), rows=5, hint="Made from the HTML if empty.")
                with tag("details", "", "more"):
                    tag("summary", "Account, rate, tracking")
                    with tag("div", "", "form"):
                        names = [(one["account"], one["name"]) for one in accounts]
                        form.choice(
                            "account", "Account", names, str(written.get("account", names[0][0])), required=True
                        )
                        form.text("reply_to", "Answers go to", written.get("reply_to", ""), type="email")
                        spoken = [("", "As the browser likes"), *((one.code, one.name) for one in known().values())]
                        form.choice("language", "Unsubscribe link and pages", spoken, written.get("language", ""))
                        with tag("div", "", "pair"):
                            form.text(
                                "per_hour", "Mails an hour at most", limits["per_hour"] or "", type="number", min=1
                            )
                            form.text(
                                "seconds_between",
                                "Seconds between mails",
                                limits["seconds_between"] or "",
                                type="number",
                                min=0,
                                step="any",
                            )
                        with tag("div", "", "pair"):
                            form.choice(
                                "tracking",
                                "Opens and clicks",
                                _TRACKING,
                                written.get("tracking", "person"),
                                required=True,
                            )
                            form.choice(
                                "doubt",
                                "A mail whose fate is unknown",
                                _DOUBT,
                                written.get("doubt", "hold"),
                                required=True,
                            )
                        form.choice(
                            "retry_for",
                            "Deferred mails are tried for",
                            _RETRY,
                            str(written.get("retry_for", 86_400)),
                            required=True,
                        )
                form.buttons(("save", "Save the draft"), ("preview", "Preview"))
            self._preview = tag("section", "", "card preview-card", aria_label="Preview", tabindex="-1")
        self._show(written.get("subject", ""), written.get("html", _HTML), written.get("text", ""))

    async def _submit(self, values: Values) -> Refusal | None:
        if values["do"] == "preview":
            self._show(values["subject"], values.raw("html"), values.raw("text"))
            return None
        fields = {
            **self._kept,
            **values.given(*_TEXTS),
            "html": values.raw("html"),
            "text": values.raw("text"),
            "limits": limits_of(values),
            **self._kept,
        }
        model = commands.EditMailing if self._mailing else commands.DraftMailing
        command = made(model, **fields, **({"mailing": self._mailing} if self._mailing else {}))
        answer = await self._desk.tell(command, self._form.id)
        if answer.refusal is None:
            ui.navigate.to(f"/mailings/{answer.data['mailing']}?at={answer.position}")
        return answer.refusal

    def _show(self, subject: str, html: str, text: str) -> None:
        self._preview.clear()
        with self._preview:
            tag("h2", "Preview")
            preview(subject, html, text)
            tag("p", "With sample values, and without images from elsewhere. A test mail shows it as it is.", "hint")


def register(console: "Console") -> None:
    """Register the pages."""

    @console.page("/mailings/new", "New mailing", "create", here="/")
    async def _(frame: Frame) -> None:
        await _Draft(frame).draw()

    @console.page("/mailings/{mailing}/edit", "Edit mailing", "edit", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        await _Draft(frame, mailing).draw()
