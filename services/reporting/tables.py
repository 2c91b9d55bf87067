"""The tables of reporting, one group per view: a view writes only its own, so each can be paused and rebuilt alone.

Times are milliseconds since 1970, seconds where a column says so; lists and maps are JSON text; names stand only in the
directory, which is filled from PEOPLE and no part of any rebuild.
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True, nullable=False)


def _key_number(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _maybe(name: str) -> Column[int]:
    return Column(name, BigInteger)


# progress
campaigns = Table(
    "campaigns",
    metadata,
    _key("campaign"),
    _text("name"),
    _text("kind"),
    _text("lists"),
    _text("starts_on"),
    _text("ends_on"),
    _text("status"),
    _number("opened_at"),
    _number("approval"),
    Column("statuses", Text, nullable=False, server_default="{}"),
    _text("utm"),
)

mailings = Table(
    "mailings",
    metadata,
    _key("mailing"),
    *(_text(name) for name in ("test_of", "campaign", "name", "account", "subject", "content", "links")),
    *(_text(name) for name in ("doubt", "tracking", "status", "reason", "zone", "hours", "audience", "left_out")),
    *(_number(name) for name in ("retry_for", "audience_position", "chunks", "drafted_at", "deleted")),
    *(_number(name) for name in ("planned", "chunks_planned", "chunks_finished", "parked", "evidence")),
    *(_number(name) for name in ("accepted", "deferred", "rejected", "skipped", "expired", "cancelled", "in_doubt")),
    *(_maybe(name) for name in ("recipients", "customers", "per_hour", "starts_at", "deadline", "until", "opens")),
    *(_maybe(name) for name in ("started_at", "finished_at", "first_sent", "last_sent")),
    Column("seconds_between", Float),
    _text("ab_test"),
    Index("mailings_by_campaign", "campaign"),
)

chunks = Table(
    "chunks",
    metadata,
    _key("mailing"),
    _key_number("n"),
    Column("states", LargeBinary, nullable=False),
    _number("unsettled"),
    _number("finished"),
    _text("parked"),
    _text("version"),
    sqlite_with_rowid=False,
)

# recipients
recipients = Table(
    "recipients",
    metadata,
    _key("mailing"),
    _key_number("n"),
    _key_number("idx"),
    _text("contact"),
    Column("outcome", Integer, nullable=False, server_default=text("0")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _maybe("reply"),
    Column("queue_id", Text),
    _maybe("at"),
    Column("cause", Text),
    _maybe("until"),
    Column("evidence", Text),
    Index(
        "recipients_by_outcome",
        *("mailing", "outcome", "n", "idx"),
        sqlite_where=text("outcome > 1"),
        postgresql_where=text("outcome > 1"),
    ),
    sqlite_with_rowid=False,
)

replies = Table(
    "replies",
    metadata,
    _key_number("reply"),
    _text("host"),
    _number("code"),
    _text("enhanced"),
    _text("text"),
)

# engagement
hits = Table(
    "judged_hits",
    metadata,
    _key("mailing"),
    _key_number("n"),
    _key_number("idx"),
    _key("id"),
    _number("link"),
    _number("at"),
    *(_text(name) for name in ("method", "agent", "network")),
    Column("crowd", Text),
    *(_text(name) for name in ("verdict", "reason")),
    Index(
        "judged_hits_by_crowd",
        *("mailing", "crowd"),
        sqlite_where=text("crowd is not null"),
        postgresql_where=text("crowd is not null"),
    ),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    _key("mailing"),
    _key_number("n"),
    Column("at", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

link_counts = Table(
    "judged_links",
    metadata,
    _key("mailing"),
    _key_number("link"),
    *(_number(name) for name in ("human", "proxy", "apple", "machine", "unknown", "people", "others")),
)

hit_points = Table(
    "judged_seconds",
    metadata,
    _key("mailing"),
    _key_number("second"),
    *(_number(name) for name in ("opens", "clicks", "others")),
)

judged_by = Table("judged_by", metadata, _key("mailing"), _number("rules"))

# timeline
points = Table("points", metadata, _key("mailing"), _key_number("second"), _number("accepted"))

# providers
chunk_places = Table(
    "chunk_places",
    metadata,
    _key("mailing"),
    _key_number("n"),
    _text("account"),
    _text("lane"),
    sqlite_with_rowid=False,
)

provider_hours = Table(
    "provider_hours",
    metadata,
    _key("account"),
    _key("provider"),
    _key_number("hour"),
    *(_number(name) for name in ("accepted", "deferred", "rejected", "slowed", "suspended")),
    Index("provider_hours_by_hour", "hour"),
)

# log
log_lines = Table(
    "log_lines",
    metadata,
    _key_number("seq"),
    _key_number("place"),
    _text("mailing"),
    _text("campaign"),
    _text("type"),
    _number("at"),
    _text("principal"),
    _text("text"),
    Index("log_lines_by_mailing", "mailing", "seq", "place"),
)

# consent
consent_acts = Table(
    "consent_acts",
    metadata,
    _key("id"),
    _number("seq"),
    *(_text(name) for name in ("address_key", "scope", "act", "how", "mailing")),
    _maybe("n"),
    _maybe("idx"),
    *(_text(name) for name in ("comment", "reason", "principal", "words")),
    _number("at"),
    Index("consent_acts_by_address", "address_key", "seq"),
    Index("consent_acts_by_mailing", "mailing", "act"),
)

consent_states = Table(
    "consent_states",
    metadata,
    _key("address_key"),
    _key("scope"),
    _text("act"),
    _number("seq"),
    _number("at"),
)

# feedback
returns = Table(
    "returns",
    metadata,
    _key("id"),
    _number("seq"),
    *(_text(name) for name in ("kind", "mailing")),
    _maybe("n"),
    _maybe("idx"),
    *(_text(name) for name in ("address_key", "proven", "source", "reason", "scope", "status", "reply_code", "note")),
    _number("permanent"),
    _number("at"),
    Index("returns_by_mailing", "mailing", "kind", "n", "idx"),
    Index("returns_by_address", "address_key", "seq"),
)

# statuses
customer_statuses = Table(
    "customer_statuses",
    metadata,
    _key("campaign"),
    _key("contact"),
    *(_text(name) for name in ("mailing", "outcome", "status")),
    *(_number(name) for name in ("at", "seq", "part", "place")),
    Index("customer_statuses_by_contact", "contact"),
    Index("customer_statuses_by_seq", "seq", "part", "place"),
)

# tracking URLs
tracking_urls = Table("tracking_urls", metadata, Column("url", Text, primary_key=True), _text("name"))

# directory: from PEOPLE, not from the log
people = Table(
    "people",
    metadata,
    _key("contact"),
    _text("address"),
    _text("name"),
    _text("source"),
    _text("external"),
    _text("slot"),
    _text("customer"),
    _number("page"),
    Index("people_by_record", "source", "external"),
    Index("people_by_page", "page"),
)

notes = Table("notes", metadata, _key("key"), _text("text"))

LIST_NOTE = "list."
"""How the keys of notes begin that hold what a list is called."""

directory_position = Table("directory_position", metadata, _key("name"), _number("seq"))

# which log the views are made from
log_memory = Table("log_memory", metadata, _key("incarnation"))
