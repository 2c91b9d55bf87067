"""Drafting a mailing: what its author wrote is filled in from templates, frozen in all its versions, and recorded.

What cannot be sent is refused with field and line. Contents are stored before the draft that names them is.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from services.planner.audience.freezing import digest
from services.planner.contacts import lists
from services.planner.content import templates
from services.planner.content.attachments import attach
from services.planner.content.freezing import freeze_content
from services.planner.content.inline_css import inlined
from services.planner.content.preheader import with_preheader
from services.planner.content.utm import tagged
from services.planner.content.versions import ab_test, frozen_versions, versions_of, wrong_test
from services.planner.idempotency import Act
from services.planner.mailings import orders
from services.planner.notices.webhooks import wrong_url
from services.planner.parts import Parts
from services.planner.principals.administration import own_address
from shared import clock
from shared.addresses import domain
from shared.contracts import commands
from shared.contracts.commands import Answer, Refusal
from shared.contracts.content import Content
from shared.contracts.mailing import MailingDrafted
from shared.database import reading

Result = Answer | Refusal


async def draft_mailing(parts: Parts, wanted: commands.DraftMailing, act: Act) -> Result:
    """Freeze the content and draft the mailing; where it says nothing of who is told how it ends, its owner is."""
    if "notify" not in wanted.model_fields_set:
        wanted = wanted.model_copy(update={"notify": await own_address(parts, act.principal)})
    return await _draft(parts, wanted, act, act.new_id("mailing"))


async def edit_mailing(parts: Parts, wanted: commands.EditMailing, act: Act) -> Result:
    """Freeze the new content and replace the draft."""
    return await _draft(parts, wanted, act, wanted.mailing, edit=True)


async def _draft(parts: Parts, wanted: commands.DraftMailing, act: Act, mailing: str, *, edit: bool = False) -> Result:
    ready = await prepared(parts, wanted)
    if isinstance(ready, Refusal):
        return ready
    drafted, content = ready
    campaign, account = await parts.campaign(wanted.campaign), await parts.account(wanted.account)
    order = orders.Draft(drafted, content.sender_address, campaign, account, clock.now().date(), edit)
    done = await parts.order(act, mailing, order)
    if isinstance(done, Refusal):
        return done
    return done.model_copy(update={"data": {**done.data, "links": content.links}})


async def prepared(parts: Parts, wanted: commands.DraftMailing) -> tuple[MailingDrafted, Content] | Refusal:
    """Freeze what a draft says; return what is to be recorded, and its content."""
    campaign = await parts.campaign(wanted.campaign)
    if campaign.opened is None:
        return Refusal(code="campaign_unknown", message="There is no such campaign.", field="campaign")
    filled = await templates.all_taken(parts, wanted)
    if isinstance(filled, Refusal):
        return filled
    utm = campaign.opened.utm
    wanted = tagged(inlined(filled) if filled.inline_css else filled, utm)
    refused = wrong_url(wanted.notify_url, parts.settings) if wanted.notify_url else None
    refused = refused or wrong_test(wanted)
    if refused is not None:
        return refused
    versions = await versions_of(parts, filled)
    if isinstance(versions, Refusal):
        return versions
    first = campaign.opened.lists[0]
    async with reading(parts.engine).connect() as conn:
        names = await lists.names(conn, [first])
        known = await lists.fields(conn, campaign.opened.lists)
    list_id = f"{first}.{domain(wanted.sender_address)}"
    files = await attach(wanted.attachments, parts.inbox, parts.contents)
    if isinstance(files, Refusal):
        return files
    bare = partial(
        freeze_content,
        known_fields=known,
        list_name=names.get(first, ""),
        list_id=list_id,
        unsubscribe=parts.settings.append_unsubscribe,
        files=files,
    )

    def freeze(draft: commands.DraftMailing) -> Content | Refusal:
        return with_preheader(bare(draft), draft.preheader, known)

    frozen = freeze(wanted)
    others = {letter: tagged(version, utm) for letter, version in versions.items()}
    said = frozen if isinstance(frozen, Refusal) else frozen_versions(frozen, others, freeze)
    if isinstance(said, Refusal):
        return said
    for each in said.values():
        await parts.contents.put(digest(each.encoded()), each.encoded())
    content = said[""]
    drafted = MailingDrafted(
        campaign=wanted.campaign,
        name=wanted.name,
        account=wanted.account,
        content=digest(content.encoded()),
        subject=wanted.subject,
        links=content.links,
        doubt=wanted.doubt,
        tracking=wanted.tracking,
        limits=wanted.limits,
        retry_for=wanted.retry_for,
        stop=wanted.stop,
        batch=wanted.batch or parts.settings.batch,
        recipient_time=wanted.recipient_time,
        notify=len(content.notify),
        webhook=bool(content.notify_url),
        ab_test=ab_test(wanted.ab_test, said),
        copied=bool(content.blind_copy),
    )
    return drafted, content


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Act], Awaitable[Result]]] = {
    commands.DraftMailing: draft_mailing,
    commands.EditMailing: edit_mailing,
}
