"""What the sender is asked on NATS: a mail as a page, a chunk's mails made for a look, an account tried out."""

import logging

from faststream.nats import NatsRouter
from faststream.nats.message import NatsMessage

from services.sender.accounts import Accounts
from services.sender.mails.rehearsals import Rehearsals
from services.sender.mails.web_view import WebView
from services.sender.smtp.probe import try_account
from shared.contracts import subjects
from shared.contracts.commands import Probe, ProbeResult, Viewed, ViewWanted

logger = logging.getLogger(__name__)


def handlers(views: WebView, rehearsals: Rehearsals, accounts: Accounts) -> NatsRouter:
    """Return the router that answers."""
    router = NatsRouter()

    @router.subscriber(subjects.view(), queue="sender", decoder=_raw)
    async def view(body: bytes) -> bytes:
        try:
            viewed = await views.show(ViewWanted.model_validate_json(body))
        except Exception:
            logger.exception("a mail could not be shown")
            viewed = Viewed(state="later")
        return viewed.packed()

    @router.subscriber(subjects.rehearsal(), queue="sender", decoder=_raw)
    async def rehearsal(body: bytes) -> bytes:
        return (await rehearsals.rehearse(body)).model_dump_json().encode()

    @router.subscriber(subjects.probe(), queue="sender", decoder=_raw)
    async def probe(body: bytes) -> bytes:
        try:
            asked = Probe.model_validate_json(body)
            password = await accounts.password(asked.account) if asked.username else ""
            result = await try_account(asked, password)
        except Exception as error:  # whatever it was, the planner gets an answer, and the account is not working
            logger.exception("probe failed")
            result = ProbeResult(working=False, detail=f"the sender failed: {type(error).__name__}")
        return result.model_dump_json().encode()

    return router


async def _raw(message: NatsMessage) -> bytes:
    return bytes(message.body)
