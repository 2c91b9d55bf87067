"""`posthaste backup` and `posthaste restore`: everything that cannot be made again, in one folder."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.errors import CliError
from cli.session import Session
from deploy import backup as archive
from deploy.backup import BackupError
from deploy.data_folder import DataFolder, FolderHeldError
from deploy.local import Local, PortsTakenError
from deploy.supervisor import StartError

_PRIVATE = ("POSTHASTE_SECRET_KEYS", "POSTHASTE_ADDRESS_PEPPER")


class BackupFailedError(CliError):
    """It was not made or put back; what is there is as it was."""

    exit_code = 1


async def backup(
    session: Session,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Folder to be made; it must not exist.")],
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Put keys and passwords into it as well: keep it locked away.")
    ] = False,
) -> None:
    """Back up the log, all other streams and the databases, while everything runs.

    Example: `posthaste backup /backup/2026-11-27 --data /var/lib/posthaste`
    """
    folder = session.data.resolve()
    secrets = secrets_of(folder)
    if with_secrets and not secrets:
        raise BackupFailedError("no_secrets", f"There are no secrets in {folder}: they are kept elsewhere.")
    nc = await session.connection("deploy")
    try:
        with _bar(session, None) as progress:
            made = await archive.back_up(
                archive.Source(nc, folder, secrets, _database()), target.resolve(), progress, with_secrets=with_secrets
            )
    except BackupError as error:
        raise BackupFailedError(error.code, str(error)) from error
    finally:
        await nc.close()
    told = {"target": str(target), "incarnation": made.incarnation, "seq": made.seq, "files": len(made.files)}
    known = _database() or (folder / "planner.sqlite3").exists()
    missing = "" if known else " The databases are elsewhere: set POSTHASTE_DATABASE_URL to have them included."
    session.out.done(told, f"Backed up to {target}: the log up to {made.seq}, {len(made.files)} files.{missing}")


async def restore(
    session: Session,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A folder that `posthaste backup` made.")],
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Take free ports for nats-server meanwhile.")
    ] = False,
    replicas: Annotated[int, typer.Option("--replicas", min=1, max=5, help="Copies of the streams, in a cluster.")] = 1,
) -> None:
    """Put a backup back into a data folder that holds nothing, or onto the servers of POSTHASTE_NATS_URL.

    Nothing may run. What is started then sends nothing before `posthaste resume --after-restore`.

    Example: `posthaste restore /backup/2026-11-27 --data /var/lib/posthaste-restored`
    """
    folder, source = session.data.resolve(), source.resolve()
    try:
        manifest = archive.verify(source)
        with _bar(session, archive.size_of(source)) as progress:
            if os.environ.get("POSTHASTE_NATS_URL"):
                nc = await session.connection("deploy")
                try:
                    if _database():
                        await archive.put_database_back(source, _database())
                    await archive.put_streams_back(nc, source, progress, replicas)
                finally:
                    await nc.close()
            else:
                await _restore_local(folder, source, progress, "free" if free_ports else None)
    except (BackupError, FolderHeldError, PortsTakenError, StartError) as error:
        code = error.code if isinstance(error, BackupError) else "not_started"
        raise BackupFailedError(code, str(error)) from error
    told = {"seq": manifest.seq, "made_at": manifest.made_at}
    session.out.done(
        told,
        f"Restored the backup of {manifest.made_at}. Start Posthaste: nothing is sent before "
        "`posthaste resume --after-restore`.",
    )


async def _restore_local(folder: Path, source: Path, progress: archive.Progress, ports: Literal["free"] | None) -> None:
    holder = DataFolder(folder)
    holder.hold()
    try:
        archive.put_files_back(source, folder, secrets_of(folder) or None, dumps=bool(_database()))
    finally:
        holder.release()
    if _database():
        await archive.put_database_back(source, _database())
    local, whole = Local(folder, ports=ports), False
    try:
        await local.start_bare()
        nc = await local.connect("deploy")
        await archive.put_streams_back(nc, source, progress)
        await nc.close()
        whole = True
    finally:
        await local.stop()
        if not whole:
            archive.discard(folder)


def _database() -> str:
    return os.environ.get("POSTHASTE_DATABASE_URL", "")


def secrets_of(folder: Path) -> dict[str, str]:
    """Return the secrets of a data folder, or what the environment has of them."""
    path = folder / "secrets.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    return {name: os.environ[name] for name in _PRIVATE if os.environ.get(name)}


@contextmanager
def _bar(session: Session, total: int | None) -> Iterator[archive.Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=session.out.notes, transient=True) as shown:
        task = shown.add_task("Copying", total=total)

        def progress(what: str, size: int) -> None:
            shown.update(task, advance=size, description=what)

        yield progress
