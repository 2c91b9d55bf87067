"""What a process does not load when it starts: each of these costs a tenth of a second or more, at every start."""

import subprocess
import sys

import pytest
from argon2 import extract_parameters

from services.planner.principals import passwords

WEB = ("fastapi", "granian", "httpx", "nicegui", "starlette", "uvicorn")
SQL = ("aiosqlite", "alembic", "asyncpg", "sqlalchemy")
FOR_FEW = ("aiohttp", "inscriptis", "lxml", "nicegui", "opentelemetry.sdk", "shared.contracts.asyncapi", "typer")
SPARED = {
    "import services.planner.app": ("alembic", "cryptography", "dns", "fastapi", "httpx", "uvicorn", *FOR_FEW),
    "import services.reporting.app": ("alembic", "cryptography", "fastapi", "uvicorn", *FOR_FEW),
    "import services.sender.app": (*SQL, *WEB, "cryptography", *FOR_FEW),
    "import services.tracker.app": (*SQL, "fastapi", "faststream", "httpx", "uvicorn", *FOR_FEW),
    "import deploy.catcher.__main__": (*SQL, *WEB, "nats", "pydantic"),
    "from cli.main import program; program('mailing')": (
        *(*SQL, *WEB, "aiohttp", "cryptography", "email_validator", "faststream", "prometheus_client"),
        *("deploy.local", "services", "shared.contracts.answers"),
    ),
    "from cli.main import program; program('classify')": (
        *(*SQL, *WEB, "cli.session", "faststream", "pydantic", "services.tracker.app", "uvloop"),
    ),
}


@pytest.mark.parametrize(("program", "spared"), SPARED.items(), ids=[program.split()[1] for program in SPARED])
def test_a_start_loads_nothing_that_is_not_needed_yet(program: str, spared: tuple[str, ...]) -> None:
    """A new import at the top of a module shows here, with the name of what it drags in."""
    asked = f"import sys; {program}; print(*set({spared!r}).intersection(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_comparing_with_nobody_takes_as_long_as_with_somebody() -> None:
    """What stands for the hash of nobody was made with the parameters of today."""
    assert extract_parameters(passwords._NOBODY) == extract_parameters(passwords._hasher.hash("of somebody"))
