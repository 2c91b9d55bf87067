"""Mails that somebody uploaded: the planner let them in and asks any tracker to take them (`desk.take`).

In: the id of an upload whose parts stand in INBOX. Out: what the mail was, once its facts are safe; a problem where
the parts are not there or nothing could keep the facts, to be asked again. The planner erases the parts.
"""

import logging

from services.tracker.desk import Desk, Taken
from services.tracker.recorder import NotKeptError
from shared.contracts import subjects
from shared.contracts.commands import HandedIn, HandedRecipient, TakenIn
from shared.eventlog.documents import Documents
from shared.eventlog.errors import EventLogError, MissingError

logger = logging.getLogger(__name__)

SOURCE = "file"


async def take(body: bytes, inbox: Documents, desk: Desk) -> bytes:
    """Take one mail and return what is said of it."""
    try:
        answer = await _take(HandedIn.model_validate_json(body), inbox, desk)
    except Exception:  # whoever handed it in is told, and the next one is taken
        logger.exception("a mail that was handed in could not be taken")
        answer = TakenIn(problem="internal")
    return answer.model_dump_json().encode()


async def _take(wanted: HandedIn, inbox: Documents, desk: Desk) -> TakenIn:
    try:
        parts = [await inbox.get(subjects.upload_part(wanted.upload, part)) for part in range(wanted.parts)]
        return _told(await desk.take(b"".join(parts), SOURCE))
    except MissingError:  # gone by its age, or never there
        return TakenIn(problem="upload_missing")
    except (NotKeptError, EventLogError, OSError) as error:  # it is handed in again
        logger.warning("a mail that was handed in is not kept: %s", error)
        return TakenIn(problem="unavailable")


def _told(taken: Taken) -> TakenIn:
    token = taken.proof.token if taken.proof is not None else None
    return TakenIn(
        kind=taken.report.kind,
        feedback_type=taken.report.feedback_type,
        proven=taken.proof.how if taken.proof is not None else "",
        mailing=token.mailing if token is not None else "",
        n=token.n if token is not None else None,
        index=token.index if token is not None else None,
        facts=taken.facts,
        recipients=[
            HandedRecipient(
                reason=each.reason,
                scope=each.scope,
                permanent=each.permanent,
                status=each.status[:20],
                reply_code=each.reply_code[:5],
            )
            for each in taken.report.recipients
        ],
    )
