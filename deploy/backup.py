"""A backup of an installation, and putting one back: one folder with a manifest that says what is in it and its sums.

    manifest.json                       format, time, the log's name and end, every file with size and SHA-256
    databases/<service>.sqlite3         or .jsonl, a dump; first, so that no checkpoint is behind the end of the log
    streams/<stream>                    EVENTS, then what its events point to; JOBS is left out, the log makes it anew
    spool/...                           what the tracker has answered and the log has not taken yet
    secrets.json                        only when asked for

It is made beside running services and appears under its name when it is whole. Everything is readable by its owner
alone: it holds names and addresses. Whoever puts it back gets a log with a new name, which sends nothing before
`posthaste resume --after-restore` (decision 0015).
"""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from deploy.apply import apply
from deploy.snapshots import SnapshotError, mark_restored, put_back, save
from deploy.streams import STREAMS
from shared.contracts import subjects
from shared.eventlog.incarnation import remember
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.keys import KeyRing

FORMAT = 1
MANIFEST = "manifest.json"
DATABASES = ("planner", "reporting")

Progress = Callable[[str, int], None]
"""Told what is being copied, and how many bytes of it were."""


class BackupError(RuntimeError):
    """It cannot be made or put back; `code` is stable, the message names the file or stream and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Source:
    """What is backed up: a connection as `deploy`, the data folder, the secrets."""

    nc: Client
    folder: Path
    secrets: dict[str, str]
    database_url: str = ""


@dataclass
class Manifest:
    """What stands in manifest.json."""

    made_at: str
    incarnation: str
    seq: int
    keys: dict[str, Any]
    streams: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT


async def back_up(source: Source, target: Path, progress: Progress, *, with_secrets: bool = False) -> Manifest:
    """Write a backup to `target`, which must not exist.

    Raises:
        BackupError: `target` exists, or something could not be read.
    """
    draft = _draft_of(target)
    try:
        manifest = await _gather(source, draft, progress, with_secrets=with_secrets)
        for path in sorted(draft.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
            if path.is_file():
                manifest.files[str(path.relative_to(draft))] = _sum(path)
        _write(draft / MANIFEST, json.dumps(manifest.__dict__, indent=2).encode() + b"\n")
        draft.rename(target)
    except (OSError, SnapshotError, sqlite3.Error) as error:
        raise BackupError("backup_failed", f"{error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _draft_of(target: Path) -> Path:
    if target.exists():
        raise BackupError("target_exists", f"{target} exists: name a new folder.")
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    return draft


async def _gather(source: Source, draft: Path, progress: Progress, *, with_secrets: bool) -> Manifest:
    for name in ("databases", "streams"):
        (draft / name).mkdir(mode=0o700)
    for name in DATABASES:
        if source.database_url:
            from deploy.dumps import dump_database  # noqa: PLC0415 - SQL is slow to load, every command would pay

            await dump_database(source.database_url, name, draft / "databases" / f"{name}.jsonl")
        elif (path := source.folder / f"{name}.sqlite3").exists():
            copy_database(path, draft / "databases" / path.name)
            progress(f"database {name}", path.stat().st_size)
    spool = source.folder / "tracker-spool"
    if spool.is_dir():
        shutil.copytree(spool, draft / "spool")
    memory = await remember(EventLog(source.nc))
    manifest = Manifest(
        datetime.now(UTC).isoformat(timespec="seconds"), memory.incarnation, memory.seq, keys_of(source.secrets)
    )
    names = [stream.name for stream in STREAMS if stream.name != subjects.JOBS]
    for name in sorted(names, key=lambda name: name != subjects.EVENTS):
        saved = await save(source.nc, name, draft / "streams" / name, partial(progress, f"stream {name}"))
        manifest.streams[name] = saved
    if with_secrets:
        _write(draft / "secrets.json", json.dumps(source.secrets, indent=2).encode() + b"\n")
    return manifest


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite file as it stands at one moment, while others write to it."""
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copy:
        live.backup(copy)
    live.close()
    copy.close()


def keys_of(secrets: dict[str, str]) -> dict[str, Any]:
    """Return by what keys and pepper are recognised; {} where they are not known here."""
    if not secrets.get("POSTHASTE_SECRET_KEYS") or not secrets.get("POSTHASTE_ADDRESS_PEPPER"):
        return {}
    ring = KeyRing.of(secrets["POSTHASTE_SECRET_KEYS"], secrets["POSTHASTE_ADDRESS_PEPPER"])
    return {"active": ring.active, "pepper": ring.address_key("fingerprint@posthaste.invalid")}


