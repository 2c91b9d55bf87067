"""The planner: wiring only.

In: commands and queries on NATS and over HTTP, uploads, contacts from producers, facts from the log, timers that fire.
Out: events of campaigns, mailings, accounts, plans, contacts and suppression; payloads, audiences, contents, pages of
the directory.
Its tables are in one database; all that decides is in the log.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from faststream.nats import NatsRouter
from faststream.nats.message import NatsMessage

from services.planner import handlers, queries
from services.planner.audience.freezing import Freezer
from services.planner.audience.outcome_facts import OutcomeFacts
from services.planner.audience.version_figures import VersionFigures
from services.planner.audit import Audit
from services.planner.board import Board
from services.planner.census import Census
from services.planner.consent.opt_ins import OptIns
from services.planner.consent.suppressor import Suppressor
from services.planner.contacts.directory import Directory
from services.planner.contacts.mail_domains import MailDomains, exchangers_at
from services.planner.facts import FILTERS, Facts
from services.planner.guard import Guard
from services.planner.housekeeping import Housekeeping
from services.planner.intake.imports import Importer
from services.planner.intake.producers import Intake
from services.planner.intake.uploads import Uploads
from services.planner.mailings.dry_runs import DryRuns
from services.planner.mailings.dry_runs import Reach as DryRunReach
from services.planner.mailings.series_runs import SeriesRuns
from services.planner.mailings.test_mails import TestMails
from services.planner.memories import Memories
from services.planner.notices.lookup import Lookup
from services.planner.notices.mails import Notices
from services.planner.notices.mails import Reach as NoticeReach
from services.planner.notices.webhooks import NoticeHooks
from services.planner.parts import Parts
from services.planner.planning import dues
from services.planner.planning.chunks import Planning
from services.planner.planning.copies import Copies
from services.planner.planning.copies import Reach as CopyReach
from services.planner.planning.process import Process, Reach
from services.planner.principals.records import Records
from services.planner.principals.throttle import Throttle
from services.planner.schema import METADATA, FairEngine
from services.planner.settings import PlannerSettings
from services.planner.statuses.setting import StatusSetter
from services.planner.statuses.status_facts import StatusFacts
from shared.contracts import api, subjects
from shared.contracts.commands import Recollection, Word
from shared.contracts.envelope import Commit
from shared.database import create_engine
from shared.eventlog import checkpoints, metrics
from shared.eventlog.documents import Documents
from shared.eventlog.incarnation import Memory
from shared.eventlog.keys import Bucket
from shared.eventlog.objects import Objects
from shared.eventlog.projector import Projector
from shared.eventlog.pull import Pull
from shared.eventlog.reader import Reader
from shared.eventlog.server_clock import leading
from shared.eventlog.store import EventLog
from shared.eventlog.timers import Timers
from shared.eventlog.views import View
from shared.keys import KeyRing
from shared.messaging.answers import CommandRouter
from shared.messaging.ask import ask
from shared.messaging.http.gate import Gate
from shared.messaging.http.server import serve
from shared.messaging.http.surface import create_app
from shared.messaging.principals import Principals
from shared.messaging.service import Service, run_service
from shared.migrations import migrate
from shared.providers import Providers

VIEWS: tuple[View, ...] = (Facts(), OutcomeFacts(), StatusFacts())

_FACTS_S = 30.0


async def start(service: Service, settings: PlannerSettings) -> None:
    """Put the planner together on the connection of `service`."""
    nc, keys = service.nc, KeyRing.of(settings.secret_keys, settings.address_pepper)
    service.spawn("clock", (await leading(nc)).run())
    engine = FairEngine(create_engine(settings, "planner"))
    service.on_stop(engine.dispose)
    await migrate(engine, "services.planner.migrations", tables=(METADATA, checkpoints.METADATA))
    guard = Guard(EventLog(nc), Memories(engine), Bucket(nc, subjects.WITNESS))
    service.on_stop(guard.remember)
    log, board, contents = EventLog(nc), Board(engine), Objects(nc, subjects.CONTENT)
    bucket = subjects.bucket(subjects.PRINCIPALS)
    records = Records(Documents(nc, bucket), Reader(nc, bucket))
    principals = Principals(log, Documents(nc, bucket), keys)
    await principals.start()
    service.on_stop(principals.stop)
    service.check("principals", principals.problem)

    async def facts_at(seq: int, seconds: float) -> None:
        await facts.wait_for(seq, seconds)

    async def consent_position() -> int:
        await facts_at(await log.last_seq(subjects.ALL_CONSENT), _FACTS_S)
        return facts.position

    directory = Directory(engine, Documents(nc, subjects.PEOPLE))
    providers = Providers.load(settings.providers_file)
    importer = Importer(engine, log, Documents(nc, subjects.INBOX), keys, directory, providers)
    freezer = Freezer(engine, Objects(nc, subjects.AUDIENCE), settings.data_dir / "planner", consent_position)
    planning = Planning(engine, log, Documents(nc, subjects.PAYLOADS), contents, keys)
    opt_ins = OptIns(engine, log, keys, planning, providers=providers, facts_at=facts_at)
    intake = Intake(engine, log, keys, directory, opt_ins=opt_ins, providers=providers)
    test_mails = TestMails(engine, log, board, planning, keys)
    suppressor = Suppressor(engine, log, planning, facts_at, settings.soft_bounces)
    figures, notices, hooks, copies, statuses = (
        VersionFigures(engine, log, freezer, facts_at),
        Notices(NoticeReach(engine, log, planning, contents, keys, settings.sweep_seconds)),
        NoticeHooks(engine, Lookup(engine, log, contents), settings),
        Copies(CopyReach(engine, log, planning, contents, keys, facts_at, settings.sweep_seconds)),
        StatusSetter(engine, log, facts_at),
    )
    process = Process(Reach(log, board, Timers(nc), freezer, planning, test_mails, figures, facts_at, settings))
    told = _all(*(each.on_applied for each in (process, suppressor, notices, hooks, copies, statuses)))
    facts = Projector(log, engine, VIEWS, durable=subjects.PLANNER_FACTS, filters=FILTERS, on_applied=told)
    parts = Parts(
        settings=settings,
        engine=engine,
        log=log,
        board=board,
        importer=importer,
        intake=intake,
        directory=directory,
        freezer=freezer,
        planning=planning,
        test_mails=test_mails,
        figures=figures,
        series=(series := SeriesRuns(lambda: parts)),
        dry_runs=DryRuns(DryRunReach(engine, log, freezer, planning, keys, partial(ask, nc), settings.probe_seconds)),
        contents=contents,
        inbox=Documents(nc, subjects.INBOX),
        secrets=Bucket(nc, subjects.SECRETS),
        vault=Documents(nc, subjects.bucket(subjects.SECRETS)),
        readings=Bucket(nc, subjects.MAILBOXES),
        keys=keys,
        guard=guard,
        principals=principals,
        records=records,
        throttle=Throttle(engine),
        opt_ins=opt_ins,
        ask=partial(ask, nc, seconds=settings.probe_seconds),
        facts_at=facts_at,
    )
    requests = CommandRouter("planner", audit=Audit(engine, keys).record)
    handlers.register(requests, parts)
    queries.register(requests, parts)
    service.include(requests.router)
    service.include(_word_of(guard))
    gate = Gate(principals, settings)
    flows = {api.UPLOAD.name: Uploads(gate, Documents(nc, subjects.INBOX), settings).take}
    serve(service, create_app("planner", requests, gate, settings, flows), settings)
    service.check("facts", lambda: ", ".join(f"{name}: {why}" for name, why in facts.paused.items()))
    metrics.show(subjects.PLANNER_FACTS, facts)
    service.spawn("census", Census(engine, stuck_seconds=settings.stuck_seconds).run())
    service.spawn("guard", guard.run())
    service.spawn("facts", guard.then(facts.run))
    service.spawn("process", guard.then(process.run))
    service.spawn(
        "timers", guard.then(partial(dues.follow, Pull(nc, subjects.TIMERS, subjects.PLANNER_TIMERS), process))
    )
    service.spawn("checkpoints", engine.checkpoints())
    for name, worker in (
        ("suppressor", suppressor),
        ("statuses", statuses),
        ("notices", notices),
        ("webhooks", hooks),
        ("copies", copies),
        ("imports", importer),
        ("dry_runs", parts.dry_runs),
        ("series", series),
        ("intake", intake),
        ("directory", directory),
        ("housekeeping", Housekeeping(parts)),
        ("mail_domains", MailDomains(engine, providers, exchangers_at(settings.dns_server), settings)),
    ):
        service.spawn(name, guard.then(worker.run))


Applied = Callable[[int, Sequence[Commit]], Awaitable[None]]


def _all(*each: Applied) -> Applied:
    async def on_applied(seq: int, commits: Sequence[Commit]) -> None:
        for applied in each:
            await applied(seq, commits)

    return on_applied


def _word_of(guard: Guard) -> NatsRouter:
    """Answer services that tell what they remember of the log."""
    router = NatsRouter()

    @router.subscriber(subjects.trust(), queue="planner", decoder=_raw)
    async def trust(body: bytes) -> bytes:
        said = Recollection.model_validate_json(body)
        if said.incarnation:
            await guard.hear(said.who, Memory(said.incarnation, said.seq, said.event_id))
        return Word(why=await guard.word(), incarnation=guard.incarnation).model_dump_json().encode()

    return router


async def _raw(message: NatsMessage) -> bytes:
    return bytes(message.body)


def main() -> None:
    """Run the planner until it is told to stop."""
    settings = PlannerSettings()
    run_service("planner", settings, lambda service: start(service, settings))


if __name__ == "__main__":
    main()
