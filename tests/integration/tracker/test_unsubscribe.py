"""Unsubscribing: a POST with the right words does it, nothing else does, and the person hears what happened."""

import asyncio
import re
from urllib.parse import urlencode

import orjson
import pytest

from shared.contracts import subjects
from shared.contracts.consent import OptedIn, OptedOut
from shared.contracts.envelope import DomainEvent
from shared.eventlog.documents import Documents
from tests.harness.nats import NatsServer
from tests.harness.tracker import RING, TrackerProcess, click, opt_in, pixel, unsubscribe
from tests.harness.web import Reply
from tests.integration.tracker.conftest import Written

LINK = unsubscribe(["lista", "listb"])
KEY = RING.address_key("ann@example.com")
ONE_CLICK = b"List-Unsubscribe=One-Click"
MULTIPART = (
    b'--sep\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--sep--\r\n',
    "multipart/form-data; boundary=sep",
)


def state(acts: list[DomainEvent]) -> dict[str, str]:
    """Return what each scope of the address is in the end."""
    final = {}
    for act in acts:
        assert isinstance(act, OptedOut | OptedIn)
        assert act.address_key == KEY
        final[act.scope] = "out" if isinstance(act, OptedOut) else "in"
    return final


def hidden(page: Reply, action: str) -> bytes:
    """Return the form that a press on the button `action` of a page sends."""
    html = page.body.decode()
    form = next(part for part in html.split("<form")[1:] if f'value="{action}"' in part)
    fields = [("action", action), *re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', form)]
    fields += re.findall(r'type="checkbox" id="\w+" name="(\w+)" value="(\w+)" checked', form)
    return urlencode(fields).encode()


@pytest.mark.feature("B7")
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(ONE_CLICK, "application/x-www-form-urlencoded; charset=UTF-8"), MULTIPART],
    ids=["urlencoded", "multipart"],
)
async def test_one_click_unsubscribes_from_every_list_of_the_token(
    tracker: TrackerProcess, written: Written, body: bytes, content_type: str
) -> None:
    """200 at once, without redirect or question, in each form that RFC 8058 allows."""
    reply = await tracker.web.post(LINK, body, content_type)
    assert reply.status == 200
    assert "location" not in reply.headers
    acts = await written.consent()
    assert state(acts) == {"lista": "out", "listb": "out"}
    first = acts[0]
    assert isinstance(first, OptedOut)
    assert (first.how, first.mailing, first.n, first.index) == ("one-click", "m1", 0, 0)


async def test_a_repeated_one_click_is_answered_alike(tracker: TrackerProcess, written: Written) -> None:
    """Twenty at once and one more: always 200, the person is out, and the log is not flooded."""
    replies = await asyncio.gather(*(tracker.web.post(LINK, ONE_CLICK) for _ in range(20)))
    replies.append(await tracker.web.post(LINK, ONE_CLICK))
    assert {reply.status for reply in replies} == {200}
    acts = await written.consent()
    assert state(acts) == {"lista": "out", "listb": "out"}
    assert len(acts) <= 4, "one act of two scopes, or two where the clock moved on"


@pytest.mark.feature("B7")
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_nothing_but_a_post_unsubscribes(tracker: TrackerProcess, written: Written, method: str) -> None:
    """Scanners follow links: a GET only shows the page, even with the words in the query."""
    replies = [await tracker.web.ask(method, LINK), await tracker.web.ask(method, f"{LINK}?{ONE_CLICK.decode()}")]
    expected = {"GET": 200, "HEAD": 200, "OPTIONS": 204}.get(method, 405)
    assert {reply.status for reply in replies} == {expected}
    assert await written.consent() == []


@pytest.mark.parametrize(
    "body", [b"", b"List-Unsubscribe=", b"foo=bar", b"\xff\xfe", b"a=1&" * 500, b"action=other"], ids=str
)
async def test_a_post_that_says_neither_shows_the_page(tracker: TrackerProcess, written: Written, body: bytes) -> None:
    """It is refused as 400 with the page, and unsubscribes nobody."""
    reply = await tracker.web.post(LINK, body)
    assert reply.status == 400
    assert b'value="unsubscribe"' in reply.body
    assert await written.consent() == []


