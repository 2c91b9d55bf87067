"""Dialogs: the browser's own, so that Escape closes them and the focus stays inside and comes back."""

from collections.abc import Callable
from dataclasses import dataclass

from nicegui import ui

from services.reporting.console.form import Form, Submit, Values
from services.reporting.console.html import Tag, tag
from shared.contracts.commands import Refusal


@dataclass(frozen=True)
class Question:
    """What a dialog asks.

    Attributes:
        title: The question.
        text: What comes of it, "" where that is plain.
        do: Label of the button that does it.
        style: Classes of the buttons, e.g. `danger`.
        fields: Draws the fields of its form.
    """

    title: str
    text: str
    do: str
    style: str = ""
    fields: Callable[[Form], None] | None = None


def dialog_button(label: str, question: Question, submit: Submit) -> Tag:
    """Draw a button that opens a dialog with a form; what the form refuses is shown in it, else it closes."""
    with tag("dialog", "", "", aria_label=question.title) as dialog:
        tag("h2", question.title)
        if question.text:
            tag("p", question.text)

        async def closing(values: Values) -> Refusal | None:
            refusal = await submit(values)
            if refusal is None:
                ui.run_javascript(f"document.getElementById('{dialog.html_id}')?.close()")
            return refusal

        form = Form(closing)
        with form:
            if question.fields is not None:
                question.fields(form)
            form.buttons(question.do, style=question.style.replace("small", "").strip(), closes="Not now")
    opens = f"() => document.getElementById('{dialog.html_id}').showModal()"
    button = tag("button", label, f"button {question.style}".strip(), type="button")
    return button.on("click", js_handler=opens)
