"""The fault table at the level of a connection: what a relay may do, and what each mail of a window comes to."""

from dataclasses import dataclass, field
from typing import Final

import pytest

from services.sender.smtp.link import Timeouts
from tests.faults.sending import SHORT, Notes, free, mail, mails, open_to, said
from tests.harness.smtp import Act, Options, Phase, Script, ScriptedSmtp, Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOT_SENT, MAIL, RCPT, DATA, DOT = range(5)
ACCEPTED = (DOT, 250)
LEFT = (NOT_SENT, 0)
DOUBT = (DOT, 0)


def at(when: Phase, act: Act | bytes, recipient: str = "odd") -> Script:
    """Return a script that acts so when it comes to the recipient named `odd-...` (or to its sender at MAIL)."""

    def script(session: Session, phase: Phase) -> Act | bytes | None:
        who = session.sender if phase == "mail" else session.recipient
        return act if phase == when and who.startswith(recipient) else None

    return script


def both(*scripts: Script) -> Script:
    """Return the first answer of several scripts."""

    def script(session: Session, phase: Phase) -> Act | bytes | None:
        return next((act for part in scripts if (act := part(session, phase)) is not None), None)

    return script


def lone_dot(verdict: bytes) -> Script:
    """Take DATA whatever came before, and judge the empty message so."""

    def script(session: Session, phase: Phase) -> Act | bytes | None:
        if phase == "data":
            return b"354 go ahead\r\n"
        return Act(verdict, accept=False) if phase == "dot" and not session.recipient else None

    return script


@dataclass(frozen=True)
class Row:
    """One fault: a window of mails to `recipients` (the sender is named likewise), and what is expected of it.

    Attributes:
        alive: Whether the connection can be used after it.
        arrived: Indexes of the mails the server took; None means those with an accepted result.
        modes: With PIPELINING, without, or both.
    """

    name: str
    recipients: tuple[str, ...]
    expected: tuple[tuple[int, int], ...]
    script: Script | None = None
    alive: bool = True
    arrived: tuple[int, ...] | None = None
    modes: tuple[bool, ...] = (True, False)
    options: dict[str, object] = field(default_factory=dict)


ODD: Final = ("ok", "odd", "ok")
NEVER_ENDS = b"250-more\r\n" * 500
LONG_LINE = b"250 " + b"x" * 1_000_000 + b"\r\n"


def plain(name: str, script: Script, expected: tuple[int, int], **more: object) -> Row:
    """Return a row where only the middle mail is hit and the connection lives."""
    return Row(name, ODD, (ACCEPTED, expected, ACCEPTED), script, **more)  # type: ignore[arg-type]


def deadly(name: str, script: Script, expected: tuple[int, int], **more: object) -> Row:
    """Return a row where the connection ends with the middle mail."""
    return Row(name, ODD, (ACCEPTED, expected, LEFT), script, alive=False, **more)  # type: ignore[arg-type]


