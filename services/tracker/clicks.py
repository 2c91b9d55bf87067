"""The click: `/c/{recipient}/{link}`. Leads on to the signed target once the hit is safe, with broker or without.

The target comes from the token alone, so the redirect needs no store; a broker that is away costs it at most the
patience of the recorder and an fsync, and a hit that nobody could keep is counted and does not hold the person up. A
token that does not verify is the common 404: no redirect, no event. All recipients of a mailing have the same links, so
those that verified are remembered.
"""

from starlette.types import Receive, Scope, Send

from services.tracker import hits
from services.tracker.edge import Witness, answer, not_found
from services.tracker.group_commit import GroupCommit
from shared.keys import KeyRing
from shared.tokens import CLICK_PATH, LinkToken, RecipientToken, verify_link, verify_recipient

_HEADERS = [
    (b"cache-control", b"no-store, private"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex"),
]
_EMPTY = (b"content-length", b"0")
_REMEMBERED = 1024
_ALLOW = (b"allow", b"GET, HEAD, OPTIONS")


class Clicks:
    """ASGI application of tracked links."""

    def __init__(self, key_ring: KeyRing, witness: Witness, commits: GroupCommit) -> None:
        self._key_ring = key_ring
        self._witness = witness
        self._commits = commits
        self._known: dict[tuple[str, str, str], LinkToken] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serve one request; return the status."""
        recipient, _, text = scope["path"][len(CLICK_PATH) :].partition("/")
        who = verify_recipient(self._key_ring, recipient)
        target = self._target(who, text) if who is not None else None
        if who is None or target is None:
            return await not_found(scope, receive, send)
        method = scope["method"]
        if method not in {"GET", "HEAD", "OPTIONS"}:
            return await answer(send, 405, [*_HEADERS, _ALLOW, _EMPTY])
        await self._commits.record(hits.hit("click", who, target.link, self._witness.seen(scope)))
        if method == "OPTIONS":
            return await answer(send, 204, [*_HEADERS, _ALLOW])
        return await answer(send, 302, [(b"location", target.url.encode()), *_HEADERS, _EMPTY])

    def _target(self, who: RecipientToken, text: str) -> LinkToken | None:
        """Return where a link of the recipient's mailing leads."""
        key = (who.kid, who.mailing, text)
        if key not in self._known:
            link = verify_link(self._key_ring, who, text)
            if link is None:
                return None
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = link
        return self._known[key]
