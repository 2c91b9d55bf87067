"""An older log, or an older database, is put back: nothing is sent before an operator confirmed it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.backup import Source, back_up, copy_database
from deploy.local import Local
from shared.contracts import commands, subjects
from shared.contracts.log import RESTORED
from shared.contracts.mailing import MailingPaused
from shared.database import open_engine
from shared.database_dump import dump, load
from shared.migrations import migrate
from tests.harness.installations import CONNECTIONS, PACE, QUICK, Quick, operated
from tests.harness.posthaste import Posthaste
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import PATIENCE, System, people, unhurried
from tests.harness.waiting import until

pytestmark = pytest.mark.one_server

COUNT = 300
MANY = 1_200
"""So many that the mailing is not over when everything has stopped: two hundred a second go out meanwhile."""
HOLD = 1.5
"""Seconds for which the relay is watched after everything has started: a sender would have sent hundreds."""


LOG, PLANNER, REPORTING = "nats", "planner", "reporting"
URL = "POSTHASTE_DATABASE_URL"


async def _copy(local: Local, target: Path) -> None:
    """Copy log and databases in the middle of it: the databases as they run, the log while its server is down."""
    for name in (PLANNER, REPORTING):
        if url := os.environ.get(URL):
            engine = open_engine(url, name)
            await dump(engine, target / name)
            await engine.dispose()
        else:
            copy_database(local.folder.path / f"{name}.sqlite3", target / name)
    await local.down(LOG)
    shutil.copytree(local.folder.path / LOG, target / LOG)
    await local.up(LOG)


async def _drop(url: str, name: str) -> None:
    engine = open_engine(url, name)
    async with engine.begin() as conn:
        await conn.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    await engine.dispose()


async def _put_back(copy: Path, folder: Path, name: str) -> None:
    """Replace a part of an installation of which nothing runs."""
    if name == LOG:
        shutil.rmtree(folder / LOG)
        shutil.copytree(copy / LOG, folder / LOG)
    elif url := os.environ.get(URL):
        await _drop(url, name)
        engine = open_engine(url, name)
        await migrate(engine, f"services.{name}.migrations")
        await load(engine, copy / name)
        await engine.dispose()
    else:
        for suffix in ("", "-wal", "-shm"):
            (folder / f"{name}.sqlite3{suffix}").unlink(missing_ok=True)
        shutil.copy2(copy / name, folder / f"{name}.sqlite3")


@asynccontextmanager
async def _again(folder: Path, relay: ScriptedSmtp) -> AsyncIterator[System]:
    async with operated(Quick(folder, senders=1, ports="free", extra=QUICK), relay) as system:
        yield system


@pytest.mark.feature("B23")
@pytest.mark.drawn("restored", 1)
@pytest.mark.parametrize("older", [LOG, PLANNER])
async def test_nothing_is_sent_before_the_confirmation(older: str, tmp_path: Path) -> None:
    """Some of a mailing, a copy, some more, the copy put back: 0 mails until `resume --after-restore`, then all."""
    await _drill([older], tmp_path)


@pytest.mark.drawn("restored", 1)
async def test_nothing_is_sent_from_a_log_and_databases_that_are_older_than_the_journals(tmp_path: Path) -> None:
    """Log and databases agree with each other; what the sender remembers tells them apart."""
    await _drill([LOG, PLANNER, REPORTING], tmp_path)


@pytest.mark.feature("B23")
@pytest.mark.drawn("restored", 1)
async def test_a_backup_that_is_put_back_sends_nothing_before_the_confirmation(tmp_path: Path) -> None:
    """Backed up while it sends, put back into a new folder with `posthaste restore`, journals and all memory gone."""
    folder, copy, fresh = tmp_path / "data", tmp_path / "backup", tmp_path / "fresh"
    async with ScriptedSmtp(unhurried(4 * PACE * CONNECTIONS)) as relay:
        async with _again(folder, relay) as system:
            await system.add_account()
            mailing = await system.start(people(COUNT))
            await system.reached(COUNT // 4)
            deploy = await system.local.connect("deploy")
            source = Source(deploy, folder, system.local.folder.secrets(), os.environ.get(URL, ""))
            await back_up(source, copy, lambda _what, _size: None, with_secrets=True)
            await deploy.close()
            assert system.arrived < COUNT, "the backup came too late"
            await system.reached(min(COUNT, system.arrived + 50))
        posthaste = Posthaste(fresh)
        if url := os.environ.get(URL):
            posthaste.environment[URL] = url
            for name in (PLANNER, REPORTING):
                await _drop(url, name)
        restored = await posthaste("restore", str(copy), "--free-ports")
        assert restored.code == 0, restored.error
        async with _again(fresh, relay) as system:
            before = system.arrived
            await until(lambda: _held(system, mailing), PATIENCE)
            await asyncio.sleep(HOLD)
            assert system.arrived == before, "mails went out before the confirmation"
            for name, program in system.local.programs.items():
                assert await program.is_ready(), f"{name} is not up: nobody could look and confirm"
            await system.do(commands.ResumeAfterRestore())
            await system.ended(mailing)
            ledger = await system.ask(commands.VerifyLedger(mailing=mailing))
            assert ledger["balanced"], ledger
            doubts = ledger["totals"].get("in_doubt", 0)
    # Claims that were open in the backup are in doubt, at most a window for each connection.
    assert doubts <= CONNECTIONS * 50
    assert len({mail.recipient for mail in relay.accepted}) >= COUNT - doubts


async def _drill(older: list[str], tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    copy.mkdir()
    async with ScriptedSmtp(unhurried(PACE * CONNECTIONS)) as relay:
        async with _again(folder, relay) as system:
            await system.add_account()
            mailing = await system.start(people(MANY))
            await system.reached(COUNT // 2)
            await _copy(system.local, copy)
            await system.do(commands.OptOut(address="later@shop.example"))
            await system.ask(commands.Lists())  # the planner is back: else its database would be as old as the copy
        lost = system.arrived - COUNT // 2
        for name in older:
            await _put_back(copy, folder, name)
        async with _again(folder, relay) as system:
            before = system.arrived
            await until(lambda: _held(system, mailing), PATIENCE)
            await asyncio.sleep(HOLD)
            assert system.arrived == before, "mails went out before the confirmation"
            for name, program in system.local.programs.items():
                assert await program.is_ready(), f"{name} is not up: nobody could look and confirm"
            await system.do(commands.ResumeAfterRestore())
            await system.ended(mailing)
            ledger = await system.ask(commands.VerifyLedger(mailing=mailing))
            assert ledger["balanced"], ledger
            doubts = ledger["totals"].get("in_doubt", 0)
    reached = {mail.recipient for mail in relay.accepted}
    twice = len(relay.accepted) - len(reached)
    if LOG in older:
        # Claims open in the copy are in doubt. What went out since is in no log any more, and goes out once more.
        assert doubts <= CONNECTIONS * 50
        assert len(reached) >= MANY - doubts
        assert twice <= lost
    else:
        assert (len(reached), twice, doubts) == (MANY, 0, 0), "the log knows all of it"


async def _held(system: System, mailing: str) -> bool:
    """Tell whether nobody trusts the log, and the mailing is paused for that."""
    commits = await system.log.load(subjects.mailing(mailing))
    last = commits[-1].events[-1].event
    paused = isinstance(last, MailingPaused) and last.reason == RESTORED
    return paused and not (await system.ask(commands.LogTrust()))["trusted"]
