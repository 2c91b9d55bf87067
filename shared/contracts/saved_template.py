"""Events of a template that is kept (`evt.template.<id>`, written by the planner); what it says is in CONTENT."""

from typing import ClassVar

from shared.contracts.envelope import DomainEvent


class TemplateSaved(DomainEvent):
    """It is kept as it stands in CONTENT under this hash, in place of what it was."""

    TYPE: ClassVar[str] = "template.saved/1"

    name: str
    content: str
    subject: str = ""


class TemplateDeleted(DomainEvent):
    """It is offered no more. Mailings made from it have content of their own."""

    TYPE: ClassVar[str] = "template.deleted/1"


EVENTS = (TemplateSaved, TemplateDeleted)
