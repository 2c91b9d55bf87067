"""One command's way to the services: where they are, as whom, and asking with refusals as errors.

Over HTTP where `POSTHASTE_URL` and `POSTHASTE_TOKEN` say so; else on NATS, by the environment (`POSTHASTE_NATS_URL`,
`_USER`, `_PASSWORD`) or what `posthaste up` left in the data folder. A command that changed something lets the queries
after it in the same run wait for its position.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nats.aio.client import Client as Connection

from cli.errors import InputError, RefusedError, UnreachableError
from cli.output import Output
from cli.upload import over_http, upload
from deploy.data_folder import DataFolder
from shared.contracts.commands import Command, Query
from shared.eventlog.connection import connect
from shared.ids import derived_id, new_id
from shared.messaging.client import Client, UnansweredError

if TYPE_CHECKING:
    from shared.messaging.http_client import HttpClient

Data = dict[str, Any]

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = float(os.environ.get("POSTHASTE_ANSWER_SECONDS", "20"))
OPERATOR = "operator"


@dataclass(frozen=True)
class Access:
    """Where NATS is and as whom to speak."""

    url: str
    user: str
    password: str
    ca_file: Path | None = None


def access(data: Path, user: str = OPERATOR) -> Access:
    """Return how to reach NATS as `user`.

    Raises:
        UnreachableError: Neither environment nor data folder say where it is.
    """
    url = os.environ.get("POSTHASTE_NATS_URL", "")
    if url:
        name = os.environ.get("POSTHASTE_NATS_USER", "")
        ca_file = os.environ.get("POSTHASTE_NATS_CA_FILE", "")
        return Access(url, name, os.environ.get("POSTHASTE_NATS_PASSWORD", ""), Path(ca_file) if ca_file else None)
    try:
        found = DataFolder(data).client_environment(user)
    except FileNotFoundError as error:
        raise UnreachableError(
            "not_running",
            f"Nothing was ever started from {data}. Start it with `posthaste up --data {data}`, "
            "or set POSTHASTE_NATS_URL (and _USER, _PASSWORD) to an installation elsewhere.",
        ) from error
    return Access(found["POSTHASTE_NATS_URL"], found["POSTHASTE_NATS_USER"], found["POSTHASTE_NATS_PASSWORD"])


class Session:
    """What a command works with.

    Attributes:
        out: Where to say things.
        data: The data folder.
    """

    def __init__(self, out: Output, data: Path) -> None:
        self.out = out
        self.data = data
        self._connection: Connection | None = None
        self._client: Client | HttpClient | None = None
        self._position = 0

    async def connection(self, user: str = OPERATOR) -> Connection:
        """Return a connection to NATS.

        Raises:
            UnreachableError: Nothing answers there, or it refuses the user.
        """
        how = access(self.data, user)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await connect(
                    how.url, user=how.user, password=how.password, ca_file=how.ca_file, name=f"posthaste {user}"
                )
        except TimeoutError as error:
            raise UnreachableError(
                "not_running",
                f"Nothing answers at {how.url}. Start it with `posthaste up --data {self.data}`.",
            ) from error
        except Exception as error:  # whatever the client made of a refusal: say it and end
            raise UnreachableError("no_connection", f"No connection to {how.url}: {error}") from error

    async def own_connection(self) -> Connection:
        """Return the connection on which this session asks, opened at first need."""
        if self._connection is None:
            self._connection = await self.connection()
        return self._connection

    async def ask(self, wanted: Command | Query, *, key: str = "") -> Data:
        """Return the data of the answer.

        Raises:
            RefusedError: The service said no.
            UnreachableError: No service answered.
        """
        client = await self._asker()
        try:
            if isinstance(wanted, Command):
                answer = await client.command(wanted, key)
            else:
                answer = await client.query(wanted, self._position)
        except UnansweredError as error:
            again = f" Ask again with `--key {error.key}`: it is not done twice." if isinstance(wanted, Command) else ""
            what = again if error.reached else " Is it still starting? See the logs in the data folder."
            raise UnreachableError("no_answer", f"{error}.{what}") from error
        if answer.refusal is not None:
            raise RefusedError(answer.refusal)
        self._position = max(self._position, answer.position)
        return answer.data | {"position": answer.position} if answer.position else answer.data

    async def upload(self, path: Path, progress: Callable[[int], None], *, key: str = "") -> tuple[str, int]:
        """Upload a file; `progress` hears the bytes that arrived. Return the id of the upload and its parts.

        On NATS the same file under the same idempotency key is the same upload, so that what is asked of it is the same
        request. Over HTTP the service names the upload, and a request about another one is refused under that key.

        Raises:
            InputError: The file cannot be read, or is empty.
            UnreachableError: It did not arrive.
            RefusedError: The service said no.
        """
        client = await self._asker()
        if not isinstance(client, Client):
            return await over_http(client, path, progress)
        upload_id = _upload_of(path, access(self.data).user, key) if key else new_id()
        return upload_id, await upload(await self.own_connection(), path, upload_id, progress)

    async def _asker(self) -> "Client | HttpClient":
        """Return who asks: over HTTP where an address is given, else on NATS."""
        if self._client is None:
            planner, _, reporting = os.environ.get("POSTHASTE_URL", "").partition(",")
            if planner:
                from shared.messaging.http_client import HttpClient  # noqa: PLC0415 - slow to load, for this way alone

                token = os.environ.get("POSTHASTE_TOKEN", "")
                self._client = HttpClient(planner, reporting or planner, token, seconds=ANSWER_SECONDS)
            else:
                user = access(self.data).user or OPERATOR
                self._client = Client(await self.own_connection(), user, seconds=ANSWER_SECONDS)
        return self._client

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None and not isinstance(self._client, Client):
            await self._client.close()
        if self._connection is not None:
            await self._connection.close()


@asynccontextmanager
async def session(out: Output, data: Path) -> AsyncIterator[Session]:
    """Open a session; nothing is connected before something is asked."""
    opened = Session(out, data)
    try:
        yield opened
    finally:
        await opened.close()


def _upload_of(path: Path, user: str, key: str) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError("no_file", f"{path}: {error.strerror}") from error
    return derived_id("upload", user, key, digest)


def read_file(path: Path) -> str:
    """Return the text of a UTF-8 file; `InputError` says why not."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError("no_file", f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError("not_utf8", f"{path}: not UTF-8 in line {line}; save it as UTF-8") from error


Work = Callable[..., Coroutine[Any, Any, None]]
