"""The reporting process: the log in order comes in, answers about it go out.

    EVENTS             -> projector -> views in SQL
    PEOPLE             -> directory of names, addresses and notes in SQL
    query.*.<name>     -> handlers  -> answers from the views (the ledger: from log and AUDIENCE alone)

A view that cannot take an event pauses and says so (`views`), the others go on. A log that was cut or replaced ends the
process: the views must be rebuilt. Run it with `python -m services.reporting.app`.
"""

from services.reporting import tables
from services.reporting.directory import Directory
from services.reporting.handlers import Reports, router_of
from services.reporting.views import VIEWS
from shared import metrics
from shared.contracts import subjects
from shared.database import create_engine, create_tables
from shared.eventlog.objects import Objects
from shared.eventlog.projector import Projector
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from shared.keys import KeyRing
from shared.messaging.service import Service, run_service
from shared.settings import Settings

_POSITION = metrics.gauge("posthaste_projector_position_seq", "Sequence of the log up to which the views are made")
_PENDING = metrics.gauge("posthaste_projector_pending_commits", "Commits still to come at the last delivery")
_PAUSED = metrics.gauge("posthaste_views_paused_count", "Views that cannot go on")


async def start(service: Service) -> None:
    """Wire the service."""
    settings = service.settings
    engine = create_engine(settings, "reporting")
    service.on_stop(engine.dispose)
    await create_tables(engine, tables.metadata)

    log = EventLog(service.nc)
    projector = Projector(
        log, engine, VIEWS, durable=subjects.REPORTING_VIEWS, filters=[subjects.ALL_EVENTS], batch=500
    )
    directory = Directory(Reader(service.nc, subjects.PEOPLE), engine)
    service.spawn("projector", projector.run())
    service.spawn("directory", directory.run())

    reports = Reports(
        engine=engine,
        projector=projector,
        directory=directory,
        log=log,
        audiences=Objects(service.nc, subjects.AUDIENCE),
        parked=Reader(service.nc, subjects.PARKED),
        keys=KeyRing.of(settings.secret_keys, settings.address_pepper),
    )
    service.include(router_of(reports))
    _POSITION.set_function(lambda: projector.position)
    _PENDING.set_function(lambda: projector.pending)
    _PAUSED.set_function(lambda: len(projector.paused))


if __name__ == "__main__":
    run_service("reporting", Settings(), start)
