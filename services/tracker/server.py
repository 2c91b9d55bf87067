"""The tracker put together: HTTP in front, recorder and spool behind; serves from the first moment, broker or not.

A stop closes the listener, waits for the requests under way and for their commits, then lets go of the spool. What the
log did not take by then stays in the spool for the next process.
"""

import asyncio
import logging
import resource
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from pydantic import Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.tracker.clicks import Clicks
from services.tracker.desk import Desk
from services.tracker.edge import Edge, Witness
from services.tracker.group_commit import GroupCommit
from services.tracker.list_names import ListNames
from services.tracker.lmtp import LmtpServer
from services.tracker.mailboxes.attend import Patience
from services.tracker.opens import Opens
from services.tracker.payloads import Payloads
from services.tracker.recorder import Recorder
from services.tracker.spool import Spool
from services.tracker.unsubscribe import OptIn, Unsubscribe
from services.tracker.web_view import WebView
from services.tracker.webhooks.hooks import HOOKS_KIND, Hooks
from services.tracker.webhooks.settings import WebhookSettings
from shared.keys import KeyRing
from shared.tokens import CLICK_PATH, OPT_IN_PATH, PIXEL_PATH, UNSUBSCRIBE_PATH, VIEW_PATH

log = logging.getLogger(__name__)

_BACKLOG = 2048
_CONNECTIONS = 4096
_MAX_HEAD = 32 * 1024
_DRAIN_SECONDS = 15.0


class TrackerSettings(WebhookSettings):
    """What the tracker needs beside the common settings and those of the webhooks.

    Attributes:
        tracker_host: Address to listen on.
        tracker_port: Port to listen on; `public_url` leads here.
        trusted_proxies: Networks, comma separated, whose `X-Forwarded-For` is believed.
        spool_bytes: Most hits kept on disk while the broker is away.
        commit_linger: Seconds for which hits are gathered into one commit.
        log_patience: Seconds the log has to answer before a hit goes to the spool.
        request_patience: Seconds in which the head of a request has to come, and then the body of a webhook.
        mailbox_seconds: How long an IMAP server may be silent.
        mailbox_lease: Seconds after which another tracker goes on with a mailbox whose reader is gone.
        mailbox_mail_bytes: How much of a mail is fetched from a mailbox.
        lmtp_host: Address on which mail servers may hand in what came back.
        lmtp_port: Port of it; 0 means that nobody listens.
        lmtp_addresses: Addresses, comma separated, whose mail is taken there, beside our return paths.
    """

    tracker_host: str = "127.0.0.1"
    tracker_port: int = Field(default=8025, ge=1, le=65_535)
    trusted_proxies: str = ""
    spool_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    commit_linger: float = Field(default=0.003, ge=0, le=0.02)
    log_patience: float = Field(default=0.025, gt=0, le=1)
    request_patience: float = Field(default=10.0, ge=0.1, le=60)
    mailbox_seconds: float = Field(default=30.0, gt=0, le=600)
    mailbox_lease: float = Field(default=60.0, gt=0, le=3600)
    mailbox_mail_bytes: int = Field(default=256 * 1024, ge=16 * 1024, le=4 * 1024 * 1024)
    lmtp_host: str = "127.0.0.1"
    lmtp_port: int = Field(default=0, ge=0, le=65_535)
    lmtp_addresses: str = ""

    @model_validator(mode="after")
    def _leases_outlast_silence(self) -> "TrackerSettings":
        if self.mailbox_lease <= self.mailbox_seconds:
            raise ValueError(
                "POSTHASTE_MAILBOX_LEASE must be longer than POSTHASTE_MAILBOX_SECONDS: who waits is not gone"
            )
        return self

    @property
    def patience(self) -> Patience:
        """How IMAP servers are treated."""
        return Patience(self.mailbox_seconds, self.mailbox_lease, self.mailbox_mail_bytes)

    @property
    def spool_folder(self) -> Path:
        """Where the spool files stand."""
        return self.data_dir / "tracker-spool"


class Tracker:
    """One tracker process.

    Attributes:
        recorder: To be attached to the log once it is reached.
        names: What lists are called; to be attached likewise.
        payloads: Whom chunks addressed; to be attached likewise.
        views: Mails in the browser; likewise.
        desk: Takes what came back.
        key_ring: Of its secrets.
    """

    def __init__(self, settings: TrackerSettings) -> None:
        key_ring = self.key_ring = KeyRing.of(settings.secret_keys, settings.address_pepper)
        witness = Witness([part.strip() for part in settings.trusted_proxies.split(",") if part.strip()])
        self._spool = Spool(settings.spool_folder, settings.spool_bytes)
        self.recorder = Recorder(self._spool, patience=settings.log_patience)
        self.names = ListNames()
        self.payloads = Payloads()
        self.views = WebView(key_ring)
        self.desk = Desk(key_ring, self.recorder, self.payloads)
        self._lmtp = LmtpServer(self.desk, settings.lmtp_addresses.split(","))
        self._lmtp_at = (settings.lmtp_host, settings.lmtp_port)
        self._commits = GroupCommit(self.recorder, linger=settings.commit_linger)
        self.edge = Edge(
            {
                PIXEL_PATH: Opens(key_ring, witness, self._commits),
                CLICK_PATH: Clicks(key_ring, witness, self._commits),
                HOOKS_KIND: Hooks(settings.providers(), self.desk, seconds=settings.request_patience),
                UNSUBSCRIBE_PATH: Unsubscribe(key_ring, self.recorder, self.names),
                OPT_IN_PATH: OptIn(key_ring, self.recorder, self.names),
                VIEW_PATH: self.views,
            },
            [Route("/healthz", self._health)],
        )
        self._server = Server(
            self.edge,
            address=settings.tracker_host,
            port=settings.tracker_port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(settings.request_patience * 1000), max_buffer_size=_MAX_HEAD
            ),
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_CONNECTIONS,
            log_enabled=False,
        )

    @property
    def spooled_bytes(self) -> int:
        """How much waits in the spool for the log."""
        return self._spool.bytes

    async def _health(self, request: Request) -> JSONResponse:  # noqa: ARG002 - the shape of a Starlette endpoint
        return JSONResponse(
            {"ok": True, "broker": "away" if self.recorder.away else "connected", "spooled_bytes": self._spool.bytes}
        )

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain and return."""
        _allow_connections()
        self._spool.open()
        if self._lmtp_at[1]:
            await self._lmtp.start(*self._lmtp_at)
        replay = asyncio.create_task(self.recorder.run())
        serving = asyncio.create_task(self._server.serve())
        stopping = asyncio.create_task(stop.wait())
        ended, _ = await asyncio.wait({replay, serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await self._lmtp.stop()
        self._server.stop()  # type: ignore[no-untyped-call]  # granian is typed in part
        await serving
        if not await self.edge.idle(_DRAIN_SECONDS):
            log.warning("stop: requests were still under way after %s s", _DRAIN_SECONDS)
        await self._commits.close()
        replay.cancel()
        await asyncio.gather(replay, return_exceptions=True)
        await self.recorder.close()
        await self._spool.close()
        if replay in ended:
            await replay  # it never ends by itself: raise what ended it, the supervisor starts the service again
        if not stop.is_set():
            raise RuntimeError("the HTTP server ended by itself")


def _allow_connections() -> None:
    """Let this process have a file for each connection and some more: many systems begin with 1,024."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _CONNECTIONS if most == resource.RLIM_INFINITY else min(most, 2 * _CONNECTIONS)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
