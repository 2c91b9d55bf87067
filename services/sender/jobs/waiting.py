"""Which lanes have work: read from the subjects of the jobs that wait.

The planner gives a large provider a lane of its own by the audience of a mailing, so lanes cannot be known beforehand.
They are looked up by level, not by edge: whatever was missed is seen the next time.
"""

import logging

from shared.contracts import subjects
from shared.eventlog.errors import EventLogError
from shared.eventlog.reader import Reader

logger = logging.getLogger(__name__)

Lane = tuple[str, str]
"""Account and lane."""


async def waiting(jobs: Reader) -> set[Lane]:
    """Return the lanes whose jobs stand in JOBS; none while the server does not say."""
    try:
        answer = await jobs.api("STREAM.INFO", {"subjects_filter": subjects.ALL_JOBS})
    except EventLogError as error:  # asked again in a moment
        logger.info("jobs cannot be listed: %s", error)
        return set()
    found = (subjects.ChunkRef.of_job(subject) for subject in answer["state"].get("subjects") or ())
    return {(ref.account, ref.lane) for ref in found}
