"""The outcomes of a chunk's recipients as one byte each: three bits say what became of it, one that it gave a sign.

Pure. The progress view keeps a chunk as such a string of bytes, the ledger folds the log into them, both count by
`tally`. A recipient in doubt that gave a sign of life (opened, clicked, opted out), or of whom something came back that
proves the mail was taken (a bounce, a complaint, an answer), counts as accepted, whatever their order in the log.
"""

from collections.abc import Iterable

PENDING, ACCEPTED, DEFERRED, REJECTED, SKIPPED, EXPIRED, CANCELLED, IN_DOUBT = range(8)

NAMES = ("pending", "accepted", "deferred", "rejected", "skipped", "expired", "cancelled", "in_doubt")

CODES = {name: code for code, name in enumerate(NAMES)} | {"released": PENDING}

TRIED = frozenset({"accepted", "deferred", "rejected", "in_doubt"})
"""Outcomes of a delivery attempt: the others end a claim or a chunk without a word to a relay."""

UNSETTLED = (PENDING, DEFERRED, IN_DOUBT)

OUTCOME = 0b0000_0111
EVIDENCE = 0b1000_0000

_CODE = bytes(byte & OUTCOME for byte in range(256))
_COUNTED = bytes(ACCEPTED if byte & OUTCOME == IN_DOUBT and byte & EVIDENCE else byte & OUTCOME for byte in range(256))
_BY_EVIDENCE = bytes(_COUNTED[byte] != byte & OUTCOME for byte in range(256))
_DECISIONS = {"accepted": ACCEPTED, "rejected": REJECTED, "resend": PENDING}

STATUS = {
    "pending": ("pending", "deferred"),
    "sent": ("accepted",),
    "failed": ("rejected", "skipped", "expired", "cancelled", "in_doubt"),
}
"""What users call the outcomes (the three recipient statuses)."""

STATUS_OF = {outcome: status.capitalize() for status, outcomes in STATUS.items() for outcome in outcomes}


def counted(byte: int) -> int:
    """Return the outcome as which a recipient counts."""
    return _COUNTED[byte]


def tally(states: bytes | bytearray) -> list[int]:
    """Return how many recipients there are of each outcome, evidence taken into account."""
    codes = states.translate(_COUNTED)
    return [codes.count(code) for code in range(8)]


def by_evidence(states: bytes | bytearray) -> int:
    """Return how many recipients in doubt count as accepted because they gave a sign."""
    return states.translate(_BY_EVIDENCE).count(1)


def unsettled(states: bytes | bytearray) -> int:
    """Return how many recipients may still change their outcome."""
    codes = states.translate(_CODE)
    return sum(codes.count(code) for code in UNSETTLED)


def settle(states: bytearray, indexes: Iterable[int], outcome: str) -> None:
    """Record one settled group; `IndexError` when a recipient was never planned."""
    code = CODES[outcome]
    for index in indexes:
        states[index] = states[index] & ~OUTCOME | code


def decided(decision: str) -> int:
    """Return the outcome to which an operator's decision moves a recipient in doubt."""
    return _DECISIONS[decision]


def decide(states: bytearray, indexes: Iterable[int], decision: str) -> None:
    """Record an operator's decision; only recipients in doubt follow it."""
    code = _DECISIONS[decision]
    for index in indexes:
        if states[index] & OUTCOME == IN_DOUBT:
            states[index] = states[index] & ~OUTCOME | code


def evidence(states: bytearray, index: int) -> bool:
    """Record a sign of life of a recipient that is not settled for good; True when that is news."""
    if index >= len(states) or states[index] & OUTCOME not in UNSETTLED or states[index] & EVIDENCE:
        return False
    states[index] |= EVIDENCE
    return True
