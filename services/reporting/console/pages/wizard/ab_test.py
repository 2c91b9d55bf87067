"""Which part of the audience tries the versions of an A/B test, and how the winner is chosen."""

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values
from services.reporting.console.html import tag
from services.reporting.console.pages.wizard.steps import Step
from services.reporting.console.written import replaced
from shared.contracts.commands import Refusal

_BY = (("clicks", "Clicks of people"), ("opens", "Opens by people"), ("hand", "By hand, on the page of the mailing"))
_ALIASES = {"ab_test.percent": "percent", "ab_test.recipients": "recipients", "ab_test.wait_minutes": "wait_minutes"}


class AbTest:
    """The card; there while the draft has other versions."""

    def __init__(self, step: Step, found: Data) -> None:
        self._step = step
        self._found = found

    def draw(self) -> None:
        """Draw it."""
        test = self._found["ab_test"]
        if not test:
            return
        with tag("section", "", "card", aria_labelledby="ab-test"):
            tag("h2", "A/B test", id="ab-test")
            self._form = Form(self._save, "wide", aliases=_ALIASES)
            with self._form as form:
                with tag("div", "", "pair"):
                    hint = "Of the audience; or so many:"
                    form.text("percent", "Sample in percent", _number(test["percent"]), inputmode="decimal", hint=hint)
                    form.text("recipients", "Recipients of the sample", test["recipients"] or "", inputmode="numeric")
                with tag("div", "", "pair"):
                    form.choice("by", "The winner has most", _BY, test["by"], required=True)
                    wait = _number(test["wait_minutes"])
                    hint = "After the sample was sent."
                    form.text("wait_minutes", "Minutes to wait", wait, required=True, inputmode="decimal", hint=hint)
                form.buttons("Save the test", style="plain")

    async def _save(self, values: Values) -> Refusal | None:
        wanted = {"percent": None, "recipients": None} | values.given("percent", "recipients", "by", "wait_minutes")
        changes = {"ab_test": {"versions": self._found["ab_test"]["versions"]} | wanted}
        refusal = await replaced(self._step.desk, self._found, self._form.id, **changes)
        if refusal is None:
            self._step.go("content")
        return refusal


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
