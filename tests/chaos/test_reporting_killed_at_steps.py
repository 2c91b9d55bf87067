"""Reporting dies between reading, writing, committing and telling; report and feed are as if it had not."""

from collections import Counter
from pathlib import Path

import orjson
import pytest

from shared.contracts import subjects
from shared.eventlog.connection import close
from shared.eventlog.reader import Reader
from shared.steps import REPORTING
from tests.harness.installations import Installation, operated
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import people, unhurried
from tests.harness.toll import strike
from tests.harness.waiting import until

COUNT = 400


@pytest.mark.drawn("system", 3)
@pytest.mark.parametrize("step", REPORTING)
async def test_nobody_is_told_too_little_or_twice(step: str, tmp_path: Path) -> None:
    """The report equals the relay and the log, and integrators hear of each recipient once."""
    async with ScriptedSmtp(unhurried(0.02)) as relay:
        local = Installation(tmp_path / "data").dies("reporting", f"{step}:12")
        async with operated(local, relay) as system:
            nc = await local.connect("deploy")
            await nc.jetstream().add_consumer(subjects.OUT, durable_name="crm")  # the feed is made for who reads it
            await system.add_account()
            mailing = await system.start(people(COUNT, greylist=20))
            strike()
            await system.ended(mailing)
            account = await system.account_for(mailing, doubts=0)
            assert local.programs["reporting"].starts == 2, f"it never came to {step}"
            told = await until(lambda: everybody(Reader(nc, subjects.OUT), mailing), 30)
            await close(nc)
    assert account.totals == {"accepted": COUNT}
    assert told is not None
    assert set(told.values()) == {1}


async def everybody(out: Reader, mailing: str) -> Counter[str] | None:
    """Return how often each contact was told as accepted, once all of them were."""
    told: Counter[str] = Counter()
    for stored in await out.batch(subjects.out_recipient(mailing), 1, 10_000):
        rows = orjson.loads(stored.data)["data"]["recipients"]
        told.update(row["contact"] for row in rows if row["outcome"] == "accepted")
    return told if len(told) == COUNT else None