@pytest.mark.feature("F4")
async def test_the_page_asks_and_can_be_used_without_script(tracker: TrackerProcess) -> None:
    """One heading, a label for the field, two buttons, a policy that lets nothing be loaded or run."""
    page = await tracker.web.get(LINK)
    html = page.body.decode()
    assert page.status == 200
    assert '<html lang="en" dir="ltr">' in html
    assert html.count("<h1>") == 1
    assert 'for="comment">' in html
    assert 'maxlength="2000"' in html
    assert 'value="unsubscribe"' in html
    assert 'value="stay"' in html
    assert "<script" not in html
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "no-store" in page.headers["cache-control"]


async def test_a_comment_goes_to_people_and_only_its_key_into_the_log(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """The event names the text; the text, cut to 2,000 characters and without control characters, can be erased."""
    del log_streams
    page = await tracker.web.get(LINK)
    words = "Zu%20viel+Post%00%0D%0Abitte%20%3Cb%3E" + "x" * 3000
    reply = await tracker.web.post(LINK, hidden(page, "unsubscribe") + f"&comment={words}".encode())
    assert b"<b>" not in reply.body
    act = (await written.consent())[0]
    assert isinstance(act, OptedOut)
    assert act.how == "page"
    people = Documents(written.log.reader._nc, subjects.PEOPLE)
    text = orjson.loads(await people.get(subjects.person_note(act.comment)))["text"]
    assert text.startswith("Zu viel Post\nbitte <b>xxx")
    assert len(text) == 2000


async def test_a_person_may_change_its_mind_again_and_again(tracker: TrackerProcess, written: Written) -> None:
    """Out, back in, out again within seconds: each press counts, the last one wins."""
    page = await tracker.web.get(LINK)
    for action in ("unsubscribe", "stay", "unsubscribe"):
        page = await tracker.web.post(LINK, hidden(page, action))
        assert page.status == 200
    acts = await written.consent()
    assert [type(act) for act in acts] == [OptedOut, OptedOut, OptedIn, OptedIn, OptedOut, OptedOut]
    assert state(acts) == {"lista": "out", "listb": "out"}


async def test_a_double_press_is_one_act(tracker: TrackerProcess, written: Written) -> None:
    """The same page sent twice within a moment makes one commit."""
    page = await tracker.web.get(LINK)
    form = hidden(page, "unsubscribe")
    await asyncio.gather(*(tracker.web.post(LINK, form) for _ in range(3)))
    assert len(await written.consent()) in {2, 4}, "two where the clock moved on between"


async def test_staying_changes_nothing_and_offers_the_way_back(tracker: TrackerProcess, written: Written) -> None:
    """Stay from the first page writes nothing; the page after it brings back whoever had left earlier."""
    stayed = await tracker.web.post(LINK, hidden(await tracker.web.get(LINK), "stay"))
    assert stayed.status == 200
    assert await written.consent() == []
    back = await tracker.web.post(LINK, hidden(stayed, "stay"))
    assert b"subscribed again" in back.body
    assert state(await written.consent()) == {"lista": "in", "listb": "in", "*": "in"}


async def test_leaving_everything_is_one_scope(tracker: TrackerProcess, written: Written) -> None:
    """A token without lists stands for all mail."""
    await tracker.web.post(unsubscribe([]), ONE_CLICK)
    assert state(await written.consent()) == {"*": "out"}


async def test_the_link_of_somebody_who_was_erased_still_unsubscribes(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """The payload holds a blank row: the link needs none, and clicks and opens of then are hits of nobody."""
    del log_streams
    payloads = Documents(written.log.reader._nc, subjects.PAYLOADS)
    await payloads.replace(subjects.payload("m1", 0), b'{"contact":""}')
    assert (await tracker.web.post(LINK, ONE_CLICK)).status == 200
    assert (await tracker.web.get(click("https://shop.example/"))).status == 302
    assert (await tracker.web.get(pixel())).status == 200
    assert state(await written.consent()) == {"lista": "out", "listb": "out"}
    assert len(await written.hits()) == 2


async def test_one_list_or_all_mail_can_be_chosen(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """Lists stand on the page by name where the planner told it, by number else; the reason goes with the act."""
    del log_streams
    people = Documents(written.log.reader._nc, subjects.PEOPLE)
    await people.replace(subjects.person_list("lista"), b'{"name": "News & <offers>"}')
    html = (await tracker.web.get(LINK)).body.decode()
    assert "News &amp; &lt;offers&gt;" in html
    assert "Mailing list 2" in html
    assert (await tracker.web.post(LINK, b"action=unsubscribe&choose=on")).status == 400
    page = await tracker.web.post(LINK, b"action=unsubscribe&choose=on&list1=on&reason=too_often&page=p1")
    acts = await written.consent()
    assert state(acts) == {"listb": "out"}
    assert isinstance(acts[0], OptedOut)
    assert acts[0].reason == "too_often"
    words = orjson.loads(await people.get(subjects.person_note(acts[0].words)))["text"]
    assert "Do you want to stop receiving these e-mails?" in words
    await tracker.web.post(LINK, hidden(page, "stay"))
    await tracker.web.post(LINK, b"action=unsubscribe&choose=on&all=on&page=p2")
    assert state(await written.consent()) == {"listb": "in", "*": "out"}


async def test_the_page_speaks_the_language_of_the_link_or_the_browser(tracker: TrackerProcess) -> None:
    """The link's language is kept by the form; without one the browser's is taken; other links are there."""
    greek = await tracker.web.get(f"{LINK}?lang=el", accept_language="it")
    assert '<html lang="el" dir="ltr">' in greek.body.decode()
    hebrew = await tracker.web.get(LINK, accept_language="fr, he-IL;q=0.5")
    assert '<html lang="he" dir="rtl">' in hebrew.body.decode()
    assert '<a href="?lang=el"' in hebrew.body.decode()
    out = await tracker.web.post(f"{LINK}?lang=el", hidden(greek, "unsubscribe"))
    assert "Διαγραφήκατε" in out.body.decode()


async def test_an_opt_in_is_confirmed_by_a_button_only(tracker: TrackerProcess, written: Written) -> None:
    """GET asks, POST confirms with the words that were read; too late it says so, and a wrong token is unknown."""
    link = opt_in(["lista"])
    asked = await tracker.web.get(link)
    assert asked.status == 200
    assert (await tracker.web.post(link, ONE_CLICK)).status == 400
    assert await written.consent() == []
    assert (await tracker.web.post(link, hidden(asked, "confirm"))).status == 200
    act = (await written.consent())[0]
    assert isinstance(act, OptedIn)
    assert (act.scope, act.how, act.mailing) == ("lista", "confirmed", "m1")
    assert act.words
    late = opt_in(["lista"], days=-1)
    assert (await tracker.web.get(late)).status == 410
    assert (await tracker.web.post(late, hidden(asked, "confirm"))).status == 410
    assert (await tracker.web.get(link[:-1] + "!")).status == 404
    assert (await tracker.web.get(link.replace("/s/", "/u/"))).status == 404
    assert len(await written.consent()) == 1


async def test_a_body_is_bounded_in_size(tracker: TrackerProcess, written: Written) -> None:
    """64 KB are read, no more: 413, and nobody is unsubscribed."""
    reply = await tracker.web.post(LINK, ONE_CLICK + b"&x=" + b"y" * 70_000)
    assert reply.status == 413
    assert await written.consent() == []


async def test_broken_multipart_unsubscribes_nobody(tracker: TrackerProcess, written: Written) -> None:
    """Wrong boundaries, headers without end, a boundary with line breaks: the page, never an error of ours."""
    for body, content_type in (
        (b"--other\r\n\r\nOne-Click", "multipart/form-data; boundary=sep"),
        (b"\x00" * 1000, "multipart/form-data"),
        (MULTIPART[0][:40], MULTIPART[1]),
        (b"--sep\r\nContent-Disposition: form-data; name*=utf-8''%ff\r\n\r\nx\r\n--sep--", MULTIPART[1]),
    ):
        assert (await tracker.web.post(LINK, body, content_type)).status == 400
    assert await written.consent() == []
