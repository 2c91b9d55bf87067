"""People over HTTP: signing in, one's own password, and what the audit knows of it."""

from shared.contracts import commands
from tests.harness.waiting import until
from tests.integration.http.conftest import House

FIRST, SECOND = "correct horse battery staple", "another long password"


async def _signed_in(house: House, password: str) -> str:
    """Sign in as Ann and return the session."""
    reply = await house.ask(
        "planner", "POST", "/v1/sessions", "", json={"email": "ann@example.com", "password": password}
    )
    assert reply.status_code == 200, reply.text
    return str(reply.json()["data"]["session"])


async def _status(house: House, service: str, path: str, token: str) -> int:
    return (await house.ask(service, "GET", path, token)).status_code


async def test_a_person_may_do_what_the_permissions_say_on_both_services(house: House) -> None:
    """View is enough to look, and not to pause; removed, the session is over everywhere."""
    added = await house.do(commands.AddUser(name="Ann", email="ann@example.com", password=FIRST, permissions=["view"]))
    ann = await _signed_in(house, FIRST)
    assert await _status(house, "planner", "/v1/lists", ann) == 200
    assert await _status(house, "reporting", "/v1/campaigns", ann) == 200
    assert await _status(house, "planner", "/v1/users", ann) == 403
    await house.do(commands.RemoveUser(user=added["user"]))
    for service, path in (("planner", "/v1/lists"), ("reporting", "/v1/campaigns")):

        async def over(service: str = service, path: str = path) -> bool:
            return await _status(house, service, path, ann) == 401

        await until(over)


async def test_people_change_their_own_password_and_no_other(house: House) -> None:
    """The present one is asked for; all sessions end; a token has none; the audit tells by which way and from where."""
    added = await house.do(commands.AddUser(name="Ann", email="ann@example.com", password=FIRST))
    ann = await _signed_in(house, FIRST)

    async def change(token: str, current: str) -> tuple[int, str]:
        body = {"current": current, "password": SECOND}
        reply = await house.ask("planner", "PUT", "/v1/password", token, json=body)
        return reply.status_code, "" if reply.status_code == 200 else reply.json()["code"]

    assert (await change(house.token, FIRST))[1] == "no_password"
    assert (await change(ann, "not my password"))[1] == "sign_in_failed"
    assert await change(ann, FIRST) == (200, "")
    assert (await change(ann, SECOND))[0] == 401
    await _signed_in(house, SECOND)
    reply = await house.ask("planner", "GET", "/v1/audit", params={"command": "password.change"})
    rows = [(row["principal"], row["via"], row["remote"], row["outcome"]) for row in reply.json()["data"]["rows"]]
    assert rows[:2] == [
        (added["user"], "http", "127.0.0.1", "ok"),
        (added["user"], "http", "127.0.0.1", "sign_in_failed"),
    ]
