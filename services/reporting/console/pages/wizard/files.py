"""Files that go with every mail: chosen one by one, saved with the letter, whose HTML says which are shown in it."""

from mimetypes import guess_type

from nicegui.events import GenericEventArguments

from services.reporting.console import words
from services.reporting.console.desk import Data, Desk
from services.reporting.console.form import Form, Values, more
from services.reporting.console.html import Tag, tag
from shared.contracts.commands import Refusal

_SEND = "(e) => { if (e.target.files.length) sendFile(e.target.files[0], emit); e.target.value = ''; }"
_LEAD = 'Attachments, and images of the HTML: an image that is called logo is shown by <img src="cid:logo">.'


class Files:
    """The part of the form; what was there before, and what was chosen since the page was opened."""

    def __init__(self, desk: Desk, files: list[Data]) -> None:
        self._desk = desk
        self._files = [{key: value for key, value in file.items() if key != "size"} for file in files]
        self._sizes = [int(file["size"]) for file in files]

    def draw(self, form: Form) -> None:
        """Draw the files and the way to add one."""
        self._form = form
        with more("Attachments and images", shown=bool(self._files)):
            tag("p", _LEAD, "hint")
            self._place = tag("div", "", "form")
            for place in range(len(self._files)):
                self._row(place)
            if self._desk.may("add_recipient"):
                self._chooser()
            else:
                tag("p", "To add one you need the permission “add recipient”.", "under")

    def _chooser(self) -> None:
        name = f"file-{self._form.id}"
        with tag("div", "", "field"):
            with tag("label", "", for_=name):
                tag("span", "Add a file")
            tag("input", id=name, type="file").on("change", self._sent, js_handler=_SEND)
            self._said: Tag = tag("p", "", "hint", role="status", hidden=True)

    async def _sent(self, event: GenericEventArguments) -> None:
        news = event.args
        self._said.put(hidden=None)
        if news["state"] == "sending":
            self._said.say(f"Uploading … {round(100 * news['part'])} %")
            return
        if news["state"] == "failed":
            body = news["body"]
            self._said.say(body.get("detail") or body.get("message") or "The file did not arrive. Choose it again.")
            return
        kind = guess_type(news["name"])[0] or "application/octet-stream"
        sent = {"upload": news["body"]["upload"], "parts": news["body"]["parts"]}
        self._files.append({"file_name": news["name"], "media_type": kind, "content_id": "", **sent})
        self._sizes.append(int(news["size"]))
        self._row(len(self._files) - 1)
        self._said.say(f"{news['name']} is there. Save to keep it.")

    def _row(self, place: int) -> None:
        file = self._files[place]
        with self._place, tag("div", "", "pair file"):
            name = file["file_name"]
            self._form.box(f"file_{place}", "File", f"{name} ({words.size(self._sizes[place])})", checked=True)
            label = f"Name in the HTML: {name}"
            self._form.text(f"cid_{place}", label, file["content_id"], maxlength=100, placeholder="none: attached")

    def said(self, values: Values) -> list[Data]:
        """Return the files that a form holds, as the command takes them."""
        return [self._files[place] | {"content_id": values[f"cid_{place}"]} for place in self._kept(values)]

    def _kept(self, values: Values) -> list[int]:
        return [place for place in range(len(self._files)) if values[f"file_{place}"] == "yes"]

    def placed(self, refusal: Refusal, values: Values) -> Refusal:
        """Return what is wrong with the files at the field of the file that it is about."""
        head, _, rest = refusal.field.partition(".")
        kept = self._kept(values)
        if head != "attachments" or not kept:
            return refusal
        number = rest.partition(".")[0]
        named = [place for place in kept if values[f"cid_{place}"]]
        place = kept[int(number)] if number.isdecimal() and int(number) < len(kept) else [*named, *kept][0]
        return refusal.model_copy(update={"field": f"cid_{place}"})
