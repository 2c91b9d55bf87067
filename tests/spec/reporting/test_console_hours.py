"""What a form of the console does not show, or nobody changed in it, stays as it was."""

import pytest
from nicegui import Client
from nicegui.page import page

from services.reporting.console.form import Form, Values
from services.reporting.console.hours import hours_fields, hours_of, hours_problem
from services.reporting.console.html import Tag
from services.reporting.console.pages.series_form import says
from services.reporting.console.rhythms import rhythm_fields, rhythm_of
from shared.contracts.commands import Refusal
from shared.contracts.mailing_settings import SendingHours
from shared.contracts.series import Rhythm

EVERY_DAY = [0, 1, 2, 3, 4, 5, 6]


def _sent(form: Form) -> Values:
    """Return what a browser sends of a form as it was drawn."""
    boxes = [each for each in form.element.descendants() if isinstance(each, Tag) and "name" in each.props]
    pairs = []
    for each in boxes:
        if each.tag == "select":
            pairs += [(each.props["name"], one.props["value"]) for one in each if one.props.get("selected")]
        elif each.props.get("type") != "checkbox":
            pairs.append((each.props["name"], each.props["^value"]))
        elif each.props.get("^checked"):
            pairs.append((each.props["name"], each.props["value"]))
    return Values(pairs)


@pytest.fixture
def form() -> Form:
    """Return a form on a page that nobody looks at."""

    async def nothing(_values: Values) -> None:
        return None

    with Client(page("/"), request=None):
        return Form(nothing)


def _hours(*spans: tuple[str, str], **more: object) -> SendingHours:
    first, *others = [{"start": start, "end": end} for start, end in spans]
    return SendingHours.model_validate({**first, "more": others, **more})


@pytest.mark.parametrize(
    "hours",
    [
        _hours(("08:00", "12:00")),
        _hours(("08:00", "12:00"), ("13:00", "18:00"), weekdays=[0, 4]),
        _hours(*((f"{hour:02}:00", f"{hour + 1:02}:00") for hour in range(6, 18, 2))),
        _hours(("08:00:30", "12:00:00.250"), ("23:59:59", "00:00"), holidays=["CZ"], closed=["2026-12-31"]),
    ],
)
def test_hours_that_nobody_changed_are_the_same(form: Form, hours: SendingHours) -> None:
    """Every window there is has its fields, to the second."""
    with form:
        hours_fields(form, hours)
    assert hours_problem(_sent(form)) is None
    assert SendingHours.model_validate(hours_of(_sent(form))) == hours


def test_a_rhythm_that_nobody_changed_is_the_same(form: Form) -> None:
    """Seconds of its time as well."""
    rhythm = Rhythm.model_validate({"every": "week", "at": "09:30:15", "weekdays": [1, 3], "zone": "Europe/Vienna"})
    with form:
        rhythm_fields(form, rhythm.model_dump(mode="json"), "UTC")
    assert Rhythm.model_validate(rhythm_of(_sent(form))) == rhythm


def test_a_window_that_was_emptied_is_gone() -> None:
    """The others stay as they are; half a window is refused where it is."""
    days = [("days", str(day)) for day in EVERY_DAY]
    typed = [("from", ""), ("until", ""), ("from_2", "13:00"), ("until_2", "18:00"), ("from_3", ""), ("until_3", "")]
    assert SendingHours.model_validate(hours_of(Values([*typed, *days]))) == _hours(("13:00", "18:00"))
    assert hours_of(Values(days)) is None
    refused = hours_problem(Values([*typed[:5], ("until_3", "19:00")]))
    assert isinstance(refused, Refusal)
    assert refused.field == "from_3"


def test_an_own_subject_beside_a_template_stays() -> None:
    """Another template says everything anew; the same one, nothing."""
    draft = {"template": "t1", "subject": "Ours", "html": "", "text": "Hello", "name": "News"}
    assert says(draft, "t1") == draft
    assert says(draft, "t2") == draft | {"template": "t2", "subject": "", "text": ""}
    assert says(draft, "") == draft | {"template": ""}
