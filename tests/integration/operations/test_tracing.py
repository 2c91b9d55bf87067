"""Traces of a real installation, sent to a real collector: the tree from command to delivery to click."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from email import message_from_bytes
from pathlib import Path

import pytest

from shared import tracing
from shared.otlp import Collector
from shared.tracing import Place, Span
from tests.harness.collector import OtlpCollector, Seen
from tests.harness.containers import ROOT
from tests.harness.installations import running
from tests.harness.system import System, people
from tests.harness.waiting import until
from tests.harness.web import Web

QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
HTML = '<p>Hello {{ name }}, <a href="https://shop.example/sale">the sale</a></p>'
COUNT = 120
DOCUMENTED = re.findall(
    r"^\| `([\w ./-]+)` \| ([\w, ]+) \| (`?[\w -]*`?) \|",
    (ROOT / "docs/operations.md").read_text().split("### Traces\n")[1].split("\n## ")[0],
    re.MULTILINE,
)
SERVICES = {name: service for name, service, _ in DOCUMENTED if name != "project batch"}
"""The spans of a mailing's own trace, with who records them."""


def ids(place: Place) -> tuple[str, str]:
    """Return a place as a collector sees it."""
    return f"{place.trace:032x}", f"{place.span:016x}"


async def visited(system: System) -> None:
    """Open, click and unsubscribe as the recipient of one of the mails that arrived."""
    mail = message_from_bytes(system.relay.accepted[0].content)
    html = next(part for part in mail.walk() if part.get_content_type() == "text/html").get_payload(decode=True)
    assert isinstance(html, bytes)
    pixel, click = re.search(rb'src="([^"]+/o/[^"]+)"', html), re.search(rb'href="([^"]+/c/[^"]+)"', html)
    assert pixel is not None
    assert click is not None
    web = Web("127.0.0.1", system.local.ports.tracker)
    assert (await web.get(click[1].decode())).status == 302
    assert (await web.post(mail["List-Unsubscribe"].strip("<>"), b"List-Unsubscribe=One-Click")).status == 200


@pytest.mark.feature("B22")
async def test_a_mailing_is_one_tree_from_command_to_delivery_to_click(tmp_path: Path) -> None:
    """Two senders, planner and tracker, none told of the others, and all spans hang together and name no person."""
    with OtlpCollector() as collector:
        async with running(
            tmp_path / "data", senders=2, extra=QUICK | {"POSTHASTE_OTLP_ENDPOINT": collector.url}
        ) as system:
            mailing = await system.start(people(COUNT), html=HTML)
            await system.ended(mailing)
            await visited(system)
            whole = ids(tracing.whole(mailing))
            await until(lambda: {span.name for span in collector.spans if span.trace == whole[0]} >= set(SERVICES), 20)

            def projected() -> list[Seen]:
                batches = [span for span in collector.spans if span.name == "project batch" and whole in span.links]
                return batches if {span.service for span in batches} == {"planner", "reporting"} else []

            await until(projected, 20)
            await until(lambda: sum(s.what.get("accepted", 0) for s in collector.named("work chunk")) == COUNT, 20)
    assert collector.paths == {"/v1/traces"}
    tree = {span.id: span for span in collector.spans if span.trace == whole[0]}
    assert {span.name: span.service for span in tree.values() if span.name in SERVICES} == SERVICES
    roots = [span for span in tree.values() if span.parent not in tree]
    assert [(span.name, span.id, span.parent) for span in roots] == [("mailing.draft", whole[1], "")]
    assert all(span.began <= span.ended for span in tree.values())

    chunks = [span for span in tree.values() if span.name == "plan chunk"]
    assert sum(span.what["recipients"] for span in chunks) == COUNT
    assert {span.id for span in chunks} == {ids(tracing.piece(mailing, "chunk", span.what["n"]))[1] for span in chunks}
    for name, _, below in DOCUMENTED:
        found = {tree[span.parent].name for span in tree.values() if span.name == name and span.parent in tree}
        assert found == ({below.strip("` ").replace("root", "mailing.draft")} - {""}), name
    windows = [span for span in tree.values() if span.name == "half-window"]
    assert sum(span.what["mails"] for span in windows) >= COUNT, "all went out, some perhaps in a later claim"
    for window in windows:
        phases = {span.name: span for span in tree.values() if span.parent == window.id}
        assert set(phases) == {"claim", "confirm", "smtp"}
        assert phases["claim"].ended == phases["confirm"].began
        assert phases["smtp"].ended == window.ended
    click = next(span for span in tree.values() if span.name == "hits" and span.what["clicks"])
    assert (click.parent, click.what) == (whole[1], {"opens": 0, "clicks": 1})
    assert {tree[span].name for _, span in click.links} == {"plan chunk"}

    # people() are Person 0, ann0@x0.example, ...: none of that, no address and no content may be in what was sent
    assert not re.search(rb"ann\d|x\d\.example|shop\.example|Person \d|Hello|readers", collector.raw)
    assert "@" not in "".join(f"{span.service} {span.name} {span.what}" for span in collector.spans)


async def test_a_collector_that_is_away_holds_up_nothing() -> None:
    """It takes connections and never answers: spans are taken as fast as ever, and the end comes in its time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        collector = Collector("sender", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        for _ in range(4_000):
            place = tracing.some()
            collector.record(Span("claim", "internal", place, None, (), 1, 2, failed=False, what={}))
        assert time.monotonic() - began < 8, "an export takes ten seconds to give up"
        began = time.monotonic()
        collector.close()
        assert time.monotonic() - began < 8
    # The socket is closed: let the thread say its last word before the next test.
    await until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("OtelBatch")], 20)


def test_who_does_not_trace_does_not_load_the_sdk() -> None:
    """Without an endpoint neither SDK nor exporter is imported."""
    code = (
        "import json, sys, services.planner.app, services.sender.app, services.tracker.app, services.reporting.app;"
        "from shared import tracing; from shared.settings import Settings;"
        "tracing.turn_on('planner', Settings()); print(json.dumps(sorted(sys.modules)), tracing.begin())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    modules, _, began = done.stdout.rpartition(" ")
    assert not [name for name in json.loads(modules) if name.startswith(("opentelemetry.sdk", "opentelemetry.exp"))]
    assert int(began) == 0
