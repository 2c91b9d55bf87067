"""All streams, buckets, object stores and fixed consumers, as data for `deploy.apply`.

A stream's config is the JSON of the server's API; only fields that stand here are compared and written. Why each
stream is as it is stands in docs/decisions; the short form is beside each entry.
"""

from dataclasses import dataclass, field
from typing import Any

from shared.contracts import subjects
from shared.contracts.feed import RETENTION_DAYS

Config = dict[str, Any]

SECOND = 1_000_000_000  # the API counts in nanoseconds
DAY = 86_400 * SECOND

SOURCE_CONSUMER = subjects.JOBS_SOURCE


@dataclass(frozen=True)
class Stream:
    """One stream. `config` lacks `num_replicas`, which is a matter of the installation."""

    name: str
    config: Config
    needs: tuple["Consumer", ...] = ()


@dataclass(frozen=True)
class Consumer:
    """One fixed consumer of a stream."""

    stream: str
    name: str
    config: Config = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name it in messages."""
        return f"{self.stream}/{self.name}"


def _kept(name: str, wanted: list[str], **more: Any) -> Stream:  # noqa: ANN401 - any field of a stream
    config: Config = {
        "subjects": wanted,
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": -1,
        "allow_direct": True,
        "deny_delete": False,
        "deny_purge": False,
        "duplicate_window": 120 * SECOND,
    }
    return Stream(name, config | more)


def _bucket(name: str) -> Stream:
    """A key-value bucket with the last value of each key; deletable, for what it holds may have to be erased."""
    return _kept(
        f"KV_{name}",
        [f"$KV.{name}.>"],
        discard="new",
        max_msgs_per_subject=1,
        allow_rollup_hdrs=True,
    )


def _object_store(name: str) -> Stream:
    return _kept(
        f"OBJ_{name}",
        [f"$O.{name}.C.>", f"$O.{name}.M.>"],
        discard="new",
        allow_rollup_hdrs=True,
    )


def _source(stream: str, source_filter: str, destination: str) -> Config:
    return {
        "name": stream,
        "consumer": {"name": SOURCE_CONSUMER, "deliver_subject": f"src.{SOURCE_CONSUMER}.{stream}"},
        "subject_transforms": [{"src": source_filter, "dest": destination}],
    }


def _source_consumer(stream: str, source_filter: str) -> Consumer:
    """A position of its own for JOBS in a stream: a plain source keeps none and loses jobs at restarts (measured)."""
    config: Config = {
        "deliver_policy": "all",
        "deliver_subject": f"src.{SOURCE_CONSUMER}.{stream}",
        "ack_policy": "flow_control",
        "flow_control": True,
        "idle_heartbeat": SECOND,
        "filter_subject": source_filter,
        "max_ack_pending": 1000,
    }
    return Consumer(stream, SOURCE_CONSUMER, config)


def _projection(stream: str, durable: str, filters: list[str], *, batch: int = 500) -> Consumer:
    """An ordered reader: one batch outstanding at most, never given up, so nothing overtakes a failed batch."""
    config: Config = {
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": 15 * SECOND,
        "max_ack_pending": batch,
        "max_deliver": -1,
        "filter_subjects": filters,
    }
    return Consumer(stream, durable, config)


def _shared(stream: str, durable: str, filters: list[str]) -> Consumer:
    """Work that all instances share, in any order, never given up."""
    return Consumer(
        stream, durable, _projection(stream, durable, filters, batch=256).config | {"ack_wait": 30 * SECOND}
    )


PLANS_TO_JOBS = _source_consumer(subjects.EVENTS, subjects.ALL_PLANS)
RETRIES_TO_JOBS = _source_consumer(subjects.TIMERS, subjects.ALL_DUE_RETRIES)

STREAMS: tuple[Stream, ...] = (
    # The truth: for ever, in one order; a limit, should one ever exist, refuses writes instead of eating history.
    _kept(
        subjects.EVENTS,
        [subjects.ALL_EVENTS],
        discard="new",
        deny_delete=True,
        deny_purge=True,
        compression="s2",
    ),
    # No age limit: it would drop pending schedules in silence. The server turns roll-up on for schedules.
    _kept(subjects.TIMERS, [subjects.ALL_TIMERS, subjects.ALL_DUES], allow_msg_schedules=True, allow_msg_ttl=True),
    # Personal data, erased one by one with secure erase. No limit by subject: what a limit drops stays readable in the
    # files, so shared/eventlog/documents.py keeps one version and overwrites the others itself.
    _kept(subjects.PAYLOADS, [subjects.ALL_PAYLOADS]),
    _kept(subjects.PEOPLE, [subjects.ALL_PEOPLE]),
    _kept(subjects.INBOX, [subjects.ALL_INTAKE], max_age=7 * DAY),
    # For integrators, made from the log by reporting, which finds its place in it: whole and in order, then forgotten.
    _kept(subjects.OUT, [subjects.ALL_OUT], max_age=RETENTION_DAYS * DAY, compression="s2"),
    _kept(subjects.PARKED, [subjects.ALL_PARKED], max_age=90 * DAY),
    _bucket(subjects.PACING),
    _bucket(subjects.SECRETS),
    # What the planner remembers of the log and of its database, beside both: whichever is older is found out.
    _bucket(subjects.WITNESS),
    # How far each mailbox was read, and who reads it: lost, it is read again, and nothing counts twice.
    _bucket(subjects.MAILBOXES),
    # Names, addresses and verifiers of principals, erased one by one as those above; read by key like a bucket.
    _kept(subjects.bucket(subjects.PRINCIPALS), [subjects.principal_record("*", "*")], discard="new"),
    _object_store(subjects.AUDIENCE),
    _object_store(subjects.CONTENT),
    # Hints that a chunk may have work, made by the server from the log itself: no dual write. Disposable.
    Stream(
        subjects.JOBS,
        {
            "storage": "file",
            "retention": "workqueue",
            "discard": "old",
            "max_age": 0,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_msgs_per_subject": -1,
            "sources": [
                _source(
                    subjects.EVENTS,
                    subjects.ALL_PLANS,
                    "job.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(1)}}.{{wildcard(4)}}",
                ),
                _source(
                    subjects.TIMERS,
                    subjects.ALL_DUE_RETRIES,
                    "job.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}",
                ),
            ],
        },
        needs=(PLANS_TO_JOBS, RETRIES_TO_JOBS),
    ),
)

CONSUMERS: tuple[Consumer, ...] = (
    _projection(
        subjects.EVENTS,
        subjects.PLANNER_FACTS,
        [
            subjects.ALL_CHUNKS,
            subjects.ALL_CONSENT,
            subjects.ALL_ENGAGEMENT,
            subjects.ALL_FEEDBACK,
            subjects.ALL_RELAYS,
            subjects.ALL_ACCOUNTS,
            subjects.ALL_CAMPAIGNS,
            subjects.ALL_MAILINGS,
            subjects.ALL_STATUSES,
        ],
    ),
    _projection(subjects.EVENTS, subjects.REPORTING_VIEWS, [subjects.ALL_EVENTS]),
    _projection(subjects.PEOPLE, subjects.REPORTING_DIRECTORY, [subjects.ALL_PEOPLE]),
    _shared(subjects.INBOX, subjects.PLANNER_INTAKE, [subjects.CONTACTS_IN, subjects.ACTIVITIES_IN]),
    _projection(subjects.TIMERS, subjects.PLANNER_TIMERS, list(subjects.ALL_MAILING_DUES), batch=100),
)
