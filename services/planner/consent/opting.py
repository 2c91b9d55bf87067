"""What becomes of an opt-in, and how often somebody is asked to confirm one.

Pure. Rules:
1. Who is out of all mail, or must not be mailed, is not asked and not put on any list.
2. Who is on the list and not out of it stays so.
3. A list that demands no confirmation takes whoever an operator names. Where it demands one, the person is asked.
4. A producer never brings back who left, and asks once; it says the same again every night.
5. One address is asked at most every ten minutes and three times a day for a list, and five times a day for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.contracts.commands import Refusal
from shared.contracts.consent import EVERYTHING, How

_MINUTE, _DAY = 60_000, 86_400_000
PAUSE = 10 * _MINUTE
MOST_FOR_A_LIST = 3
MOST_FOR_AN_ADDRESS = 5

Step = Literal["subscribe", "ask", "unchanged"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an address stands with a list.

    Attributes:
        demands: Whether the list demands a confirmation.
        member: Whether the contact is on it.
        blocked: Why it is not mailed, by scope, as the facts say.
        asked: When it was asked to confirm which list, in milliseconds.
    """

    demands: bool
    member: bool
    blocked: Mapping[str, str]
    asked: Sequence[tuple[str, int]] = ()


def step(standing: Standing, list_id: str, how: How) -> Step | Refusal:
    """Return what an opt-in leads to."""
    here = standing.blocked.get(list_id, "")
    everywhere = standing.blocked.get(EVERYTHING, "")
    if everywhere or here == "suppressed":
        what = "The person opted out of all mail" if everywhere == "opted_out" else "The address must not be mailed"
        message = f"{what}: only the person can change that, by a link in a mail."
        return Refusal(code="address_blocked", message=message, field="address")
    if standing.member and not here:
        return "unchanged"
    if how == "producer" and (here == "opted_out" or any(of == list_id for of, _ in standing.asked)):
        return "unchanged"
    return "ask" if standing.demands else "subscribe"


def may_ask(standing: Standing, list_id: str, now: int) -> bool:
    """Return whether another mail may ask, at `now` in milliseconds."""
    lately = [(of, at) for of, at in standing.asked if at > now - _DAY]
    here = [at for of, at in lately if of == list_id]
    soon = any(at > now - PAUSE for at in here)
    return not soon and len(here) < MOST_FOR_A_LIST and len(lately) < MOST_FOR_AN_ADDRESS
