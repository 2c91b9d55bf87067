"""Faults of a relay as a whole, through a real sender: it rests or its account pauses, and nobody's mail is charged."""

import asyncio
from pathlib import Path

import pytest

from shared.contracts import subjects
from tests.faults.rig import Rig
from tests.harness.certificates import certificate
from tests.harness.smtp import Act, Options, Phase, Script, Session
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCEPTED = {"accepted": 3}
ONCE = [("accepted", 250)]


def always(when: Phase, act: Act | bytes) -> Script:
    """Return a script that does the same on every connection."""
    return lambda _session, phase: act if phase == when else None


async def test_01_a_relay_that_is_not_there_costs_nobody_an_attempt(rig: Rig) -> None:
    """Connections are refused: the lane rests, and when the relay is back everybody has the mail at the first try."""
    async with rig.trial(listening=False) as trial:
        await trial.plan()
        await trial.logged("lane rests")
        await trial.server.start(trial.sending.relay_port)
        assert await trial.finished() == ACCEPTED
        assert [await trial.told(index) for index in range(3)] == [ONCE] * 3


async def test_04_a_relay_that_refuses_us_as_a_whole_pauses_the_account(rig: Rig) -> None:
    """554 at the greeting bounces nobody: all mails wait, and go out when the account tests well."""
    async with rig.trial(always("greeting", Act(b"554 5.7.1 Go away\r\n", then="close"))) as trial:
        await trial.plan()
        assert (await trial.paused()).startswith("RelayRefused: 554")
        await trial.heal()
        assert await trial.finished() == ACCEPTED


@pytest.mark.parametrize(
    ("options", "script"),
    [
        pytest.param(Options(users={"user": "secret"}), None, id="06 not offered"),
        pytest.param(Options(extensions=("STARTTLS",)), always("starttls", b"554 5.7.0 no\r\n"), id="06 refused"),
        pytest.param(Options(extensions=("STARTTLS",)), always("starttls", b"220 go\r\n"), id="06 no handshake"),
    ],
)
async def test_06_without_tls_nothing_is_said_in_clear(rig: Rig, options: Options, script: Script | None) -> None:
    """An account that demands TLS and gets none is paused; neither credentials nor a mail went out."""
    heard: list[bytes] = []

    def listening(session: Session, phase: Phase) -> Act | bytes | None:
        heard.append(session.line)
        return script(session, phase) if script is not None else None

    async with rig.trial(listening, options, tls="starttls", username="user") as trial:
        await trial.plan()
        assert (await trial.paused()).startswith("TlsFailed")
        assert not any(line.startswith((b"AUTH", b"MAIL")) for line in heard)
        trial.server.options = Options(tls=rig.certificate.context, users={"user": "secret"})
        await trial.heal()
        assert await trial.finished() == ACCEPTED
        assert trial.server.connections >= 2


@pytest.mark.parametrize("flaw", ["unknown", "expired", "another name"])
async def test_07_a_certificate_that_does_not_verify_pauses_the_account(rig: Rig, tmp_path: Path, flaw: str) -> None:
    """Whatever is wrong with it: no credentials, no mail, and all is well with a good one."""
    names = ("mail.example.com",) if flaw == "another name" else ()
    shown = certificate(tmp_path, *names, days=-1 if flaw == "expired" else 1)
    asked: list[Phase] = []

    def script(_session: Session, phase: Phase) -> None:
        asked.append(phase)

    async with rig.trial(script, Options(tls=shown.context, users={"user": "secret"}), tls="starttls") as trial:
        await trial.plan()
        assert (await trial.paused()).startswith("TlsFailed")
        assert not {"auth", "mail"} & set(asked)
        trial.server.options = Options(tls=rig.certificate.context)
        await trial.heal()
        assert await trial.finished() == ACCEPTED


async def test_08_what_was_injected_before_tls_is_not_believed(rig: Rig) -> None:
    """A line behind the 220 of STARTTLS: the account pauses, or goes on without it; nothing goes in clear."""
    injected = b"220 2.0.0 Ready\r\n250-injected\r\n250 SIZE 10\r\n"
    async with rig.trial(always("starttls", injected), Options(tls=rig.certificate.context), tls="starttls") as trial:
        await trial.plan()

        async def decided() -> bool:
            return bool(trial.server.accepted) or await trial.sending.log.last_seq(subjects.relay(trial.name)) > 0

        await until(decided, 20)
        if not trial.server.accepted:
            assert (await trial.paused()).startswith("TlsFailed")
            await trial.heal()
        assert await trial.finished() == ACCEPTED