def verify(source: Path) -> Manifest:
    """Return the manifest of a backup whose files are all there and undamaged.

    Raises:
        BackupError: It is no backup, of a newer format, or damaged; the message names the file.
    """
    try:
        read = json.loads((source / MANIFEST).read_bytes())
        form = int(read["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError("no_backup", f"{source} holds no backup: its {MANIFEST} cannot be read.") from error
    if form > FORMAT:
        raise BackupError("newer_format", f"{source} has format {form}, this program reads {FORMAT}: upgrade first.")
    manifest = Manifest(**read)
    for name, wanted in manifest.files.items():
        path = source / name
        if not path.is_file():
            raise BackupError("damaged", f"{path} is missing: the backup is not whole.")
        if _sum(path) != wanted:
            raise BackupError("damaged", f"{path} is damaged: it is not what was backed up.")
    return manifest


def put_files_back(source: Path, folder: Path, secrets: dict[str, str] | None, *, dumps: bool = False) -> None:
    """Copy databases and spool into a data folder that has none.

    `secrets` are those that are there already; `dumps` says that the caller loads dumped databases.

    Raises:
        BackupError: The folder is in use, or its secrets are not those of the backup.
    """
    manifest = verify(source)
    taken = [name for name in ("nats/jetstream", "planner.sqlite3", "reporting.sqlite3") if (folder / name).exists()]
    if taken:
        raise BackupError("target_not_empty", f"{folder} holds {', '.join(taken)}: move it away, or name a new folder.")
    if not dumps and any((source / "databases" / f"{name}.jsonl").exists() for name in DATABASES):
        raise BackupError("no_database", "The databases were dumped: set POSTHASTE_DATABASE_URL to an empty one.")
    kept = source / "secrets.json"
    if secrets is None and not kept.exists():
        raise BackupError(
            "no_secrets",
            f"The backup has no secrets and {folder} has none: put secrets.json there first. With other secrets nobody "
            "who opted out is recognised.",
        )
    own = keys_of(secrets) if secrets is not None else {}
    if own and manifest.keys and own["pepper"] != manifest.keys["pepper"]:
        raise BackupError("other_secrets", f"secrets.json of {folder} has another address pepper than the backup.")
    for name in DATABASES:
        if (path := source / "databases" / f"{name}.sqlite3").exists():
            shutil.copy2(path, folder / path.name)
    if (source / "spool").is_dir():
        shutil.copytree(source / "spool", folder / "tracker-spool", dirs_exist_ok=True)
    if secrets is None:
        _write(folder / "secrets.json", kept.read_bytes())


async def put_database_back(source: Path, url: str) -> None:
    """Load what was dumped into the empty database at `url`, in a schema for each service.

    Raises:
        BackupError: The backup holds no dump, or the database is not empty or of another revision.
    """
    from deploy.dumps import DumpError, load_database  # noqa: PLC0415 - SQL is slow to load, every command would pay

    for name in DATABASES:
        path = source / "databases" / f"{name}.jsonl"
        if not path.is_file():
            raise BackupError("no_dump", f"{source} holds SQLite files, no dump for {url.partition(':')[0]}.")
        try:
            await load_database(url, name, path)
        except DumpError as error:
            raise BackupError("not_loaded", f"{name}: {error}") from error


def discard(folder: Path) -> None:
    """Take away what was put into a data folder, where the rest could not be put back."""
    shutil.rmtree(folder / "nats", ignore_errors=True)
    for name in DATABASES:
        (folder / f"{name}.sqlite3").unlink(missing_ok=True)


async def put_streams_back(nc: Client, source: Path, progress: Progress, replicas: int = 1) -> Manifest:
    """Make the streams of the backup on a server that has none; EVENTS last, with a new name and marked as restored.

    Raises:
        BackupError: A stream is there already, or the server refused one.
    """
    manifest = verify(source)
    stamp = {subjects.INCARNATION: new_id(), subjects.RESTORED_FROM: f"a backup of {manifest.made_at}"}
    try:
        for name in sorted(manifest.streams, key=lambda name: name == subjects.EVENTS):
            saved = manifest.streams[name]
            saved["config"]["num_replicas"] = replicas
            if name == subjects.EVENTS:
                saved["config"]["metadata"] = (saved["config"].get("metadata") or {}) | stamp
            await put_back(nc, name, source / "streams" / name, saved, partial(progress, f"stream {name}"))
        await mark_restored(nc, subjects.EVENTS, stamp)
        await apply(nc, replicas)
    except SnapshotError as error:
        raise BackupError("restore_failed", f"{error}") from error
    return manifest


def size_of(source: Path) -> int:
    """Return how many bytes its streams have."""
    return sum(path.stat().st_size for path in (source / "streams").iterdir())


def _sum(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
