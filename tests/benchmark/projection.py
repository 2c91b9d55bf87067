"""Mails a second that the views of reporting take in (plan, claims and outcome of each), beside raw sqlite3.

The log is made in memory: chunks of 500, half
windows of 25, twenty connections in turn, as a sender at full speed writes it. `value` counts the views alone, in
transactions of 500 commits as the projector cuts them; `decode_us` is what reading the commits from their bytes costs
beside that. The yardstick writes the same recipients (insert, then update) by `executemany` of the standard library.
"""

import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from services.reporting import tables
from services.reporting.views import VIEWS
from shared.contracts import codec
from shared.contracts.envelope import Commit, Origin
from shared.database import create_tables, open_engine
from tests.benchmark.outcome import Outcome, Yardstick, emit
from tests.harness.story import Story, group

CHUNK, WINDOW, CONNECTIONS, BATCH = 500, 25, 20, 500
MAILS = 100_000

_TABLE = """create table r (mailing text, n integer, idx integer, contact text, outcome integer default 0,
attempts integer default 0, reply integer, queue_id text, at integer, cause text, until integer, evidence text,
primary key (mailing, n, idx)) without rowid"""
_INSERT = "insert into r (mailing, n, idx, contact) values (?, ?, ?, ?)"
_UPDATE = """update r set outcome = 1, cause = null, until = null, reply = ?, queue_id = ?, at = ?,
attempts = attempts + 1 where mailing = ? and n = ? and idx = ?"""


def story(mails: int) -> Story:
    """Tell the log of one mailing that goes out without a hitch."""
    told = Story()
    chunks = mails // CHUNK
    told.started("bcdfghjkmnpq", mails, chunks=chunks)
    for first in range(0, chunks, CONNECTIONS):
        turn = range(first, min(first + CONNECTIONS, chunks))
        for n in turn:
            told.planned("bcdfghjkmnpq", n, CHUNK)
        for n in turn:
            told.claimed("bcdfghjkmnpq", n, range(WINDOW))
        for start in range(0, CHUNK, WINDOW):
            for n in turn:
                done = group("accepted", range(start, start + WINDOW))
                told.settled("bcdfghjkmnpq", n, done, then=range(start + WINDOW, min(start + 2 * WINDOW, CHUNK)))
    return told


def selected(commits: Sequence[Commit]) -> tuple[list[Commit], float]:
    """Return the commits as the projector hands them over, and the CPU seconds of reading them from their bytes."""
    handled = frozenset().union(*(view.handles for view in VIEWS))
    names = frozenset(codec.name_of(wire_type) for wire_type in handled)
    bodies = [
        codec.encode(commit.subject, [record.event for record in commit.events], Origin("x", "sender", record_time))
        for commit in commits
        if (record_time := commit.recorded_at)
    ]
    began = time.process_time()
    read = [
        codec.decode_selected(
            body, seq=commit.seq, subject=commit.subject, recorded_at=commit.recorded_at, names=names
        ).commit
        for commit, body in zip(commits, bodies, strict=True)
    ]
    return read, time.process_time() - began


async def project(folder: Path, commits: Sequence[Commit]) -> float:
    """Run the views over the commits; return CPU seconds."""
    engine = open_engine(f"sqlite:///{folder / 'views.sqlite3'}")
    await create_tables(engine, tables.metadata)
    began = time.process_time()
    for start in range(0, len(commits), BATCH):
        batch = commits[start : start + BATCH]
        async with engine.begin() as conn:
            for view in VIEWS:
                share = [
                    commit for commit in batch if any(record.event.TYPE in view.handles for record in commit.events)
                ]
                if share:
                    await view.apply(conn, share)
    spent = time.process_time() - began
    async with engine.connect() as conn:
        accepted = await conn.scalar(tables.mailings.select().with_only_columns(tables.mailings.c.accepted))
    await engine.dispose()
    if accepted != sum(len(range(CHUNK)) for commit in commits if commit.subject.startswith("evt.plan.")):
        raise SystemExit(f"the views count {accepted} accepted mails")
    return spent


def yardstick(folder: Path, mails: int) -> float:
    """Write the same recipients by the standard library; return CPU seconds."""
    base = sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = normal")
    base.execute(_TABLE)
    began = time.process_time()
    chunks = range(mails // CHUNK)
    for turn in (chunks[first : first + CONNECTIONS] for first in range(0, len(chunks), CONNECTIONS)):
        base.execute("begin")
        base.executemany(_INSERT, [("bcdfghjkmnpq", n, i, f"p{n}x{i}") for n in turn for i in range(CHUNK)])
        for start in range(0, CHUNK, WINDOW):
            part = range(start, start + WINDOW)
            base.executemany(_UPDATE, [(7 << 40, f"Q{i}", 1 << 40, "bcdfghjkmnpq", n, i) for n in turn for i in part])
        base.execute("commit")
    spent = time.process_time() - began
    base.close()
    return spent


def run(mails: int = MAILS) -> None:
    """Measure and print."""
    commits, reading = selected(story(mails).commits)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = yardstick(folder, mails)
        spent = uvloop.run(project(folder, commits))
    more: dict[str, object] = {"us_a_mail": spent / mails * 1e6, "decode_us_a_mail": reading / mails * 1e6}
    emit(Outcome("projection", mails / spent, "mails/s", Yardstick("raw sqlite3", mails / raw), raw / spent, more=more))
