"""Dialogs: the browser's own, so that Escape closes them and the focus stays inside and comes back."""

from collections.abc import Callable

from nicegui import ui

from services.reporting.console.form import Form, Submit
from services.reporting.console.html import Tag, tag


def dialog_button(
    label: str,
    title: str,
    text: str,
    submit: Submit,
    do: str,
    *,
    style: str = "",
    fields: Callable[[Form], None] | None = None,
) -> Tag:
    """Draw a button that opens a dialog with a form; what the form refuses is shown in it, else it closes."""
    with tag("dialog", "", "", aria_label=title) as dialog:
        tag("h2", title)
        if text:
            tag("p", text)

        async def closing(values):  # noqa: ANN001, ANN202 - as Submit
            refusal = await submit(values)
            if refusal is None:
                ui.run_javascript(f"document.getElementById('{dialog.html_id}')?.close()")
            return refusal

        form = Form(closing)
        with form:
            if fields is not None:
                fields(form)
            form.buttons(do, style=style, closes="Not now")
    opens = f"() => document.getElementById('{dialog.html_id}').showModal()"
    return tag("button", label, f"button {style}".strip(), type="button").on("click", js_handler=opens)
