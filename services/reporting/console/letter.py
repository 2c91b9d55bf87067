"""What a mail says, to be written: subject, HTML and text with a preview beside them, on every page that has them."""

from collections.abc import Callable

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values
from services.reporting.console.html import tag
from services.reporting.console.preview import preview

SAMPLE = """<p>Hello {{ name | default("there") }},</p>
<p><a href="https://example.com/">See what is new</a></p>
"""
"""What a mailing says before somebody wrote it."""


def letter_fields(form: Form, said: Data, below: Callable[[], None] | None = None) -> None:
    """Add the fields; `below` draws what stands below the subject."""
    hint = "Placeholders work: {{ name }}"
    form.text("subject", "Subject", said.get("subject", ""), required=True, maxlength=900, hint=hint)
    if below is not None:
        below()
    form.area("html", "HTML", said.get("html", ""), rows=14, spellcheck=False, classes="code-field")
    form.area("text", "Text", said.get("text", ""), rows=5, hint="Made from the HTML if empty.")


def letter_of(values: Values) -> dict[str, str]:
    """Return what a form with these fields says."""
    return {"subject": values["subject"], "html": values.raw("html"), "text": values.raw("text")}


class PreviewCard:
    """The card beside the fields."""

    def __init__(self) -> None:
        with tag("section", "", "card preview-card", aria_label="Preview", tabindex="-1"):
            tag("h2", "Preview")
            self._mail = tag("div", "", "stack")
            self._hint = tag("p", "", "hint")
            self.below = tag("div", "", "stack")

    def sample(self, said: Data) -> None:
        """Show it with sample values."""
        self._show(said, "With sample values, and without images. A test mail shows it as it is.")

    def real(self, said: Data) -> None:
        """Show it as somebody would get it."""
        self._show(said, f"As {said['to']} would get it, as it was saved. Links count no clicks here.")

    def _show(self, said: Data, hint: str) -> None:
        self._mail.clear()
        with self._mail:
            preview(said.get("subject", ""), said.get("html", ""), said.get("text", ""))
        self._hint.say(hint)
