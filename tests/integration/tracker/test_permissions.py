"""The tracker under its own NATS user: it may do what it has to."""

import secrets
from pathlib import Path

from deploy.apply import apply
from deploy.nats_conf import authorization
from deploy.permissions import USERS
from shared.contracts import subjects
from shared.contracts.commands import MailboxProbe
from shared.contracts.consent import OptedOut
from shared.eventlog.connection import connect
from shared.eventlog.documents import Documents
from tests.harness.nats import NatsServer
from tests.harness.office import Office
from tests.harness.tracker import TrackerProcess, pixel, unsubscribe
from tests.harness.waiting import until
from tests.integration.tracker.conftest import Written


async def test_its_nats_user_may_do_all_it_has_to(tmp_path: Path) -> None:
    """Hits, acts and comments are written, a comment sent twice is no obstacle, mailboxes are read."""
    passwords = {user: secrets.token_hex(8) for user in USERS}
    server = NatsServer(tmp_path / "nats", config=authorization(passwords)).start()
    environment = {"POSTHASTE_NATS_USER": "tracker", "POSTHASTE_NATS_PASSWORD": passwords["tracker"]}
    tracker = TrackerProcess(server.url, tmp_path / "tracker", environment)
    nc = await connect(server.url, user="deploy", password=passwords["deploy"], name="test")
    try:
        await apply(nc)
        await tracker.start()
        assert (await tracker.web.get(pixel())).status == 200
        form = b"action=unsubscribe&comment=too+many&page=p1"
        assert [(await tracker.web.post(unsubscribe(["lista"]), form)).status for _ in range(2)] == [200, 200]
        assert await tracker.spool_is_empty()
        written = Written(nc)
        assert len(await written.hits()) == 1
        act = (await written.consent())[0]
        assert isinstance(act, OptedOut)
        people = Documents(nc, subjects.PEOPLE)
        assert await people.get(subjects.person_note(act.comment)) == b'{"text":"too many"}'
        office = Office(nc)
        await office.add("m1", port=1)

        async def looked() -> bool:
            return "Nothing listens" in (await office.reading("m1")).detail

        await until(looked, 20)
        probe = MailboxProbe(mailbox="m1", settings=await office.settings("m1"))
        said = await nc.request(subjects.probe_mailbox(), probe.model_dump_json().encode(), timeout=20)
        assert b"Nothing listens" in said.data
    finally:
        tracker.kill()
        await nc.close()
        server.kill()
