"""A chunk whose worker died: what its journal proves of the claims it left open. Pure.

Answered mails are settled by their reply; a dot without a reply is in doubt; what was not begun is released. Without a
journal (another machine, a lost disk, an owner that is frozen and may wake) every claimed recipient is in doubt. So
doubt is bounded and every case of it is named (G7).
"""

from collections.abc import Iterable

from services.sender.chunks.chunk import LOST_CLAIM, Chunk, Status
from services.sender.journal.journal import Evidence, Reply
from services.sender.replies.reply import Phase
from services.sender.smtp.window import Result
from shared.contracts import ranges
from shared.contracts.sending import Group

NO_JOURNAL = "no journal of the claim"
NO_REPLY = "no reply after the final dot"


def results(chunk: Chunk, evidence: Iterable[Evidence]) -> list[Result]:
    """Return one result for every claimed recipient of `chunk`, as if its worker had told them itself."""
    proofs = {proof.seq: proof for proof in evidence}
    found: list[Result] = []
    for claim in chunk.claims:
        proof = proofs.get(claim.after)
        for index in claim.indexes:
            if chunk.status[index] != Status.CLAIMED:
                continue
            found.append(_result(index, proof))
    return found


def lost(chunk: Chunk, evidence: Iterable[Evidence]) -> list[Group]:
    """Return what journals know of recipients whom the log has as open, for it lost the claim: it was restored.

    A claim is begun after the chunk's last commit, so one of this log is behind what it holds. Accepted is accepted; a
    dot without a reply is in doubt.
    """
    open_ones = set(chunk.having(Status.PENDING, Status.DEFERRED))
    accepted: set[int] = set()
    doubtful: set[int] = set()
    for proof in evidence:
        if proof.seq >= chunk.seq and not any(claim.after == proof.seq for claim in chunk.claims):
            accepted |= {index for index, reply in proof.answered.items() if _accepts(reply)}
            doubtful |= proof.doubtful if proof.seq > chunk.seq else frozenset()
    found = {"accepted": accepted & open_ones, "in_doubt": (doubtful - accepted) & open_ones}
    return [
        Group(outcome=outcome, indexes=ranges.pack(indexes), cause=LOST_CLAIM)
        for outcome, indexes in found.items()
        if indexes
    ]


def _accepts(reply: Reply) -> bool:
    return reply.phase == Phase.DOT and 200 <= reply.code < 300


def _result(index: int, proof: Evidence | None) -> Result:
    if proof is None:
        return Result(index, Phase.DOT, 0, "", "", "", 0, NO_JOURNAL)
    if (reply := proof.answered.get(index)) is not None:
        return Result(index, Phase.DOT, reply.code, reply.enhanced, reply.text, reply.queue_id, reply.at_ms, "")
    if index in proof.doubtful:
        return Result(index, Phase.DOT, 0, "", "", "", 0, NO_REPLY)
    return Result(index, Phase.NOT_SENT, 0, "", "", "", 0, "worker died")
