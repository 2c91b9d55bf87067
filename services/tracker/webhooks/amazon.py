"""Asks Amazon for what a message of SNS needs: the certificate that signs it, and the confirmation of a subscription.

A certificate is fetched once and kept for a day; its address is fixed by `sns.read`, redirects are not followed, size
and time are bounded. Whoever makes up addresses costs us ten fetches a minute at most: beyond that, and while Amazon is
not reached, `UnreachableError` says that nobody can tell now, and the provider is asked to come again.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from time import monotonic
from urllib.parse import urlsplit

MAX_CERTIFICATE = 16_384
KEPT_SECONDS = 86_400.0
MOST_A_MINUTE = 10

_SECONDS = 5.0
_MOST_KEPT = 32


class UnreachableError(Exception):
    """Amazon was not reached, or was asked too often."""


class Amazon:
    """Certificates and confirmations.

    `endpoint` takes the place of `https://sns.<region>.amazonaws.com`, for a proxy or an endpoint of a private network.
    """

    def __init__(self, endpoint: str = "", clock: Callable[[], float] = monotonic) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._asked: deque[float] = deque(maxlen=MOST_A_MINUTE)
        self._turn = asyncio.Lock()

    async def certificate(self, url: str) -> bytes:
        """Return what stands there; b"" where Amazon has no such certificate.

        Raises:
            UnreachableError: Nobody can tell now.
        """
        kept = self._known(url)
        if kept is not None:
            return kept
        async with self._turn:
            kept = self._known(url)  # another request may have brought it
            if kept is not None:
                return kept
            if len(self._asked) == MOST_A_MINUTE and self._clock() - self._asked[0] < 60:
                raise UnreachableError("certificates were asked for too often")
            self._asked.append(self._clock())
            status, found = await self._get(url)
            if status not in (200, 403, 404):
                raise UnreachableError(f"a certificate was answered with HTTP {status}")
            found = found if status == 200 else b""
            self._kept[url] = (self._clock(), found)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return found

    def _known(self, url: str) -> bytes | None:
        kept = self._kept.get(url)
        if kept is None or self._clock() - kept[0] > KEPT_SECONDS:
            return None
        self._kept.move_to_end(url)
        return kept[1]

    async def confirm(self, url: str) -> None:
        """Confirm a subscription.

        Raises:
            UnreachableError: Amazon did not take it; it asks again.
        """
        status, _ = await self._get(url)
        if status != 200:
            raise UnreachableError(f"the confirmation was answered with HTTP {status}")

    async def _get(self, url: str) -> tuple[int, bytes]:
        import httpx  # noqa: PLC0415 - slow to load, and only whom Amazon writes to needs it

        parts = urlsplit(url)
        if self._endpoint:
            url = f"{self._endpoint}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        found = b""
        try:
            async with (
                asyncio.timeout(_SECONDS),
                httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client,
                client.stream("GET", url, headers={"accept-encoding": "identity"}) as reply,
            ):
                async for part in reply.aiter_raw():
                    found += part
                    if len(found) > MAX_CERTIFICATE:
                        raise UnreachableError("what Amazon answered is too long")
                return reply.status_code, found
        except (httpx.HTTPError, TimeoutError) as error:  # the provider comes again
            raise UnreachableError(f"Amazon was not reached: {type(error).__name__}") from error
