"""Uploads over HTTP: the bytes of a file become parts in INBOX as they come, one part in memory at a time.

A file that is too large, stops coming or is empty is refused; the parts it left go with the stream's age limit.
"""

from collections.abc import AsyncIterator

import orjson
from starlette.requests import Request
from starlette.responses import Response

from shared.contracts import api, subjects
from shared.contracts.commands import Refusal
from shared.contracts.principals import Principal
from shared.eventlog.documents import Documents
from shared.eventlog.errors import EventLogError
from shared.ids import new_id
from shared.messaging.http.bodies import BodyTooLargeError, BodyTooSlowError, pieces
from shared.messaging.http.gate import Gate
from shared.messaging.http.problems import problem
from shared.messaging.http.settings import HttpSettings

PART = 512 * 1024


class Uploads:
    """Takes files in."""

    def __init__(self, gate: Gate, inbox: Documents, settings: HttpSettings) -> None:
        self._gate = gate
        self._inbox = inbox
        self._settings = settings

    async def take(self, request: Request) -> Response:
        """Take one file in."""
        principal = await self._gate.admit(request, api.UPLOAD.permission)
        if not isinstance(principal, Principal):
            return principal
        upload, count, size = new_id(), 0, 0
        try:
            async for part in _parts(
                pieces(request, self._settings.http_upload_bytes, self._settings.http_body_seconds)
            ):
                await self._inbox.put_once(subjects.upload_part(upload, count), part)
                count, size = count + 1, size + len(part)
        except BodyTooLargeError:  # refused; what was taken in goes by its age
            most = self._settings.http_upload_bytes
            return problem(Refusal(code="body_too_large", message=f"A file has at most {most} bytes."))
        except BodyTooSlowError:  # whoever sends it may have gone
            return problem(Refusal(code="body_too_slow", message="The file stopped coming."))
        except EventLogError:  # the caller uploads again
            return problem(Refusal(code="unavailable", message="The upload could not be stored. Try it again."))
        if not count:
            return problem(Refusal(code="file_empty", message="The file is empty."))
        body = {"upload": upload, "parts": count, "bytes": size}
        return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})


async def _parts(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a stream in parts of `PART` bytes, the last one shorter."""
    held = bytearray()
    async for piece in stream:
        held += piece
        while len(held) >= PART:
            yield bytes(held[:PART])
            del held[:PART]
    if held:
        yield bytes(held)
