"""When a mailing stops by itself: shares of refused mails and of complaints, in percent as people say them."""

from pydantic import BaseModel, Field

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made, more
from services.reporting.console.html import tag
from shared.contracts.mailing_settings import StopRules

_SHARES = (
    ("bounces", "Wrong addresses, in percent", "Refused because the address is at fault."),
    ("errors", "Other refusals, in percent", "Refused for any other reason."),
    ("complaints", "Complaints, in percent", "People who told their provider it was spam."),
)


class _Percents(BaseModel):
    """What a form holds; names and limits are those of the rules, times a hundred."""

    after: int = Field(ge=1, le=1_000_000)
    bounces: float | None = Field(default=None, ge=0, le=100)
    errors: float | None = Field(default=None, ge=0, le=100)
    complaints: float | None = Field(default=None, ge=0, le=100)


def stop_fields(form: Form, found: Data) -> None:
    """Add the fields. A mailing of long ago has no rules: it never stops by itself."""
    rules = found["stop"] or StopRules(bounces=None, errors=None).model_dump()
    with more("When it stops by itself", shown=rules != StopRules().model_dump()):
        tag("p", "It is paused where more of its mails than this fail; empty means never.", "hint")
        with tag("div", "", "pair"):
            for name, label, hint in _SHARES:
                share = rules[name]
                text = "" if share is None else f"{100 * share:g}"
                form.text(name, label, text, inputmode="decimal", hint=hint)
            after = "Nothing is judged before."
            form.text("after", "Once so many were answered", rules["after"], required=True, type="number", hint=after)


def stop_of(values: Values) -> StopRules:
    """Return the rules that a form with these fields holds."""
    given: _Percents = made(_Percents, **values.given("after", *(name for name, *_ in _SHARES)))
    shares = {name: None if (part := getattr(given, name)) is None else round(part / 100, 6) for name, *_ in _SHARES}
    return StopRules(after=given.after, **shares)
