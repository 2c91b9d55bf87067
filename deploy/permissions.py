"""Who may say what on NATS: a user for each service, for people at the command line, for producers, for deploying.

A service publishes only the events it owns, reads only the streams it needs, and can neither create nor change a stream
nor touch the durables of another service. A request names its principal in the second token, and a user may publish
its own name only; what it may ask for is in shared/contracts/principals.py. `deploy` may do everything and is used by
deploy/apply.py alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from deploy.streams import CONSUMERS, SOURCE_CONSUMER
from shared.contracts import subjects


@dataclass(frozen=True)
class Permissions:
    """What one user may do; a denial outweighs a permission."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    deny_publish: tuple[str, ...] = ()
    responds: bool = False


def _inbox(user: str) -> str:
    """Return where a user hears answers: on inboxes of its own, or it would hear what others are answered."""
    return f"{subjects.inbox_prefix(user)}.>"


def _object_store(name: str) -> str:
    return f"OBJ_{name}"


def _bucket(name: str) -> str:
    return f"KV_{name}"


def _reads(*streams: str) -> list[str]:
    """Get single messages and read in order by consumers without a name of their own."""
    return [
        subject
        for stream in streams
        for subject in (
            f"$JS.API.STREAM.MSG.GET.{stream}",
            f"$JS.API.DIRECT.GET.{stream}",
            f"$JS.API.DIRECT.GET.{stream}.>",
            f"$JS.API.CONSUMER.CREATE.{stream}.>",
            f"$JS.API.CONSUMER.DELETE.{stream}.*",
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*",
            f"$JS.ACK.{stream}.>",
        )
    ]


def _erases(*streams: str) -> list[str]:
    return [f"$JS.API.STREAM.MSG.DELETE.{stream}" for stream in streams]


def _purges(*streams: str) -> list[str]:
    return [f"$JS.API.STREAM.PURGE.{stream}" for stream in streams]


_LOOKS = ("$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.*.*", "$JS.FC.>")


def _foreign_durables(own: Iterable[str]) -> tuple[str, ...]:
    """Deny what would change, empty or acknowledge the durables of others."""
    fixed = {(consumer.stream, consumer.name) for consumer in CONSUMERS}
    fixed |= {(stream, SOURCE_CONSUMER) for stream in (subjects.EVENTS, subjects.TIMERS)}
    return tuple(
        subject
        for stream, name in sorted(fixed)
        if name not in own
        for subject in (
            f"$JS.API.CONSUMER.CREATE.{stream}.{name}",
            f"$JS.API.CONSUMER.CREATE.{stream}.{name}.>",
            f"$JS.API.CONSUMER.DELETE.{stream}.{name}",
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}",
            f"$JS.ACK.{stream}.{name}.>",
        )
    )


def _service(
    name: str, *, publish: list[str], listen: tuple[str, ...] = (), durables: tuple[str, ...] = ()
) -> Permissions:
    return Permissions(
        publish=(*_LOOKS, f"parked.{name}.>", f"cmd.{name}.>", f"query.{name}.>", *publish),
        subscribe=(_inbox(name), *listen),
        deny_publish=_foreign_durables(durables),
        responds=bool(listen),
    )


def _person(name: str) -> Permissions:
    """Return what a person at the command line may do: ask in the own name, upload, look at log and audience."""
    return Permissions(
        publish=(
            *_LOOKS,
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.LIST",
            "$JS.API.CONSUMER.LIST.*",
            f"cmd.{name}.>",
            f"query.{name}.>",
            "in.upload.>",
            *_reads(subjects.EVENTS, _object_store(subjects.AUDIENCE), subjects.PARKED),
        ),
        subscribe=(_inbox(name),),
        deny_publish=_foreign_durables(()),
    )


def _program(name: str) -> Permissions:
    """Return what a program elsewhere may do: ask in its own name, tell, upload, hear the feed."""
    return Permissions(
        publish=(
            *(f"cmd.{name}.>", f"query.{name}.>", "in.upload.>"),
            *(subjects.CONTACTS_IN, subjects.ACTIVITIES_IN),
            *(f"$JS.API.STREAM.INFO.{subjects.OUT}", f"$JS.API.CONSUMER.INFO.{subjects.OUT}.*"),
            *_reads(subjects.OUT),
            *(f"$JS.API.CONSUMER.CREATE.{subjects.OUT}", f"$JS.API.CONSUMER.DURABLE.CREATE.{subjects.OUT}.*"),
        ),
        subscribe=(_inbox(name),),
    )


