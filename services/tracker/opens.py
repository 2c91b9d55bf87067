"""The pixel: `/o/{recipient}.gif`. A valid token is answered with a transparent GIF once its hit is safe.

HEAD and OPTIONS are hits like any other (their method stands in the fact, the verdict comes later); a token that does
not verify is the common 404 and leaves no trace.
"""

from starlette.types import Receive, Scope, Send

from services.tracker import hits
from services.tracker.edge import Witness, answer, not_found
from services.tracker.group_commit import GroupCommit
from shared.keys import KeyRing
from shared.tokens import PIXEL_PATH, PIXEL_SUFFIX, verify_recipient

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")

_NO_STORE = (b"cache-control", b"no-store, private")
_HEADERS = [
    (b"content-type", b"image/gif"),
    (b"content-length", str(len(GIF)).encode()),
    _NO_STORE,
    (b"x-robots-tag", b"noindex"),
]
_ALLOW = [(b"allow", b"GET, HEAD, OPTIONS"), (b"content-length", b"0"), _NO_STORE]


class Opens:
    """ASGI application of the pixel."""

    def __init__(self, key_ring: KeyRing, witness: Witness, commits: GroupCommit) -> None:
        self._key_ring = key_ring
        self._witness = witness
        self._commits = commits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serve one request; return the status."""
        path: str = scope["path"]
        who = verify_recipient(self._key_ring, path[len(PIXEL_PATH) : -len(PIXEL_SUFFIX)])
        if who is None or not path.endswith(PIXEL_SUFFIX):
            return await not_found(scope, receive, send)
        method = scope["method"]
        if method not in {"GET", "HEAD", "OPTIONS"}:
            return await answer(send, 405, _ALLOW)
        await self._commits.record(hits.hit("open", who, None, self._witness.seen(scope)))
        if method == "OPTIONS":
            return await answer(send, 204, _ALLOW[:1] + _ALLOW[2:])
        return await answer(send, 200, _HEADERS, GIF if method == "GET" else b"")