ROWS: Final = (
    plain("12 MAIL 4xx defers", at("mail", b"451 4.3.0 later\r\n"), (MAIL, 451)),
    plain("12 MAIL 5xx refuses", at("mail", b"550 5.7.1 sender denied\r\n"), (MAIL, 550)),
    Row("13 greylisted, then taken", ("greylist", "ok"), ((RCPT, 451), ACCEPTED)),
    plain("14 unknown user leaves the connection in use", at("rcpt", b"550 5.1.1 no such user\r\n"), (RCPT, 550)),
    plain(
        "16 RCPT refused but DATA taken ends by a lone dot",
        both(at("rcpt", b"550 5.1.1 no\r\n"), lone_dot(b"250 2.0.0 fine\r\n")),
        (RCPT, 550),
    ),
    plain(
        "16 MAIL and RCPT refused but DATA taken ends by a lone dot",
        both(at("mail", b"550 no\r\n"), at("rcpt", b"503 no MAIL\r\n"), lone_dot(b"554 nothing\r\n")),
        (MAIL, 550),
    ),
    deadly(
        "16 no lone dot where RCPT was taken",
        both(at("mail", b"550 no\r\n"), at("rcpt", b"250 ok\r\n"), lone_dot(b"250 ok\r\n")),
        (MAIL, 550),
        modes=(True,),
    ),
    plain("17 DATA 4xx", at("data", b"451 4.3.0 later\r\n"), (DATA, 451)),
    plain("17 DATA 5xx", at("data", b"554 5.7.1 no\r\n"), (DATA, 554)),
    deadly("18 421 to MAIL", at("mail", Act(b"421 4.3.2 bye\r\n", then="close")), (NOT_SENT, 421)),
    deadly("18 421 to RCPT", at("rcpt", Act(b"421 4.3.2 bye\r\n", then="close")), (RCPT, 421)),
    deadly("18 421 to DATA", at("data", Act(b"421 4.3.2 bye\r\n", then="close")), (DATA, 421)),
    deadly("18 closed at MAIL", at("mail", Act(then="close")), LEFT),
    deadly("18 closed at RCPT", at("rcpt", Act(then="close")), LEFT),
    deadly("18 closed at DATA", at("data", Act(then="close")), LEFT),
    deadly("18 reset at RCPT", at("rcpt", Act(then="reset")), LEFT),
    deadly("20 closed after the dot, taken", at("dot", Act(then="close", accept=True)), DOUBT, arrived=(0, 1)),
    deadly("20 closed after the dot, not taken", at("dot", Act(then="close", accept=False)), DOUBT),
    deadly("20 reset after the dot", at("dot", Act(then="reset", accept=True)), DOUBT, arrived=(0, 1)),
    deadly("20 silence after the dot", at("dot", Act(then="hang", accept=True)), DOUBT, arrived=(0, 1)),
    deadly("21 the reply to the dot comes too late", at("dot", Act(b"250 ok\r\n", delay=0.6)), DOUBT, arrived=(0, 1)),
    plain("22 dot 4xx", at("dot", b"451 4.3.0 later\r\n"), (DOT, 451)),
    plain("22 dot 5xx", at("dot", b"554 5.7.1 spam\r\n"), (DOT, 554)),
    deadly("22 dot 421", at("dot", Act(b"421 4.3.2 bye\r\n", then="close")), (DOT, 421)),
    Row(
        "28 enough for one connection",
        ("ok", "ok", "ok", "ok"),
        (ACCEPTED, ACCEPTED, (NOT_SENT, 421), LEFT),
        alive=False,
        modes=(True,),
        options={"per_connection": 2},
    ),
    deadly("29 trickled past the deadline", at("rcpt", Act(b"250 x\r\n", trickle=True, each=0.1)), LEFT),
    deadly("29 continuation without end", at("rcpt", NEVER_ENDS), LEFT),
    deadly("29 continuation without end after the dot", at("dot", Act(NEVER_ENDS, accept=False)), DOUBT),
    deadly("29 line of a megabyte", at("rcpt", LONG_LINE), LEFT),
    deadly("29 line without end", at("rcpt", Act(b"x" * 5000, then="hang")), LEFT),
    plain("29 text that is no UTF-8", at("rcpt", b"550 5.1.1 inconnu \xe9\xff\r\n"), (RCPT, 550)),
    plain("29 bare line feed", at("rcpt", b"550 5.1.1 no\n"), (RCPT, 550)),
    plain("29 code alone", at("rcpt", b"550\r\n"), (RCPT, 550)),
    plain("29 several lines", at("rcpt", b"550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n"), (RCPT, 550)),
    deadly("29 malformed code", at("rcpt", b"2 0 ok\r\n"), LEFT),
    deadly("29 malformed code after the dot", at("dot", Act(b"25O ok\r\n", accept=True)), DOUBT, arrived=(0, 1)),
    deadly("29 unknown class", at("rcpt", b"650 what\r\n"), LEFT),
    deadly("29 mixed codes", at("rcpt", b"250-yes\r\n550 no\r\n"), LEFT),
    deadly("29 mixed codes after the dot", at("dot", Act(b"250-yes\r\n550 no\r\n", accept=False)), DOUBT),
    deadly("31 extra reply at MAIL", at("mail", b"250 ok\r\n250 ok\r\n"), LEFT),
    deadly("31 extra reply at RCPT", at("rcpt", b"250 ok\r\n250 ok\r\n"), LEFT),
    deadly("31 extra reply at DATA", at("data", b"354 go\r\n250 ok\r\n"), LEFT),
    deadly("31 go-ahead as reply to MAIL", at("mail", b"354 go\r\n"), LEFT, modes=(False,)),
    Row(
        "31 go-ahead as reply to MAIL casts doubt on the reply before",
        ODD,
        (DOUBT, LEFT, LEFT),
        at("mail", b"354 go\r\n"),
        alive=False,
        arrived=(0,),
        modes=(True,),
    ),
    deadly("31 go-ahead as reply to the dot", at("dot", Act(b"354 go\r\n", accept=False)), DOUBT),
    deadly("31 no go-ahead but ok at DATA", at("data", b"250 ok\r\n"), LEFT),
    deadly("37 no reply to MAIL", at("mail", Act(then="hang")), LEFT),
    deadly("37 no reply to RCPT", at("rcpt", Act(then="hang")), LEFT),
    deadly("37 no reply to DATA", at("data", Act(then="hang")), LEFT),
)


