"""What an approval holds: one plan, named by a hash over what is sent, to whom, and when.

Pure. Whoever changes any of it changes the hash. Limits are no part of it, for they may change while a mailing runs,
nor is how many are told of its end. What is as it is by default is left out, so that a field that a later program adds
changes no plan that was approved before.
"""

import hashlib

import orjson

from shared.contracts.mailing import AudienceFrozen, DryRunFinished, MailingDrafted, MailingScheduled

NOT_APPROVED = "not approved"
"""How the reason of a pause begins that comes where an approval should."""


def plan_of(
    draft: MailingDrafted | None,
    audience: AudienceFrozen | None,
    scheduled: MailingScheduled | None,
    dry_run: DryRunFinished | None = None,
) -> str:
    """Return the hash of a plan, "" where it is not whole; with a dry run it names every single mail."""
    if draft is None or audience is None or scheduled is None:
        return ""
    what: list[object] = [
        draft.model_dump(mode="json", exclude={"limits", "notify", "webhook"}, exclude_defaults=True),
        audience.object,
        scheduled.model_dump(mode="json", exclude_defaults=True),
        *([dry_run.run, dry_run.digest] if dry_run else []),
    ]
    return hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
