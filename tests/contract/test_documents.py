"""Documents that can be erased: the first writer decides, and what is erased is not on the disk any more."""

import asyncio

import pytest

from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from tests.contract.conftest import Connect, Servers
from tests.harness.waiting import until

SUBJECT = "payload.m1.0"
SECRET = b"jane.doe@example.com"


@pytest.fixture
async def documents(servers: Servers, connected: Connect) -> Documents:
    """Return the documents of a fresh PAYLOADS stream."""
    nc = await connected()
    await servers.create(nc, "PAYLOADS", max_msgs_per_subject=-1)
    return Documents(nc, "PAYLOADS")


def _nodes_with(servers: Servers, text: bytes, below: str = "streams") -> list[str]:
    """Return the nodes in whose files of messages `text` can be read."""
    return [
        node.name
        for node in servers.nodes
        if any(text in file.read_bytes() for file in node.store_dir.rglob("*.blk") if below in file.parts)
    ]


async def test_a_document_is_stored_once(servers: Servers, documents: Documents, connected: Connect) -> None:
    """Whoever comes second gets what the first one stored."""
    other = Documents(await connected(servers.nodes[-1].url), "PAYLOADS")
    assert await documents.put_once(SUBJECT, b"first") == b"first"
    assert await other.put_once(SUBJECT, b"second") == b"first"
    assert await documents.put_once(SUBJECT, b"first") == b"first"
    assert await other.get(SUBJECT) == b"first"


async def test_of_many_first_writers_all_agree(documents: Documents) -> None:
    """Twenty planners at once end up with the same bytes."""
    stored = await asyncio.gather(*(documents.put_once(SUBJECT, b"%d" % number) for number in range(20)))
    assert len(set(stored)) == 1
    assert await documents.get(SUBJECT) == stored[0]


async def test_a_missing_document_is_an_error(documents: Documents) -> None:
    """Nothing is not an empty document."""
    with pytest.raises(MissingError, match="payload"):
        await documents.get("payload.m1.99")
    assert await documents.put_once("payload.m1.1", b"") == b""
    assert await documents.get("payload.m1.1") == b""


async def test_an_erased_document_cannot_be_read_in_the_files(servers: Servers, documents: Documents) -> None:
    """Erasing overwrites the bytes on every node, its neighbours stay."""
    await documents.put_once("payload.m1.7", b"neighbour@example.com")
    await documents.put_once(SUBJECT, b'{"address": "' + SECRET + b'"}' * 50)
    await documents.put_once("payload.m1.8", b"other@example.com")
    await until(lambda: len(_nodes_with(servers, SECRET)) == servers.replicas)
    await documents.erase(SUBJECT)
    with pytest.raises(MissingError):
        await documents.get(SUBJECT)
    await until(lambda: _nodes_with(servers, SECRET) == [])
    assert len(_nodes_with(servers, b"neighbour@example.com")) == servers.replicas
    assert await documents.get("payload.m1.8") == b"other@example.com"
    await documents.erase(SUBJECT)


async def test_a_replaced_document_leaves_nothing_of_the_old_one(servers: Servers, documents: Documents) -> None:
    """Blanking a row removes the person from the files too."""
    await documents.put_once(SUBJECT, b'{"address": "' + SECRET + b'"}')
    await until(lambda: len(_nodes_with(servers, SECRET)) == servers.replicas)
    await documents.replace(SUBJECT, b'{"address": ""}')
    assert await documents.get(SUBJECT) == b'{"address": ""}'
    await until(lambda: _nodes_with(servers, SECRET) == [])
    await documents.replace("payload.m1.5", b"new")
    assert await documents.get("payload.m1.5") == b"new"


async def test_replacing_at_the_same_time_leaves_one_document(documents: Documents) -> None:
    """Of several replacements the last one stays, whole."""
    await documents.put_once(SUBJECT, b"0")
    await asyncio.gather(*(documents.replace(SUBJECT, b"%d" % number) for number in range(1, 5)))
    assert await documents.get(SUBJECT) in {b"1", b"2", b"3", b"4"}
    await documents.erase(SUBJECT)
    with pytest.raises(MissingError):
        await documents.get(SUBJECT)
