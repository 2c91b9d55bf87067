"""An older log, or an older database, is put back: nothing is sent before an operator confirmed it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.backup import Source, back_up
from deploy.local import Local
from shared.contracts import commands, subjects
from shared.contracts.log import RESTORED
from shared.contracts.mailing import MailingPaused
from tests.harness.installations import CONNECTIONS, PACE, QUICK, operated
from tests.harness.posthaste import Posthaste
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import PATIENCE, System, people, unhurried
from tests.harness.waiting import until

COUNT = 400
HOLD = 2.0
"""Seconds for which the relay is watched after everything has started: a sender would have sent hundreds."""


def _copy(source: Path, target: Path, *, only: Callable[[Path], bool]) -> None:
    """Copy what `only` chooses of a data folder that is not running, in place of what is there."""
    target.mkdir(exist_ok=True)
    for path in [path for path in source.iterdir() if only(path)]:
        there = target / path.name
        shutil.rmtree(there, ignore_errors=True) if there.is_dir() else there.unlink(missing_ok=True)
        shutil.copytree(path, there) if path.is_dir() else shutil.copy2(path, there)


def _log(path: Path) -> bool:
    return path.name == "nats"


def _database(path: Path) -> bool:
    return path.name.startswith("planner.sqlite3")


def _both(path: Path) -> bool:
    return _log(path) or path.suffix.startswith(".sqlite3")


@asynccontextmanager
async def _again(folder: Path, relay: ScriptedSmtp) -> AsyncIterator[System]:
    async with operated(Local(folder, senders=1, ports="free", extra=QUICK), relay) as system:
        yield system


@pytest.mark.parametrize("older", [_log, _database], ids=["log", "database"])
async def test_nothing_is_sent_before_the_confirmation(older: Callable[[Path], bool], tmp_path: Path) -> None:
    """Half a mailing, a copy, a quarter more, the copy put back: 0 mails until `resume --after-restore`, then all."""
    await _drill(older, tmp_path)


@pytest.mark.drawn("system", 3)
async def test_nothing_is_sent_from_a_log_and_databases_that_are_older_than_the_journals(tmp_path: Path) -> None:
    """Log and databases agree with each other; what the sender remembers tells them apart."""
    await _drill(_both, tmp_path)


@pytest.mark.drawn("system", 3)
async def test_a_backup_that_is_put_back_sends_nothing_before_the_confirmation(tmp_path: Path) -> None:
    """Backed up while it sends, put back into a new folder with `posthaste restore`, journals and all memory gone."""
    folder, copy, fresh = tmp_path / "data", tmp_path / "backup", tmp_path / "fresh"
    async with ScriptedSmtp(unhurried(4 * PACE * CONNECTIONS)) as relay:
        async with _again(folder, relay) as system:
            await system.add_account()
            mailing = await system.start(people(COUNT))
            await system.reached(COUNT // 4)
            deploy = await system.local.connect("deploy")
            source = Source(deploy, folder, system.local.folder.secrets())
            await back_up(source, copy, lambda _what, _size: None, with_secrets=True)
            await deploy.close()
            assert system.arrived < COUNT, "the backup came too late"
            await system.reached(min(COUNT, system.arrived + 50))
        restored = await Posthaste(fresh)("restore", str(copy), "--free-ports")
        assert restored.code == 0, restored.error
        async with _again(fresh, relay) as system:
            before = system.arrived
            await until(lambda: _paused(system, mailing), PATIENCE)
            await asyncio.sleep(HOLD)
            assert system.arrived == before, "mails went out before the confirmation"
            await system.do(commands.ResumeAfterRestore())
            await system.ended(mailing)
            ledger = await system.ask(commands.VerifyLedger(mailing=mailing))
            assert ledger["balanced"], ledger
            doubts = ledger["totals"].get("in_doubt", 0)
    # Claims that were open in the backup are in doubt, at most a window for each connection.
    assert doubts <= CONNECTIONS * 50
    assert len({mail.recipient for mail in relay.accepted}) >= COUNT - doubts


async def _drill(older: Callable[[Path], bool], tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    async with ScriptedSmtp(unhurried(PACE * CONNECTIONS)) as relay:
        async with _again(folder, relay) as system:
            await system.add_account()
            mailing = await system.start(people(COUNT))
            await system.reached(COUNT // 2)
        _copy(folder, copy, only=lambda _: True)
        async with _again(folder, relay) as system:
            await system.reached(COUNT * 3 // 4)
        first = {mail.recipient for mail in relay.accepted}
        _copy(copy, folder, only=older)
        async with _again(folder, relay) as system:
            before = system.arrived
            await until(lambda: _paused(system, mailing), PATIENCE)
            await asyncio.sleep(HOLD)
            trust = await system.ask(commands.LogTrust())
            assert not trust["trusted"]
            assert system.arrived == before, "mails went out before the confirmation"
            done = await system.do(commands.ResumeAfterRestore())
            assert done["resumed"] == [mailing]
            await system.ended(mailing)
            ledger = await system.ask(commands.VerifyLedger(mailing=mailing))
            assert ledger["balanced"], ledger
    twice = len(relay.accepted) - len({mail.recipient for mail in relay.accepted})
    assert len({mail.recipient for mail in relay.accepted}) == COUNT
    # What went out after the copy is in no log any more, where the log is older; with the log all of it is known.
    assert twice <= (0 if older is _database else len(first) - COUNT // 2 + 1)


async def _paused(system: System, mailing: str) -> bool:
    commits = await system.log.load(subjects.mailing(mailing))
    last = commits[-1].events[-1].event
    return isinstance(last, MailingPaused) and last.reason == RESTORED