async def test_09_a_wrong_password_is_presented_once(rig: Rig) -> None:
    """535 pauses the account at once, so that it is not locked; the mails wait."""
    asked: list[bytes] = []

    def script(session: Session, phase: Phase) -> bytes | None:
        if phase != "auth":
            return None
        asked.append(session.line)
        return b"535 5.7.8 Wrong\r\n"

    options = Options(tls=rig.certificate.context, users={"user": "secret"})
    async with rig.trial(script, options, tls="starttls", username="user") as trial:
        await trial.plan()
        assert (await trial.paused()).startswith("AuthFailed: 535")
        await asyncio.sleep(0.5)
        assert len(asked) == 1
        await trial.heal()
        assert await trial.finished() == ACCEPTED


@pytest.mark.parametrize("act", [b"454 4.7.0 not now\r\n", Act(b"421 4.7.0 bye\r\n", then="close"), Act(then="close")])
async def test_10_a_relay_that_cannot_check_credentials_now_is_asked_later(rig: Rig, act: Act | bytes) -> None:
    """454, 421 or a close at AUTH is a rest of the lane, no fault of the account."""
    hit: list[Phase] = []

    def script(_session: Session, phase: Phase) -> Act | bytes | None:
        if phase != "auth" or hit:
            return None
        hit.append(phase)
        return act

    options = Options(tls=rig.certificate.context, users={"user": "secret"})
    async with rig.trial(script, options, tls="starttls", username="user") as trial:
        await trial.plan()
        assert await trial.finished() == ACCEPTED
        assert [await trial.told(index) for index in range(3)] == [ONCE] * 3
        assert b"account paused" not in b"".join(
            line for line in trial.sender.log.read_bytes().splitlines() if trial.name.encode() in line
        )


async def test_26_27_connections_that_the_relay_ended_between_mails_cost_nothing(rig: Rig) -> None:
    """Closed while it idled, or told 421 unasked: the next chunk goes over a fresh one at the first try."""
    async with rig.trial() as trial:
        for n, end in enumerate((b"", b"421 4.4.2 idle for too long\r\n", b"250 what?\r\n", b"")):
            ref = await trial.plan()
            assert await trial.finished() == {"accepted": 3 * (n + 1)}
            assert [await trial.told(index, ref) for index in range(3)] == [ONCE] * 3
            for session in list(trial.server.sessions):
                if end:
                    session.say(end)
                else:
                    session.close()


async def test_28_a_limit_of_messages_a_connection_is_kept_before_the_relay_enforces_it(rig: Rig) -> None:
    """The lane learns the limit from two connections and changes in time from then on; nobody is charged."""
    dismissed: list[int] = []

    def script(session: Session, phase: Phase) -> Act | None:
        if phase == "mail" and session.count == 5:
            dismissed.append(session.number)
            return Act(b"421 4.7.0 too many messages in this connection\r\n", then="close")
        return None

    async with rig.trial(script) as trial:
        await trial.plan(*(f"ann-{index}" for index in range(60)))
        assert await trial.finished() == {"accepted": 60}
        assert len(dismissed) <= 3
        assert trial.arrived() == dict.fromkeys(range(60), 1)
        outcomes = {group.outcome for group in await trial.groups(trial.refs[0])}
        assert outcomes == {"accepted"}


async def test_37_a_relay_that_hangs_slows_no_other(rig: Rig) -> None:
    """While one relay takes its time over each reply, another account's mails go out."""
    slow = always("rcpt", Act(b"250 2.1.5 at last\r\n", delay=0.9))
    async with rig.trial(slow) as sluggish, rig.trial() as quick:
        await sluggish.plan()
        await until(lambda: sluggish.server.mails, 20)
        await quick.plan(*(f"ann-{index}" for index in range(50)))
        assert await quick.finished() == {"accepted": 50}
        assert len(sluggish.server.accepted) < 3
        assert await sluggish.finished() == ACCEPTED


async def test_38_a_relay_that_closes_every_fifth_time_gets_every_mail_once(rig: Rig) -> None:
    """421 again and again: nobody is charged or doubled, and the connections stay in bounds."""
    asked = [0]

    def script(_session: Session, phase: Phase) -> Act | None:
        asked[0] += phase == "rcpt"
        return Act(b"421 4.7.0 slow down\r\n", then="close") if phase == "rcpt" and asked[0] % 5 == 0 else None

    async with rig.trial(script) as trial:
        await trial.plan(*(f"ann-{index}" for index in range(30)))
        assert await trial.finished() == {"accepted": 30}
        assert trial.arrived() == dict.fromkeys(range(30), 1)
        assert trial.server.connections <= 15
