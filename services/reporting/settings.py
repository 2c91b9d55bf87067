"""Settings of reporting, from the environment (`POSTHASTE_...`)."""

from shared.settings import Settings


class ReportingSettings(Settings):
    """What reporting needs beside the common settings.

    Attributes:
        nats_monitoring: Monitoring addresses of all NATS servers (`http://host:8222`), comma separated, which are
            asked how full their disks are; "" asks nobody.
    """

    nats_monitoring: str = ""