_AUDIENCE = _object_store(subjects.AUDIENCE)
_CONTENT = _object_store(subjects.CONTENT)
_PACING = _bucket(subjects.PACING)
_SECRETS = _bucket(subjects.SECRETS)
_WITNESS = _bucket(subjects.WITNESS)
_PRINCIPALS = _bucket(subjects.PRINCIPALS)
_MAILBOXES = _bucket(subjects.MAILBOXES)

PLANNER = _service(
    "planner",
    publish=[
        *(
            "evt.campaign.>",
            "evt.mailing.>",
            "evt.plan.>",
            "evt.account.>",
            "evt.domain.>",
            "evt.template.>",
            "evt.tracking_url.>",
            "evt.series.>",
            "evt.mailbox.>",
            "evt.audience.>",
            "evt.consent.>",
            "evt.statuses.>",
        ),
        *("evt.log.>", f"$KV.{subjects.WITNESS}.>"),
        *("evt.principal.>", f"$KV.{subjects.PRINCIPALS}.>"),
        *(subjects.ALL_TIMERS, subjects.ALL_DUES, subjects.ALL_PAYLOADS, subjects.ALL_PEOPLE, "in.upload.>"),
        *(f"$O.{subjects.AUDIENCE}.>", f"$O.{subjects.CONTENT}.>", f"$KV.{subjects.SECRETS}.>"),
        *(subjects.probe(), subjects.rehearsal(), subjects.probe_mailbox(), subjects.desk()),
        *_reads(subjects.EVENTS, subjects.TIMERS, subjects.PAYLOADS, subjects.PEOPLE, subjects.INBOX, subjects.PARKED),
        *_reads(_AUDIENCE, _CONTENT, _SECRETS, _PRINCIPALS, _WITNESS, _MAILBOXES),
        *_erases(subjects.TIMERS, subjects.PAYLOADS, subjects.PEOPLE, subjects.INBOX, subjects.PARKED),
        *_erases(_AUDIENCE, _CONTENT, _SECRETS, _PRINCIPALS),
        *_purges(subjects.TIMERS, subjects.INBOX, _AUDIENCE, _CONTENT),
    ],
    listen=("cmd.>", "query.>", subjects.trust()),
    durables=(subjects.PLANNER_FACTS, subjects.PLANNER_TIMERS, subjects.PLANNER_INTAKE),
)

SENDER = _service(
    "sender",
    publish=[
        *("evt.chunk.>", "evt.relay.>", "timer.retry.>", "due.retry.>", f"$KV.{subjects.PACING}.>", subjects.trust()),
        *_reads(subjects.EVENTS, subjects.JOBS, subjects.PAYLOADS, _AUDIENCE, _CONTENT, _SECRETS, _PACING),
        *_purges(subjects.TIMERS),
    ],
    listen=(subjects.probe(), subjects.view(), subjects.rehearsal()),
)

TRACKER = _service(
    "tracker",
    publish=[
        *("evt.engagement.>", "evt.consent.>", "evt.feedback.>", "person.note.>", subjects.ALL_INTAKE),
        *_reads(subjects.EVENTS, subjects.PAYLOADS, subjects.INBOX, _CONTENT, _MAILBOXES),
        *(f"$KV.{subjects.MAILBOXES}.>", subjects.view()),
        f"$JS.API.DIRECT.GET.{subjects.PEOPLE}.{subjects.person_list('*')}",  # what lists are called, nobody's name
        # Passwords of mailboxes and no other secret.
        f"$JS.API.DIRECT.GET.{_SECRETS}.{subjects.sealed(subjects.mailbox_password('*'))}",
    ],
    listen=(subjects.probe_mailbox(), subjects.desk()),
)

REPORTING = _service(
    "reporting",
    publish=[
        *(subjects.ALL_OUT, subjects.trust()),
        *_reads(subjects.EVENTS, subjects.PEOPLE, subjects.PARKED, subjects.OUT),
        *_reads(_AUDIENCE, _CONTENT, _PRINCIPALS),
    ],
    listen=("cmd.>", "query.>"),
    durables=(subjects.REPORTING_VIEWS, subjects.REPORTING_DIRECTORY),
)

USERS: dict[str, Permissions] = {
    "planner": PLANNER,
    "sender": SENDER,
    "tracker": TRACKER,
    "reporting": REPORTING,
    "operator": _person("operator"),
    "producer": _program("producer"),
    "deploy": Permissions(publish=(">",), subscribe=(">",)),
}
