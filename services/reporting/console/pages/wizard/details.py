"""What a mailing says beside its letter: preheader, further header fields, the zone of its dates, and its styles."""

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, more
from services.reporting.console.headers import HINT, headers_of, headers_told
from shared.contracts.commands import Refusal


def preheader_field(form: Form, said: Data) -> None:
    """Add the field of the preheader."""
    hint = "What lists of mails show behind the subject. It is hidden in the HTML; other languages have none."
    form.text("preheader", "Preheader", said.get("preheader", ""), maxlength=250, hint=hint)


def detail_fields(form: Form, found: Data) -> None:
    """Add the others."""
    headers = headers_told(found["headers"])
    with more("Styles, time zone, header fields", shown=bool(headers or found["zone"])):
        text = "Write the rules of its style sheets into the elements: some mail programs read no style sheets"
        form.box("inline_css", "Styles", text)
        hint = "Such as Europe/Athens; UTC if empty."
        form.text("zone", "Time zone of {{ today }} and {{ now }}", found["zone"], maxlength=64, hint=hint)
        form.area("headers", "Further header fields", headers, rows=3, hint=HINT, spellcheck=False)


def details_of(values: Values) -> Data | Refusal:
    """Return what a form with these fields says."""
    headers = headers_of(values.raw("headers"))
    if isinstance(headers, Refusal):
        return headers
    styles = {"inline_css": True} if values["inline_css"] == "yes" else {}
    return {"preheader": values["preheader"], "zone": values["zone"], "headers": headers, **styles}
