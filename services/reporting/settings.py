"""Settings of reporting, from the environment (`POSTHASTE_...`)."""

from pydantic import Field

from shared.messaging.http.settings import HttpSettings


class ReportingSettings(HttpSettings):
    """What reporting needs beside the common settings.

    Attributes:
        http_port: Port of the HTTP API and the console; 0 turns them off.
        planner_url: Where the console reaches the HTTP API of the planner.
        nats_monitoring: Monitoring addresses of all NATS servers (`http://host:8222`), comma separated, which are
            asked how full their disks are; "" asks nobody.
    """

    http_port: int = Field(default=8028, ge=0, le=65_535)
    planner_url: str = "http://127.0.0.1:8027"
    nats_monitoring: str = ""
