"""The first use in README.md, command by command, as a newcomer pastes it."""

import asyncio
import os
import re
import sys
from pathlib import Path

from deploy.local import Local
from tests.harness.posthaste import Posthaste

README = Path(__file__).parents[2] / "README.md"


def steps() -> list[tuple[str, list[str]]]:
    """Return each command of the console blocks with the lines it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def shape(line: str) -> str:
    """Return a line without what differs from run to run: instants, ids, numbers, the width of columns."""
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "T", line)
    line = re.sub(r"\b[0-9a-z]{12}\b", "ID", line)
    return " ".join(re.sub(r"\d+", "#", line).split())


async def test_the_first_use_works_as_it_is_written(local: Local, posthaste: Posthaste, tmp_path: Path) -> None:
    """Every command succeeds and prints the lines that the page shows; only the port of the catcher is another."""
    folder = tmp_path / "here"
    folder.mkdir()
    environment = posthaste.environment | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    told = steps()
    assert len(told) > 10
    for command, shown in told:
        process = await asyncio.create_subprocess_shell(
            command.replace("--port 2525", f"--port {local.ports.catcher_smtp}"),
            cwd=folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
        assert process.returncode == 0, f"{command}\n{printed}"
        missing = {shape(line) for line in shown} - {shape(line) for line in printed.splitlines()}
        assert not missing, f"{command}\n{printed}"
