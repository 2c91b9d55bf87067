"""What every process shows of itself beside what it does: its connection to NATS and the disk under its data."""

import shutil
from collections.abc import Callable
from pathlib import Path

from shared import metrics

_NATS = metrics.gauge("posthaste_nats_up", "1 while this process is connected to NATS")
_FREE = metrics.gauge("posthaste_disk_free_bytes", "Free on the file system of the data folder")
_SIZE = metrics.gauge("posthaste_disk_size_bytes", "Size of the file system of the data folder")


def show(data_dir: Path, connected: Callable[[], bool]) -> None:
    """Show them from now on."""
    _NATS.set_function(lambda: float(connected()))
    _FREE.set_function(lambda: float(shutil.disk_usage(_existing(data_dir)).free))
    _SIZE.set_function(lambda: float(shutil.disk_usage(_existing(data_dir)).total))


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there already."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
