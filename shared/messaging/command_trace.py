"""A command as a span: in the trace of its mailing, and in the caller's where the caller traces.

The command that brings a mailing into being is the root of its trace, all others hang below it. A caller that names its
own place (`traceparent`: a header, of NATS as of HTTP) finds the command there too, with a link to the mailing.
"""

from typing import Any

from shared import tracing
from shared.contracts.commands import Answer

_OURS = frozenset({"internal", "unavailable", "unknown_outcome"})
"""Refusals that are not the caller's fault."""


def trace_command(name: str, asked: dict[str, Any], answer: Answer, traceparent: str, began: int) -> None:
    """Record the command `name` with the body `asked`, answered just now."""
    code = answer.refusal.code if answer.refusal else "ok"
    failed = code in _OURS
    mailing, made = str(asked.get("mailing", "")), str(answer.data.get("mailing", ""))
    place, parent = tracing.some(), None
    if mailing:
        parent = tracing.whole(mailing)
        place = tracing.some(parent)
    elif made:
        place = tracing.whole(made)
    links = [tracing.whole(str(answer.data["test"]))] if "test" in answer.data else []
    theirs = tracing.caller(traceparent)
    if theirs is not None:
        links.append(theirs)
        called = tracing.some(theirs)
        tracing.record(
            *(name, began, called),
            kind="server",
            parent=theirs,
            links=[place],
            failed=failed,
            always=True,
            what={"outcome": code},
        )
    tracing.record(name, began, place, kind="server", parent=parent, links=links, failed=failed, what={"outcome": code})