@pytest.mark.parametrize(
    ("row", "pipelining"), [pytest.param(r, m, id=f"{r.name}{' pipelined' * m}") for r in ROWS for m in r.modes]
)
async def test_each_mail_comes_to_what_phase_and_reply_say(server: ScriptedSmtp, row: Row, *, pipelining: bool) -> None:
    """A row of the fault table gives its outcomes, and the sink has neither more nor less than these say."""
    server.script = row.script
    server.options = Options(pipelining=pipelining, **row.options)  # type: ignore[arg-type]
    connection = await open_to(server)
    window = [mail(index, name, sender=name) for index, name in enumerate(row.recipients)]
    results = await connection.send(window, free, Notes())
    assert tuple(said(results)) == row.expected
    assert [result.index for result in results] == list(range(len(window)))
    assert connection.botched is not row.alive
    arrived = row.arrived
    if arrived is None:
        arrived = tuple(index for index, result in enumerate(row.expected) if result == ACCEPTED)
    assert [entry.message_id for entry in server.accepted] == [f"<m{index}@example.com>" for index in arrived]
    if row.alive:
        assert said(await connection.send([mail(9)], free, Notes())) == [ACCEPTED]
    else:
        assert said(await connection.send([mail(9)], free, Notes())) == [LEFT]
    await connection.quit()


async def test_31_a_missing_reply_puts_the_mail_before_it_in_doubt(server: ScriptedSmtp) -> None:
    """When replies slip by one, the reply to the next MAIL must not count as the acceptance of a mail."""
    server.script = at("dot", Act(None, accept=False))
    connection = await open_to(server)
    notes = Notes()
    results = await connection.send(mails("ok", "odd", "ok", "ok"), free, notes)
    assert said(results) == [ACCEPTED, DOUBT, LEFT, LEFT]
    assert notes.told[-1] == ("reply", 1, 0, DOT)
    await connection.quit()


async def test_19_a_reset_while_a_long_message_goes_out_is_no_doubt(server: ScriptedSmtp) -> None:
    """The dot of a long message is written when the rest has left, so its loss before means: not accepted."""
    server.script = at("body", Act(then="reset"))
    server.options = Options(extensions=())
    connection = await open_to(server)
    notes = Notes()
    window = [mail(0), mail(1, "odd", body=b"x" * 70 + b"\r\n" + b"long line\r\n" * 2_000_000), mail(2)]
    results = await connection.send(window, free, notes)
    assert said(results) == [ACCEPTED, LEFT, LEFT]
    assert ("dot", 1) not in notes.told
    await connection.quit()


async def test_a_long_message_arrives_whole(server: ScriptedSmtp) -> None:
    """Slices make one message, byte for byte, and the next mail follows."""
    connection = await open_to(server, Timeouts())
    body = b"".join(b".line %d\r\n" % number for number in range(100_000))
    results = await connection.send([mail(0, body=body), mail(1)], free, Notes())
    assert said(results) == [ACCEPTED, ACCEPTED]
    assert server.accepted[0].content.endswith(b"\r\n\r\n" + body)
    await connection.quit()


