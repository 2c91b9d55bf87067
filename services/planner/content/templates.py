"""Templates that are kept: saved, listed, shown, deleted, and taken as what a mailing or a single mail says.

What a template says is an object in CONTENT by its hash, its name and history an entity in the log. Its syntax is
checked when it is saved; whether contacts have its fields, when it is used. A mailing copies what it takes, so a later
change of the template changes no mailing.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any, TypeVar

from services.planner.audience.freezing import digest
from services.planner.content import tracking_urls
from services.planner.content.saved_template import NO_TEMPLATE, Delete, Save, SavedTemplate, SavedTemplateDecider
from services.planner.idempotency import Act
from services.planner.parts import Parts
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, DraftMailing, LanguageVariant, Refusal, SendMail
from shared.contracts.content import TemplateText
from shared.contracts.envelope import Commit
from shared.contracts.plain_braces import convert
from shared.contracts.saved_template import TemplateSaved
from shared.contracts.template import TemplateError, parse
from shared.contracts.tracking_url import without
from shared.eventlog.handling import handle
from shared.record_fields import record_fields

Result = Answer | Refusal
W = TypeVar("W", DraftMailing, SendMail, LanguageVariant)

_TEXTS = ("subject", "html", "text")


async def save(parts: Parts, wanted: commands.SaveTemplate, act: Act) -> Result:
    """Check its syntax and keep it."""
    if wanted.single_braces:
        ours = {field: convert(getattr(wanted, field), record_fields(), {}).source for field in _TEXTS}
        wanted = wanted.model_copy(update=ours)
    for field in _TEXTS:
        try:
            parse(without(getattr(wanted, field)), html=field == "html")
        except TemplateError as error:  # the author mends it
            return Refusal(code=error.code, message=str(error), field=field, line=error.line)
    encoded = TemplateText(subject=wanted.subject, html=wanted.html, text=wanted.text).encoded()
    saved = TemplateSaved(name=wanted.name, content=digest(encoded), subject=wanted.subject)
    await parts.contents.put(saved.content, encoded)
    template = wanted.template or act.new_id("template")
    return await _done(parts, template, Save(saved, anew=not wanted.template), act)


async def delete(parts: Parts, wanted: commands.DeleteTemplate, act: Act) -> Result:
    """Keep it no more."""
    return await _done(parts, wanted.template, Delete(), act)


async def _done(parts: Parts, template: str, command: Save | Delete, act: Act) -> Result:
    done = await handle(parts.log, SavedTemplateDecider(), subjects.template(template), command, act.origin())
    return done if isinstance(done, Refusal) else Answer(ok=True, position=done.seq, data={"template": template})


async def listed(parts: Parts, _: commands.Templates) -> Result:
    """List what is kept, by name."""
    found: dict[str, list[Commit]] = {}
    async for commits in parts.log.scan([subjects.ALL_TEMPLATES]):
        for commit in commits:
            found.setdefault(commit.subject.rpartition(".")[2], []).append(commit)
    rows = [_row(template, commits, _folded(commits)) for template, commits in found.items()]
    kept = [row for row in rows if row is not None]
    return Answer(ok=True, data={"templates": sorted(kept, key=lambda row: (row["name"].casefold(), row["template"]))})


async def show(parts: Parts, wanted: commands.ShowTemplate) -> Result:
    """Show one with its bodies."""
    commits = await parts.log.load(subjects.template(wanted.template))
    state = _folded(commits)
    row = _row(wanted.template, commits, state)
    if row is None or state.saved is None:
        return NO_TEMPLATE
    says = TemplateText.model_validate_json(await parts.contents.get(state.saved.content))
    return Answer(ok=True, data={**row, "subject": says.subject, "html": says.html, "text": says.text})


async def taken(parts: Parts, wanted: W) -> W | Refusal:
    """Return a draft with what it does not say taken from the template it names, and URLs in place of their names."""
    if not wanted.template:
        return await tracking_urls.put_in(parts, wanted)
    state = _folded(await parts.log.load(subjects.template(wanted.template)))
    if state.saved is None:
        return NO_TEMPLATE
    says = TemplateText.model_validate_json(await parts.contents.get(state.saved.content))
    bodies = {} if wanted.html or wanted.text else {"html": says.html, "text": says.text}
    said = wanted.model_copy(update={"subject": wanted.subject or says.subject, **bodies})
    return await tracking_urls.put_in(parts, said)


async def all_taken(parts: Parts, wanted: DraftMailing) -> DraftMailing | Refusal:
    """Return a draft with what it and its variants do not say taken from the templates they name."""
    filled = await taken(parts, wanted)
    if isinstance(filled, Refusal):
        return filled
    variants: dict[str, LanguageVariant] = {}
    for language, variant in wanted.variants.items():
        said = await taken(parts, variant)
        if isinstance(said, Refusal):
            return said.model_copy(update={"field": f"variants.{language}.{said.field}"})
        variants[language] = said
    return filled.model_copy(update={"variants": variants})


def _folded(commits: list[Commit]) -> SavedTemplate:
    decider = SavedTemplateDecider()
    state = decider.initial()
    for commit in commits:
        for record in commit.events:
            state = decider.evolve(state, record.event)
    return state


def _row(template: str, commits: list[Commit], state: SavedTemplate) -> dict[str, Any] | None:
    if state.saved is None:
        return None
    at = commits[-1].recorded_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"template": template, "name": state.saved.name, "subject": state.saved.subject, "saved_at": at}


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Act], Awaitable[Result]]] = {
    commands.SaveTemplate: save,
    commands.DeleteTemplate: delete,
}
QUERIES: dict[type[commands.Query], Callable[[Parts, Any], Awaitable[Result]]] = {
    commands.Templates: listed,
    commands.ShowTemplate: show,
}
