"""Forms: native fields with labels, sent as one, with what is wrong said next to the field at fault.

The browser keeps what is typed; the values come at once when the form is sent, by Enter or by its button. A `Refusal`
goes to the field it names (or to the foot of the form), and that field is focused. The values stay.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from nicegui import ui
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, ValidationError

from services.reporting.console.html import Tag, tag
from shared.contracts.commands import Refusal
from shared.ids import new_id

_SEND = (
    "(e) => { e.preventDefault(); "
    "emit([...new FormData(e.target, e.submitter)].filter((pair) => typeof pair[1] === 'string')); }"
)
_CLOSE = "(e) => e.target.closest('dialog').close()"


@dataclass(frozen=True)
class Values:
    """What was sent."""

    pairs: list[tuple[str, str]] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return next((value.strip() for key, value in self.pairs if key == name), "")

    def raw(self, name: str) -> str:
        """Return a value with its white space."""
        return next((value for key, value in self.pairs if key == name), "")

    def all(self, name: str) -> list[str]:
        """Return all values of a field with several."""
        return [value for key, value in self.pairs if key == name]

    def given(self, *names: str) -> dict[str, str]:
        """Return those of the fields that are not empty."""
        return {name: self[name] for name in names if self[name]}


Submit = Callable[[Values], Awaitable[Refusal | None]]


@dataclass
class _Field:
    control: Tag
    problem: Tag
    required: bool


class Form:
    """One form. Add fields inside `with form:`, then `form.buttons(...)`.

    Attributes:
        id: Makes what is sent twice from this form the same command.
    """

    def __init__(self, submit: Submit, classes: str = "", *, aliases: Mapping[str, str] | None = None) -> None:
        self.id = new_id()
        self._submit = submit
        self._aliases = dict(aliases or {})
        self._fields: dict[str, _Field] = {}
        self._buttons: list[Tag] = []
        self._busy = False
        self.element = tag(
            "form", "", f"form {classes}".strip(), novalidate=True, autocomplete="off", id=f"f-{self.id}"
        )
        self.element.on("submit", self._sent, js_handler=_SEND)
        self._problem: Tag | None = None

    def __enter__(self) -> Self:
        self.element.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.element.__exit__(*exc)

    def text(
        self,
        name: str,
        label: str,
        value: object = "",
        *,
        required: bool = False,
        hint: str = "",
        classes: str = "",
        **attributes: Any,  # noqa: ANN401 - attributes of the input
    ) -> Tag:
        """Add an input; `type` and others are its attributes."""
        return self._add(
            "input",
            name,
            label,
            required=required,
            hint=hint,
            classes=classes,
            attributes={"type": "text", **attributes, "^value": str(value)},
        )

    def area(
        self,
        name: str,
        label: str,
        value: str = "",
        *,
        required: bool = False,
        hint: str = "",
        classes: str = "",
        **attributes: Any,  # noqa: ANN401 - as above
    ) -> Tag:
        """Add a field for several lines."""
        control = self._add(
            "textarea", name, label, required=required, hint=hint, classes=classes, attributes={"rows": 6, **attributes}
        )
        control.say(value)
        return control

    def choice(
        self,
        name: str,
        label: str,
        options: Iterable[tuple[str, str]],
        value: str = "",
        *,
        required: bool = False,
        hint: str = "",
        classes: str = "",
    ) -> Tag:
        """Add a list to choose one from."""
        control = self._add("select", name, label, required=required, hint=hint, classes=classes, attributes={})
        with control:
            for key, shown in options:
                tag("option", shown, value=key, selected=True if key == value else None)
        return control

    def checks(
        self,
        name: str,
        label: str,
        options: Iterable[tuple[str, str]],
        chosen: Iterable[str] = (),
        *,
        classes: str = "",
    ) -> None:
        """Add boxes to tick, as one group."""
        wanted = set(chosen)
        with tag("fieldset", "", f"checks {classes}".strip(), data_field=name) as group:
            tag("legend", label)
            for key, shown in options:
                with tag("label", "", "check"):
                    tag("input", type="checkbox", name=name, value=key, **{"^checked": True if key in wanted else None})
                    tag("span", shown)
            problem = self._problem_of(name)
        self._fields[name] = _Field(group, problem, required=False)

    def box(self, name: str, label: str, text: str, *, checked: bool = False) -> None:
        """Add one box to tick; its value is "yes" where it is."""
        self.checks(name, label, [("yes", text)], ["yes"] if checked else [])

    def buttons(self, *labels: tuple[str, str] | str, style: str = "", closes: str = "") -> None:
        """Add the button that sends; of several, each is (value, label) and sends itself as `do`.

        Args:
            labels: What stands on them.
            style: Further classes of the first one; "plain" where something else on the page matters more.
            closes: Label of a button that closes the dialog around the form; "" for none.
        """
        self._problem = tag("p", "", "problem form-problem", role="alert", hidden=True)
        with tag("div", "", "buttons"):
            for place, spelled in enumerate(labels):
                value, label = ("", spelled) if isinstance(spelled, str) else spelled
                classes = "button" if place or style == "plain" else f"button primary {style}".strip()
                self._buttons.append(tag("button", label, classes, type="submit", name="do", value=value))
            if closes:
                tag("button", closes, "button quiet", type="button").on("click", js_handler=_CLOSE)

    def _add(
        self, kind: str, name: str, label: str, *, required: bool, hint: str, classes: str, attributes: dict[str, Any]
    ) -> Tag:
        control_id = f"f-{self.id}-{name}"
        described = [f"{control_id}-problem"] + ([f"{control_id}-hint"] if hint else [])
        with tag("div", "", f"field {classes}".strip()):
            with tag("label", "", for_=control_id):
                tag("span", label)
                if not required and classes != "bare":
                    tag("span", "optional", "optional")
            control = Tag(
                kind,
                "",
                "",
                {
                    "id": control_id,
                    "name": name,
                    "aria-required": "true" if required else None,
                    "aria-describedby": " ".join(described),
                    **attributes,
                },
            )
            if hint:
                tag("p", hint, "hint", id=f"{control_id}-hint")
            problem = self._problem_of(name)
        self._fields[name] = _Field(control, problem, required)
        return control

    def _problem_of(self, name: str) -> Tag:
        return tag("p", "", "problem", id=f"f-{self.id}-{name}-problem", hidden=True)

    async def _sent(self, event: GenericEventArguments) -> None:
        if self._busy:
            return
        values = Values([(str(name), str(value)) for name, value in event.args])
        self._clear()
        missing = [name for name, one in self._fields.items() if one.required and not values[name]]
        if missing:
            for name in missing:
                self._show(name, "Please fill this in.")
            self._focus(missing[0])
            return
        self._working(busy=True)
        try:
            refusal = await self._submit(values)
        except ValidationError as error:  # shown at the field, as the API would
            refusal = _invalid(error)
        finally:
            self._working(busy=False)
        if refusal is not None:
            self.refuse(refusal)

    def refuse(self, refusal: Refusal) -> None:
        """Show what is wrong, next to its field where it has one."""
        name = self._place_of(refusal.field)
        line = f" (line {refusal.line})" if refusal.line and "line" not in refusal.message else ""
        message = refusal.message[:1].upper() + refusal.message[1:] + line
        if name in self._fields:
            self._show(name, message)
            self._focus(name)
        elif self._problem is not None:
            self._problem.say(message)
            self._problem.put(hidden=None)

    def _place_of(self, path: str) -> str:
        """Return the field for a path: its last part, or what stands for the path or a beginning of it."""
        parts = path.split(".")
        names = [path, parts[-1], *(".".join(parts[:most]) for most in range(len(parts) - 1, 0, -1))]
        places = [self._aliases.get(name, name) for name in names]
        return next((place for place in places if place in self._fields), path)

    def _show(self, name: str, message: str) -> None:
        one = self._fields[name]
        one.problem.say(message)
        one.problem.put(hidden=None)
        one.control.put(aria_invalid="true")

    def _focus(self, name: str) -> None:
        ui.run_javascript(f"setTimeout(() => focusField('f-{self.id}', '{name}'))")

    def _clear(self) -> None:
        for one in self._fields.values():
            one.problem.put(hidden=True)
            one.control.put(aria_invalid=None)
        if self._problem is not None:
            self._problem.put(hidden=True)

    def _working(self, *, busy: bool) -> None:
        self._busy = busy
        for button in self._buttons:
            button.put(aria_disabled="true" if busy else None)


@contextmanager
def more(summary: str, *, shown: bool = False) -> Iterator[None]:
    """Draw fields that are seldom needed: folded away, unless they hold something."""
    with tag("details", "", "more", open=True if shown else None):
        tag("summary", summary)
        with tag("div", "", "form"):
            yield


def words_of(text: str) -> list[str]:
    """Return what was typed as a list, whether by commas or white space."""
    return text.replace(",", " ").split()


def _invalid(error: ValidationError) -> Refusal:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return Refusal(code="invalid", message=first["msg"], field=".".join(str(part) for part in first["loc"]))


def made(model: type[BaseModel], **fields: Any) -> Any:  # noqa: ANN401 - an instance of `model`
    """Return the command; what does not fit raises `ValidationError`, which the form shows."""
    return model.model_validate(fields)
