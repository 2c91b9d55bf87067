"""A chunk whose worker died: what its journal proves of the claims it left open. Pure.

Answered mails are settled by their reply; a dot without a reply is in doubt; what was not begun is released. Without a
journal (another machine, a lost disk, an owner that is frozen and may wake) every claimed recipient is in doubt. So
doubt is bounded and every case of it is named (G7).
"""

from collections.abc import Iterable

from services.sender.chunk import Chunk, Status
from services.sender.journal import Evidence
from services.sender.reply import Phase
from services.sender.window import Result

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


def _result(index: int, proof: Evidence | None) -> Result:
    if proof is None:
        return Result(index, Phase.DOT, 0, "", "", "", 0, NO_JOURNAL)
    if (reply := proof.answered.get(index)) is not None:
        return Result(index, Phase.DOT, reply.code, reply.enhanced, reply.text, reply.queue_id, reply.at_ms, "")
    if index in proof.doubtful:
        return Result(index, Phase.DOT, 0, "", "", "", 0, NO_REPLY)
    return Result(index, Phase.NOT_SENT, 0, "", "", "", 0, "worker died")
