"""The forecast of a mailing: what is left to send and what limits it, out of the facts; the rest is forecast.py.

Where no start is set it is as if it started now, at any hour. Where nothing limits the rate a setting says what is
assumed. Other mailings that send over the same account take even shares of it. A start can be tried out: then it is
decided on as if it were asked for, and nothing is recorded.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from services.planner.accounts.account import Account
from services.planner.facts import millis
from services.planner.mailings.campaign import Campaign
from services.planner.mailings.mailing import FINAL, Mailing, MailingDecider
from services.planner.mailings.orders import Schedule
from services.planner.parts import Parts
from services.planner.planning import fan_out, forecast
from shared import clock
from shared.contracts import commands
from shared.contracts.account import Limits
from shared.contracts.commands import Answer, Refusal
from shared.contracts.mailing import AudienceFrozen, MailingScheduled
from shared.contracts.relay import EVERYTHING
from shared.contracts.subjects import REST
from shared.providers import Providers


async def ask(parts: Parts, wanted: commands.Forecast) -> Answer | Refusal:
    """Tell when it will be finished."""
    state, now = await parts.mailing(wanted.mailing), clock.now()
    if state.status in FINAL:
        return Refusal(code=f"mailing_{state.status}", message="Nothing goes out any more.")
    return await _foreseen(parts, wanted.mailing, state, now)


async def tried(parts: Parts, wanted: commands.Foresee) -> Answer | Refusal:
    """Tell when it would be finished if it were scheduled like this, or why it could not be."""
    state, now = await parts.mailing(wanted.mailing), clock.now()
    campaign = await parts.campaign(state.draft.campaign) if state.draft else Campaign()
    order = Schedule(wanted, now, await parts.account_of(state), campaign)
    decided = MailingDecider().decide(_any_audience(state), order)
    if isinstance(decided, Refusal):
        return decided
    scheduled = next((event for event in decided if isinstance(event, MailingScheduled)), state.schedule)
    return await _foreseen(parts, wanted.mailing, state.model_copy(update={"schedule": scheduled}), now)


def _any_audience(state: Mailing) -> Mailing:
    """Return it with an audience, so that all that is wrong with a schedule is told before one is frozen."""
    somebody = AudienceFrozen(object="", recipients=1, chunks=1, lanes={}, position=0)
    return state if state.audience else state.model_copy(update={"audience": somebody})


async def _foreseen(parts: Parts, mailing: str, state: Mailing, now: datetime) -> Answer | Refusal:
    if state.draft is None:
        return Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")
    if state.audience is None:
        return Refusal(code="audience_missing", message="Freeze the audience first.", field="mailing")
    account = await parts.account_of(state)
    audience = await parts.freezer.ensure_cached(mailing, state.audience.object)
    rivals = await _rivals(parts, mailing, state.draft.account)
    batch = state.draft.batch
    since = millis(now) - batch.minutes * 60_000 if batch else 0
    providers = Providers.load(parts.settings.providers_file)
    work = forecast.Work(
        scheduled=state.schedule or MailingScheduled(at=now),
        left=await parts.board.left(mailing, audience, sample=True if state.testing else None),
        per_second=rate_of(state, account, rivals, parts.settings.forecast_rate),
        lanes={lane: lane_of(account, lane, providers, now) for lane in state.audience.lanes},
        batch=batch,
        planned=await parts.board.planned_since(mailing, since) if batch else (),
    )
    found, left = forecast.foresee(work, now), sum(work.left.values())
    if state.testing:
        rest = await parts.board.left(mailing, audience, sample=False)
        found, left = _with_rest(found, replace(work, left=rest), state, now), left + sum(rest.values())
    assumed = fan_out.rate(state.limits, *account.limits_on(now)) is None
    return Answer(
        ok=True,
        data={
            "mailing": mailing,
            "status": state.status,
            "starts_at": _iso(found.starts_at),
            "finishes_at": _iso(found.finishes_at),
            "left": left,
            "sent": found.sent,
            "expired": found.expired,
            "per_second": round(work.per_second(now), 4),
            "assumed": assumed,
            "sharing": rivals,
            "plan": state.plan,
            "approved": bool(state.approved) and state.approved == state.plan,
        },
    )


def _with_rest(sample: forecast.Forecast, rest: forecast.Work, state: Mailing, now: datetime) -> forecast.Forecast:
    """Return what will be when a sample is followed by the rest; a winner chosen by hand is as if chosen at once."""
    test = state.draft.ab_test if state.draft is not None else None
    if test is None or (sample.finishes_at is None and sample.sent):
        return sample
    waits = timedelta(minutes=test.wait_minutes if test.by != "hand" else 0)
    then = forecast.foresee(rest, state.decides_at or (sample.finishes_at or now) + waits)
    starts = sample.starts_at or then.starts_at
    return forecast.Forecast(starts, then.finishes_at, sample.sent + then.sent, sample.expired + then.expired)


def rate_of(state: Mailing, account: Account, rivals: int, assumed: float) -> Callable[[datetime], float]:
    """Return how many mails a second may go out at an instant: a warm-up changes from day to day."""

    def rate(at: datetime) -> float:
        own, whole = fan_out.rate(state.limits), fan_out.rate(*account.limits_on(at))
        shared = None if whole is None else whole / (rivals + 1)
        return min((each for each in (own, shared) if each is not None), default=assumed)

    return rate


def lane_of(account: Account, lane: str, providers: Providers, now: datetime) -> forecast.Lane:
    """Return what holds for one lane: limits of its provider, what slows or suspends it now."""
    limits: list[Limits] = []
    if account.added is not None and lane != REST:
        limits.append(providers.limits(lane, account.added.providers.get(lane)))
    slow = account.slowed[lane].rate(now) if lane in account.slowed else None
    if slow is not None:
        limits.append(Limits(per_hour=slow))
    held = [account.suspended[of].until for of in (EVERYTHING, lane) if of in account.suspended]
    return forecast.Lane(fan_out.rate(*limits), max(held, default=None))


async def _rivals(parts: Parts, mailing: str, account: str) -> int:
    """Return how many other mailings send over the account just now."""
    facts = [await parts.board.mailing(other) for other in await parts.board.active() if other != mailing]
    states = [fact.state for fact in facts if fact is not None and fact.state.status == "sending"]
    return sum(1 for state in states if state.draft is not None and state.draft.account == account)


def _iso(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
