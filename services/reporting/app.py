"""The reporting process: the log in order comes in, answers about it go out.

    EVENTS             -> projector -> views in SQL
    PEOPLE             -> directory of names, addresses and notes in SQL
    EVENTS             -> relay     -> OUT, for integrators, while one reads
    query.*.<name>     -> handlers  -> answers from the views (the ledger: from log and AUDIENCE alone)
    HTTP               -> the same handlers, exports, live streams; the console, which asks them

A view that cannot take an event pauses and says so (`views`), the others go on. While the log is not the one the views
were made from, they stand still until an operator confirms it (trust.py). Run it with
`python -m services.reporting.app`.
"""

from services.reporting import tables
from services.reporting.changes import Changes
from services.reporting.console.late import add_console
from services.reporting.directory import Directory
from services.reporting.export import Export
from services.reporting.handlers import Reports, router_of
from services.reporting.live import Live
from services.reporting.numbers import Numbers
from services.reporting.reference_pages import add_reference
from services.reporting.relay import Relay
from services.reporting.settings import ReportingSettings
from services.reporting.trust import project
from services.reporting.views import VIEWS
from services.reporting.watch import Watch
from shared.contracts import api, subjects
from shared.database import create_engine
from shared.eventlog import checkpoints, metrics
from shared.eventlog.documents import Documents
from shared.eventlog.objects import Objects
from shared.eventlog.projector import Projector
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from shared.eventlog.vitals import Vitals
from shared.keys import KeyRing
from shared.messaging.http.gate import Gate
from shared.messaging.http.server import serve
from shared.messaging.http.surface import Respond, create_app
from shared.messaging.principals import Principals
from shared.messaging.service import Service, run_service
from shared.migrations import migrate


async def start(service: Service, settings: ReportingSettings) -> None:
    """Wire the service."""
    engine = create_engine(settings, "reporting")
    service.on_stop(engine.dispose)
    await migrate(engine, "services.reporting.migrations", tables=(tables.metadata, checkpoints.METADATA))

    log, keys = EventLog(service.nc), KeyRing.of(settings.secret_keys, settings.address_pepper)
    changes = Changes()
    projector = Projector(
        log,
        engine,
        VIEWS,
        durable=subjects.REPORTING_VIEWS,
        filters=[subjects.ALL_EVENTS],
        batch=500,
        on_applied=changes.note,
    )
    directory = Directory(Reader(service.nc, subjects.PEOPLE), engine)
    service.spawn("projector", project(log, engine, projector))
    service.spawn("directory", directory.run())
    relay = Relay(log, engine, directory)
    service.spawn("feed", relay.run())
    # A feed that is held has its metric and alert; reporting is ready without it, so that people see why and decide.

    reports = Reports(
        engine=engine,
        projector=projector,
        directory=directory,
        log=log,
        audiences=Objects(service.nc, subjects.AUDIENCE),
        parked=Reader(service.nc, subjects.PARKED),
        out=Reader(service.nc, subjects.OUT),
        relay=relay,
        keys=keys,
    )
    requests = router_of(reports)
    service.include(requests.router)
    principals = Principals(log, Documents(service.nc, subjects.bucket(subjects.PRINCIPALS)), keys)
    await principals.start()
    service.on_stop(principals.stop)
    service.check("principals", principals.problem)
    gate = Gate(principals, settings)
    live = Live(Numbers(engine, projector), changes, gate, settings, service.stopping)
    flows: dict[str, Respond] = {
        api.EXPORT.name: Export(engine, gate).give,
        api.LIVE_MAILING.name: live.mailing,
        api.LIVE.name: live.everything,
    }
    app = create_app("reporting", requests, gate, settings, flows)
    add_reference(app)
    add_console(service, app, settings, principals, keys)
    serve(service, app, settings)
    metrics.show(subjects.REPORTING_VIEWS, projector)
    service.spawn("watch", Watch(Vitals(service.nc), engine, settings.nats_monitoring).run())


def main() -> None:
    """Run reporting until it is told to stop."""
    settings = ReportingSettings()
    run_service("reporting", settings, lambda service: start(service, settings))


if __name__ == "__main__":
    main()
