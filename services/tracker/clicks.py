"""The click: `/c/{recipient}/{link}`. Leads on to the signed target once the hit is safe, with broker or without.

The target comes from the token alone, so the redirect needs no store; a broker that is away costs it at most the
patience of the recorder and an fsync, and a hit that nobody could keep is counted and does not hold the person up. A
token that does not verify is the common 404: no redirect, no event.
"""

from starlette.types import Receive, Scope, Send

from services.tracker import hits
from services.tracker.edge import Witness, answer, not_found
from services.tracker.group_commit import GroupCommit
from shared.keys import KeyRing
from shared.tokens import CLICK_PATH, verify_click

_HEADERS = [
    (b"cache-control", b"no-store, private"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex"),
]
_EMPTY = (b"content-length", b"0")
_ALLOW = (b"allow", b"GET, HEAD, OPTIONS")


class Clicks:
    """ASGI application of tracked links."""

    def __init__(self, key_ring: KeyRing, witness: Witness, commits: GroupCommit) -> None:
        self._key_ring = key_ring
        self._witness = witness
        self._commits = commits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serve one request; return the status."""
        recipient, _, link = scope["path"][len(CLICK_PATH) :].partition("/")
        verified = verify_click(self._key_ring, recipient, link)
        if verified is None:
            return await not_found(scope, receive, send)
        who, target = verified
        method = scope["method"]
        if method not in {"GET", "HEAD", "OPTIONS"}:
            return await answer(send, 405, [*_HEADERS, _ALLOW, _EMPTY])
        await self._commits.record(hits.hit("click", who, target.link, self._witness.seen(scope)))
        if method == "OPTIONS":
            return await answer(send, 204, [*_HEADERS, _ALLOW])
        return await answer(send, 302, [(b"location", target.url.encode()), *_HEADERS, _EMPTY])
