"""What a mailing says beside its letter: preheader, further header fields, the zone of its dates, and its styles."""

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, more
from shared.contracts.commands import Refusal


def preheader_field(form: Form, said: Data) -> None:
    """Add the field of the preheader."""
    hint = "What lists of mails show behind the subject. It is hidden in the HTML; other languages have none."
    form.text("preheader", "Preheader", said.get("preheader", ""), maxlength=250, hint=hint)


def detail_fields(form: Form, found: Data) -> None:
    """Add the others."""
    headers = "\n".join(f"{name}: {value}" for name, value in found["headers"].items())
    with more("Styles, time zone, header fields", shown=bool(headers or found["zone"])):
        text = "Write the rules of its style sheets into the elements: some mail programs read no style sheets"
        form.box("inline_css", "Styles", text)
        hint = "Such as Europe/Athens; UTC if empty."
        form.text("zone", "Time zone of {{ today }} and {{ now }}", found["zone"], maxlength=64, hint=hint)
        hint = "One a line, such as X-Project: Spring."
        form.area("headers", "Further header fields", headers, rows=3, hint=hint, spellcheck=False)


def details_of(values: Values) -> Data | Refusal:
    """Return what a form with these fields says."""
    headers = {}
    for line in filter(None, map(str.strip, values.raw("headers").splitlines())):
        name, colon, value = line.partition(":")
        if not colon:
            message = f"Write a header field like “Name: value”, not {line[:80]!r}."
            return Refusal(code="header_not_allowed", message=message, field="headers")
        headers[name.strip()] = value.strip()
    styles = {"inline_css": True} if values["inline_css"] == "yes" else {}
    return {"preheader": values["preheader"], "zone": values["zone"], "headers": headers, **styles}
