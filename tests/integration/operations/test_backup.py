"""A backup is whole, private and checked; what cannot be put back is refused by name."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from deploy.apply import check
from deploy.backup import BackupError, Source, back_up, put_files_back, put_streams_back, verify
from deploy.data_folder import DataFolder
from deploy.snapshots import SnapshotError, save
from shared.contracts import subjects
from shared.eventlog.connection import close, connect
from shared.eventlog.documents import Documents
from shared.eventlog.incarnation import Memory, identify, judge, remember
from shared.eventlog.keys import Bucket
from shared.eventlog.store import EventLog
from tests.harness.nats import NatsServer
from tests.harness.sending import Sending

SECRETS = {"POSTHASTE_SECRET_KEYS": "k" * 40, "POSTHASTE_ADDRESS_PEPPER": "p" * 40}
PAGES = 300


def quiet(_what: str, _size: int) -> None:
    """Tell nobody."""


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture
async def source(log_streams: NatsServer, nc: Client, tmp_path: Path) -> Source:
    """Return an installation with something in it."""
    rig = Sending(nc, log_streams.url, 25, tmp_path / "data")
    rig.folder.mkdir()
    await rig.add_account()
    await rig.start_mailing("m1")
    await Bucket(nc, subjects.SECRETS).put("acc1", b"sealed")
    for page in range(PAGES):
        await Documents(nc, subjects.PEOPLE).put_once(subjects.person_page(page), b"ann@example.com " * 200)
    with sqlite3.connect(rig.folder / "planner.sqlite3") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE contacts (address)")
        database.execute("INSERT INTO contacts VALUES ('ann@example.com')")
    return Source(nc, rig.folder, SECRETS)


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Client]:
    """Yield a connection to another server, without streams."""
    server = NatsServer.started(tmp_path / "fresh")
    client = await connect(server.url, name="fresh")
    yield client
    await close(client)
    server.kill()


async def test_what_is_put_back_is_what_was_there_under_a_new_name(
    source: Source, fresh: Client, tmp_path: Path
) -> None:
    """All streams but JOBS, key-value and object stores included; no drift; nobody takes it for the log it was."""
    memory = await remember(EventLog(source.nc))
    manifest = await back_up(source, tmp_path / "backup", quiet)
    assert set(manifest.streams) >= {"EVENTS", "PEOPLE", "KV_SECRETS", "OBJ_AUDIENCE", "TIMERS"}
    await put_streams_back(fresh, tmp_path / "backup", quiet)
    assert await check(fresh) == []
    assert await Bucket(fresh, subjects.SECRETS).get("acc1") == await Bucket(source.nc, subjects.SECRETS).get("acc1")
    people = await fresh.jetstream().stream_info("PEOPLE")
    assert people.state.messages == PAGES
    log = EventLog(fresh)
    identity = await identify(log)
    assert identity.last_seq == memory.seq == manifest.seq
    assert identity.incarnation != memory.incarnation
    for remembered in (memory, None, Memory(identity.incarnation, memory.seq, memory.event_id)):
        assert "restored from a backup" in await judge(log, identity, remembered)


async def test_a_backup_is_private_and_holds_secrets_only_when_asked(source: Source, tmp_path: Path) -> None:
    """Nobody but its owner reads it; the database in it is whole."""
    await back_up(source, tmp_path / "plain", quiet)
    await back_up(source, tmp_path / "secret", quiet, with_secrets=True)
    assert not (tmp_path / "plain/secrets.json").exists()
    assert json.loads((tmp_path / "secret/secrets.json").read_text()) == SECRETS
    for path in [tmp_path / "secret", *(tmp_path / "secret").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    for path in (path for path in (tmp_path / "plain").rglob("*") if path.is_file()):
        assert SECRETS["POSTHASTE_SECRET_KEYS"].encode() not in path.read_bytes(), path
    with sqlite3.connect(tmp_path / "plain/databases/planner.sqlite3") as database:
        assert database.execute("SELECT * FROM contacts").fetchall() == [("ann@example.com",)]


async def test_what_cannot_be_put_back_is_refused_by_name(source: Source, tmp_path: Path) -> None:
    """Damaged, not whole, of a newer format, no backup at all; a folder in use, other secrets or none."""
    backup = tmp_path / "backup"
    await back_up(source, backup, quiet)
    with pytest.raises(BackupError, match="exists") as refused:
        await back_up(source, backup, quiet)
    assert refused.value.code == "target_exists"
    assert {path.name for path in _files(tmp_path)}.isdisjoint({".backup.draft"}), "no half backup is left"

    empty = tmp_path / "empty"
    empty.mkdir()
    for secrets, code in ((None, "no_secrets"), (SECRETS | {"POSTHASTE_ADDRESS_PEPPER": "q" * 40}, "other_secrets")):
        with pytest.raises(BackupError) as refused:
            put_files_back(backup, empty, secrets)
        assert refused.value.code == code
    with pytest.raises(BackupError, match=r"planner\.sqlite3") as refused:
        put_files_back(backup, source.folder, SECRETS)
    assert refused.value.code == "target_not_empty"
    assert not _files(empty)

    victim = backup / "streams" / "PEOPLE"
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    with pytest.raises(BackupError, match=r"PEOPLE is damaged"):
        verify(backup)
    victim.unlink()
    with pytest.raises(BackupError, match=r"PEOPLE is missing"):
        verify(backup)
    manifest = json.loads((backup / "manifest.json").read_text())
    (backup / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(BackupError, match="upgrade first"):
        verify(backup)
    with pytest.raises(BackupError) as refused:
        verify(empty)
    assert refused.value.code == "no_backup"


async def test_streams_that_are_there_are_not_overwritten(source: Source, tmp_path: Path) -> None:
    """A server that has them refuses, and keeps what it has."""
    await back_up(source, tmp_path / "backup", quiet)
    before = await remember(EventLog(source.nc))
    with pytest.raises(BackupError) as refused:
        await put_streams_back(source.nc, tmp_path / "backup", quiet)
    assert refused.value.code == "restore_failed"
    assert await remember(EventLog(source.nc)) == before


async def test_a_stream_that_is_not_there_is_named(nc: Client, tmp_path: Path) -> None:
    """What the server says comes with the name of the stream."""
    with pytest.raises(SnapshotError, match="NOTHING"):
        await save(nc, "NOTHING", tmp_path / "nothing", lambda _size: None)


def test_a_key_is_put_in_front_of_the_others(tmp_path: Path) -> None:
    """The new one is the first, the old ones stay."""
    folder = DataFolder(tmp_path)
    before = folder.secrets()["POSTHASTE_SECRET_KEYS"]
    folder.add_key()
    after = folder.secrets()["POSTHASTE_SECRET_KEYS"]
    assert after.endswith("," + before)
    assert len(after.split(",")) == 2
