"""What integrators are given is enough: the AsyncAPI document alone, and the example of docs/producers.md."""

import ast
import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.data_folder import DataFolder
from deploy.local import Local
from tests.benchmark.relay import Sink
from tests.harness.posthaste import Posthaste
from tests.harness.waiting import until

ROOT = Path(__file__).parents[2]
PRODUCER = Path(__file__).parent / "producer.py"
COUNT = 10_000


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    """Yield a relay that takes everything and counts."""
    if shutil.which("smtp-sink", path=os.environ.get("PATH", "") + ":/usr/sbin") is None and not os.environ.get("CI"):
        pytest.skip("smtp-sink is missing: apt-get install postfix")
    sink = await Sink(tmp_path).ready()
    yield sink
    sink.stop()


async def account(posthaste: Posthaste, port: int) -> str:
    """Add a relay as an account that works, and return its id."""
    relay = ("--host", "127.0.0.1", "--port", str(port), "--tls", "none", "--sender", "news@shop.example")
    added = await posthaste("account", "add", "--name", "relay", *relay, "--json")
    assert added.code == 0, added.error
    tested = await posthaste("account", "test", "relay", "--json")
    assert tested.code == 0, tested.out + tested.error
    return str(added.json["account"])


async def ran(*command: str, local: Local, **environment: str) -> str:
    """Run a program as the producer and return what it printed."""
    access = DataFolder(local.folder.path).client_environment("producer")
    passed = {name: value for name, value in os.environ.items() if not name.startswith("POSTHASTE_")}
    process = await asyncio.create_subprocess_exec(
        *command, env=passed | access | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, error.decode()
    return out.decode()


def test_the_foreign_producer_knows_nothing_of_ours() -> None:
    """It imports nats-py and a validator of JSON schemas beside the standard library."""
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(PRODUCER.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported == {"asyncio", "json", "jsonschema", "nats", "os", "pathlib", "sys"}
    assert not [node for node in ast.walk(ast.parse(PRODUCER.read_text())) if isinstance(node, ast.ImportFrom)]


async def test_a_producer_with_the_document_alone_syncs_and_sends(
    local: Local, posthaste: Posthaste, sink: Sink
) -> None:
    """10,000 contacts by `in.contacts`, a mailing by `cmd.>`, every recipient heard of in the feed by its own id."""
    relay = await account(posthaste, sink.port)
    access = DataFolder(local.folder.path).client_environment("producer")
    out = await ran(
        *(sys.executable, "-I", str(PRODUCER), str(ROOT / "docs/asyncapi.json"), str(COUNT), relay),
        local=local,
        NATS_URL=access["POSTHASTE_NATS_URL"],
        NATS_PASSWORD=access["POSTHASTE_NATS_PASSWORD"],
    )
    heard: dict[str, Any] = json.loads(out)
    assert (heard["recipients"], heard["accepted"]) == (COUNT, COUNT)
    assert heard["changes"] == ["drafted", "audience_frozen", "scheduled", "started", "completed"]
    assert heard["outcomes"] == [["0", "accepted"], ["9", "accepted"]]
    assert heard["unknown"] == ["nobody"]
    assert "event 100, data.addresses: " in heard["problem"]
    assert sink.taken() == COUNT
    ledger = await posthaste("ledger", heard["mailing"], "--json")
    assert (ledger.code, ledger.json["balanced"]) == (0, True)


async def test_the_example_of_the_page_runs(local: Local, posthaste: Posthaste, tmp_path: Path) -> None:
    """As it is written in docs/producers.md, from contacts to the end of a mailing."""
    await account(posthaste, local.ports.catcher_smtp)
    (example,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/producers.md").read_text(), re.MULTILINE | re.DOTALL
    )
    script = tmp_path / "example.py"
    script.write_text(example)
    out = await ran(sys.executable, str(script), local=local, PYTHONPATH=str(ROOT))
    assert out.splitlines()[-1].startswith("completed: {'accepted': 100"), out
    mails = local.folder.path / "mails"
    await until(lambda: len(list(mails.glob("*/*.eml"))) == 100, 10)
