"""The versions of an A/B test: what each says, frozen like the draft, whose place it would take.

What a version does not say is as in the draft, its languages included. Links are numbered over all versions together,
so that a report counts the same page once whichever version led there.
"""

from collections.abc import Callable, Mapping

from services.planner.audience.freezing import digest
from services.planner.content import templates
from services.planner.content.freezing import MAX_LINKS
from services.planner.content.inline_css import inlined
from services.planner.content.plain_text import text_from_html
from services.planner.content.preheader import as_written
from services.planner.parts import Parts
from shared.contracts.commands import AbTestWanted, DraftMailing, Refusal
from shared.contracts.content import Content
from shared.contracts.mailing_settings import AbTest, Version

_TEXTS = ("subject", "html", "text")


async def versions_of(parts: Parts, wanted: DraftMailing) -> dict[str, DraftMailing] | Refusal:
    """Return the draft as each version of its A/B test would have it, by letter; what it says itself is filled in."""
    if wanted.ab_test is None:
        return {}
    found: dict[str, DraftMailing] = {}
    for letter, version in sorted(wanted.ab_test.versions.items()):
        bodies = {"html": version.html, "text": version.text}
        own = wanted.model_copy(update={"subject": version.subject, **bodies, "variants": version.variants})
        said = await templates.all_taken(parts, own.model_copy(update={"template": version.template}))
        if isinstance(said, Refusal):
            return said.model_copy(update={"field": f"ab_test.versions.{letter}.{said.field or 'template'}"})
        like: dict[str, object] = {} if said.html or said.text else {"html": wanted.html, "text": wanted.text}
        like |= {"subject": said.subject or wanted.subject, "variants": said.variants or wanted.variants}
        filled = said.model_copy(update=like)
        found[letter] = inlined(filled) if filled.inline_css else filled
    return found


def frozen_versions(
    content: Content, versions: Mapping[str, DraftMailing], freeze: Callable[[DraftMailing], Content | Refusal]
) -> dict[str, Content] | Refusal:
    """Return all versions frozen, the draft's `content` as "" among them; all know the links of all."""
    found: dict[str, Content] = {"": content}
    for letter, version in versions.items():
        frozen = freeze(version)
        if isinstance(frozen, Refusal):
            return frozen.model_copy(update={"field": f"ab_test.versions.{letter}.{frozen.field}"})
        found[letter] = frozen
    links = list(dict.fromkeys(link for each in found.values() for link in each.links))
    if len(links) > MAX_LINKS:
        message = f"{len(links)} links in all versions together; {MAX_LINKS} is the most"
        return Refusal(code="too_many_links", message=message, field="ab_test.versions")
    return {letter: each.model_copy(update={"links": links}) for letter, each in found.items()}


def wrong_test(wanted: DraftMailing) -> Refusal | None:
    """Return what is wrong with an A/B test: its sample has exactly one size, and it has to be known who clicked."""
    test = wanted.ab_test
    if test is None:
        return None
    if (test.percent is None) == (test.recipients is None):
        message = "Give the sample as percent of the audience, or as a number of recipients."
        return Refusal(code="sample_size_missing", message=message, field="ab_test.percent")
    if test.by != "hand" and wanted.tracking != "person":
        message = f"With tracking `{wanted.tracking}` nobody knows who got which version: have it decided by hand."
        return Refusal(code="winner_untracked", message=message, field="ab_test.by")
    return None


def ab_test(wanted: AbTestWanted | None, versions: Mapping[str, Content]) -> AbTest | None:
    """Return the test as it is recorded."""
    if wanted is None:
        return None
    others = {
        letter: Version(content=digest(said.encoded()), subject=said.subject)
        for letter, said in versions.items()
        if letter
    }
    return AbTest(versions=others, **wanted.model_dump(exclude={"versions"}))


async def written(parts: Parts, recorded: AbTest | None) -> dict[str, object] | None:
    """Return a test as its author gave it, to be edited."""
    if recorded is None:
        return None
    versions: dict[str, object] = {}
    for letter, version in recorded.versions.items():
        said = Content.model_validate_json(await parts.contents.get(version.content))
        variants = {code: each.model_dump(include=set(_TEXTS)) for code, each in said.variants.items()}
        html = as_written(said)
        text = "" if html and said.text == text_from_html(html) else said.text
        versions[letter] = {"subject": said.subject, "html": html, "text": text, "variants": variants}
    wanted = {"versions": versions, **recorded.model_dump(exclude={"versions"})}
    return AbTestWanted.model_validate(wanted).model_dump(mode="json")