async def test_a_refusal_while_a_long_message_goes_out_counts(server: ScriptedSmtp) -> None:
    """A relay that has seen enough before the end has refused the message."""
    server.options = Options(extensions=())
    server.script = at("body", Act(b"552 5.3.4 too big\r\n", then="hang"))
    connection = await open_to(server)
    results = await connection.send([mail(0, "odd", body=b"long line\r\n" * 2_000_000), mail(1)], free, Notes())
    assert said(results) == [(DATA, 552), LEFT]
    await connection.quit()


async def test_26_a_stale_connection_charges_nobody(server: ScriptedSmtp) -> None:
    """A connection closed while it idled gives every mail back as not sent."""
    connection = await open_to(server)
    assert said(await connection.send([mail(0)], free, Notes())) == [ACCEPTED]
    for session in list(server.sessions):
        session.close()
    assert said(await connection.send(mails("ok", "ok"), free, Notes())) == [LEFT, LEFT]
    assert connection.botched
    await connection.quit()


async def test_27_a_connection_that_is_told_421_between_mails_is_retired(server: ScriptedSmtp) -> None:
    """An unasked 421 ends the connection at once, with its words kept."""
    connection = await open_to(server)
    await connection.send([mail(0)], free, Notes())
    for session in server.sessions:
        session.say(b"421 4.3.2 shutting down\r\n")
    await connection.closed
    assert connection.botched
    assert connection.last_words == "shutting down"


async def test_31_a_reply_to_nothing_retires_the_connection(server: ScriptedSmtp) -> None:
    """Anything said while nothing was asked means that replies are out of step."""
    connection = await open_to(server)
    for session in server.sessions:
        session.say(b"250 ok\r\n")
    await connection.closed
    assert connection.botched


CONTENTS = (
    b"a bare\nline feed\n",
    b"a bare\rreturn\r",
    b".leading dot\r\n..two\r\n.\r\nafter a lone dot\r\n",
    b"smuggled\n.\nMAIL FROM:<evil@example.com>\n",
    b"smuggled\r\n.\nMAIL FROM:<evil@example.com>\r\n",
    b"smuggled\n.\r\nMAIL FROM:<evil@example.com>\r\n",
    b"smuggled\r.\rMAIL FROM:<evil@example.com>\r",
    b"x" * 5000 + b"\r\n",
    b"no line end",
    b"\xff\x00\xfe\r\n",
    b"",
)


@pytest.mark.parametrize("body", CONTENTS)
async def test_35_content_arrives_as_normalised_and_as_one_message(server: ScriptedSmtp, body: bytes) -> None:
    """Line ends are normal, dots survive, and nothing in a message can end it or begin another."""
    connection = await open_to(server)
    results = await connection.send([mail(0, body=body), mail(1)], free, Notes())
    assert said(results) == [ACCEPTED, ACCEPTED]
    normal = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if normal and not normal.endswith(b"\r\n"):
        normal += b"\r\n"
    assert [entry.content.partition(b"\r\n\r\n")[2] for entry in server.accepted] == [normal, b"hello\r\n"]
    assert len(server.mails) == 2
    await connection.quit()


async def test_37_a_slow_relay_slows_nobody_else(server: ScriptedSmtp) -> None:
    """While one connection waits for its reply, another sends on."""
    server.slow = 30
    slow, quick = await open_to(server, Timeouts()), await open_to(server)
    waiting = slow.send([mail(0, "slow")], free, Notes())
    assert said(await quick.send(mails(*["ok"] * 20), free, Notes())) == [ACCEPTED] * 20
    assert not waiting.done()
    slow.abort()
    assert said(await waiting) == [DOUBT]
    await quick.quit()


async def test_a_mail_that_is_not_in_wire_form_is_refused(server: ScriptedSmtp) -> None:
    """A message that lacks its dot would swallow the next one; it is a fault of the program, said at once."""
    connection = await open_to(server, SHORT)
    broken = mail(0)
    broken.message = b"Subject: x\r\n\r\nno dot\r\n"
    with pytest.raises(ValueError, match="wire form"):
        connection.send([broken], free, Notes())
    await connection.quit()
