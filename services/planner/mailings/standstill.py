"""Stop everything, and go on: one command pauses whatever could send, one lets exactly that go on.

Both work from the log position at which they were asked, mailing by mailing; what cannot be done to one is told and
holds up no other. Repeated they do the rest. A mailing that somebody paused before, or for another reason, stays so.
"""

from services.planner.idempotency import Act
from services.planner.mailings import orders
from services.planner.mailings.mailing import MailingDecider
from services.planner.mailings.orders import Command
from services.planner.parts import Parts
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Refusal
from shared.contracts.envelope import Origin
from shared.contracts.mailing import STOPPED
from shared.eventlog.handling import handle

_MOVING = ("scheduled", "sending", "waiting")
_FACTS_S = 10.0


async def stop_everything(parts: Parts, wanted: commands.StopEverything, act: Act) -> Answer | Refusal:
    """Pause every mailing that sends or will."""
    reason = f"{STOPPED}: {wanted.reason}" if wanted.reason else STOPPED
    stopped: list[str] = []
    left: dict[str, str] = {}
    position = 0
    for mailing in await _live(parts):
        if (await parts.mailing(mailing)).status not in _MOVING:
            continue
        done = await _order(parts, act, mailing, orders.Pause(reason))
        if isinstance(done, Refusal):
            left[mailing] = done.message
        else:
            stopped.append(mailing)
            position = max(position, done)
    return Answer(ok=True, position=position, data={"mailings": stopped, "left": left})


async def resume_stopped(parts: Parts, _: commands.ResumeStopped, act: Act) -> Answer | Refusal:
    """Resume the mailings that `stop_everything` paused."""
    resumed: list[str] = []
    left: dict[str, str] = {}
    position = 0
    for mailing in await _live(parts):
        state = await parts.mailing(mailing)
        if state.status != "paused" or not state.reason.startswith(STOPPED):
            continue
        done = await _order(parts, act, mailing, orders.Resume(clock.now(), await parts.account_of(state)))
        if isinstance(done, Refusal):
            left[mailing] = done.message
        else:
            resumed.append(mailing)
            position = max(position, done)
    return Answer(ok=True, position=position, data={"mailings": resumed, "left": left})


async def _live(parts: Parts) -> list[str]:
    await parts.facts_at(await parts.log.last_seq(subjects.ALL_MAILINGS), _FACTS_S)
    return await parts.board.live()


async def _order(parts: Parts, act: Act, mailing: str, order: Command) -> int | Refusal:
    origin = Origin(f"{act.command_id}.{mailing}", "planner", clock.now(), mailing, principal=act.principal)
    result = await handle(parts.log, MailingDecider(), subjects.mailing(mailing), order, origin)
    return result if isinstance(result, Refusal) else result.seq
