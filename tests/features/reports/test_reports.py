"""People report messages, and those who moderate a room see the reports."""

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hubbub.accounts.audit import AuditLine, audit_lines
from hubbub.features.reports.reports import forget_old_reports
from tests.features.members.house import House, do, house
from tests.people import Person


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as built:
        yield built


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    at = {"database_url": SecretStr(request.getfixturevalue("postgres"))} if request.param == "postgresql" else {}
    async with house(tmp_path, at) as built:
        yield built


async def reports(built: House, user: str, **query: Any) -> list[dict[str, Any]]:
    answer = await built.get("/api/v1/reports", user, **query)
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["reports"]
    return listed


async def close(built: House, user: str, id: str, state: str = "closed") -> httpx.Response:
    return await built.http.patch(f"/api/v1/reports/{id}", json={"state": state}, headers={"X-User": user})


async def say(somebody: Person, room: str, text: str) -> int:
    seq: int = (await do(somebody, "message", room, text=text))["seq"]
    return seq


async def audited(built: House) -> list[AuditLine]:
    assert built.hub.node.database is not None
    lines = await built.hub.node.database.read(audit_lines, never_deferred=True)
    return [line for line in lines if line.action.startswith("report.")][::-1]


async def test_administrators_see_and_close_what_is_reported_in_public_rooms(built: House) -> None:
    alice, mallory = await built.enter("alice"), await built.enter("mallory", guest=True)
    for somebody in (alice, mallory):
        await somebody.join("lobby")
    seq = await say(mallory, "lobby", "buy my pills")
    await do(alice, "report", "Lobby", seq=seq, reason="spam")
    await do(mallory, "edit", "lobby", seq=seq, text="hello")
    await do(alice, "report", "lobby", seq=seq, reason="it was spam")
    await do(mallory, "delete", "lobby", seq=seq)

    (report,) = await reports(built, "boss")
    assert (report["room"], report["seq"], report["author"], report["text"]) == (
        "lobby",
        seq,
        mallory.key,
        "buy my pills",
    )
    assert (report["by"], report["reason"], report["state"]) == ("alice", "spam", "open")
    closed = await close(built, "boss", report["id"])
    assert (closed.json()["state"], closed.json()["closed_by"]) == ("closed", "boss")
    assert await reports(built, "boss") == []
    assert [one["id"] for one in await reports(built, "boss", state="closed")] == [report["id"]]
    assert (await close(built, "boss", report["id"], "open")).json().get("closed_by") is None

    lines = [(line.actor, line.action, line.target, line.detail["room"]) for line in await audited(built)]
    assert lines == [
        ("alice", "report.add", mallory.key, "lobby"),
        ("boss", "report.close", mallory.key, "lobby"),
        ("boss", "report.open", mallory.key, "lobby"),
    ]


async def test_reports_of_a_private_room_reach_its_moderators_and_nobody_else(built: House) -> None:
    alice, bob, carol = await built.enter("alice"), await built.enter("bob"), await built.enter("carol")
    room = await built.private(alice, bob, carol)
    await do(alice, "set_role", room, user="bob", role="moderator")
    seq = await say(carol, room, "something rude")
    made = await built.post(f"/api/v1/rooms/{room}/messages/{seq}/reports", "carol", reason="I did not mean it")
    assert made.status_code == 201, made.text

    for moderator in ("alice", "bob"):
        (report,) = await reports(built, moderator, room=room)
        assert (report["id"], report["text"]) == (made.json()["id"], "something rude")
    assert await reports(built, "boss") == []
    for other in ("boss", "carol", "dave"):
        assert (await built.get("/api/v1/reports", other, room=room)).status_code == 403
        assert (await close(built, other, report["id"])).status_code == 404
    await do(alice, "set_role", room, user="bob", role="member")
    assert (await close(built, "bob", report["id"])).status_code == 404
    assert (await close(built, "alice", report["id"])).status_code == 200
    assert await audited(built) == []


async def test_members_and_guests_see_no_queue(built: House) -> None:
    for user, status in (("alice", 403), (None, 401)):
        assert (await built.get("/api/v1/reports", user)).status_code == status
        assert (await built.get("/api/v1/reports", user, room="lobby")).status_code == status


async def test_who_may_not_read_a_message_cannot_report_it_and_direct_rooms_have_nobody_to_tell(built: House) -> None:
    alice, bob = await built.enter("alice"), await built.enter("bob")
    room = await built.private(alice)
    seq = await say(alice, room, "a secret")
    direct = (await alice.ask({"type": "direct", "users": ["bob"]}))["room"]
    said = await say(alice, direct, "hi")

    for place, number in ((room, seq), (direct, said), ("private:aaaaaaaaaaaaaaaa", 1)):
        answer = await built.post(f"/api/v1/rooms/{place}/messages/{number}/reports", "bob", reason="x")
        assert answer.status_code == 403, place
    await bob.join(direct)
    refused = await bob.ask({"type": "report", "room": direct, "seq": said, "reason": "x"})
    assert (refused["type"], refused["code"]) == ("error", "forbidden")


async def test_only_messages_that_are_there_can_be_reported(built: House) -> None:
    alice = await built.enter("alice")
    await alice.join("lobby")
    seq = await say(alice, "lobby", "oops")
    await do(alice, "delete", "lobby", seq=seq)
    for number in (seq, seq + 1):
        refused = await alice.ask({"type": "report", "room": "lobby", "seq": number, "reason": "x"})
        assert (refused["type"], refused["code"]) == ("error", "not_found")


async def test_a_guest_reports_by_request_under_an_own_key(built: House) -> None:
    alice = await built.enter("alice")
    await alice.join("lobby")
    seq = await say(alice, "lobby", "hm")
    path = f"/api/v1/rooms/lobby/messages/{seq}/reports"
    made = await built.http.post(path, json={"reason": "x"}, params={"username": "gus"})
    assert made.status_code == 201, made.text
    (report,) = await reports(built, "boss", room="lobby")
    assert (report["id"], report["by"][:6]) == (made.json()["id"], "guest-")


async def test_a_user_reports_so_many_an_hour(built: House) -> None:
    built.hub.node.services.current.change({"reports": 2})
    alice, bob = await built.enter("alice"), await built.enter("bob")
    for somebody in (alice, bob):
        await somebody.join("lobby")
    seqs = [await say(bob, "lobby", str(number)) for number in range(3)]
    for seq in seqs[:2]:
        await do(alice, "report", "lobby", seq=seq, reason="x")
    refused = await alice.ask({"type": "report", "room": "lobby", "seq": seqs[2], "reason": "x"})
    assert (refused["code"], refused["retry_after"] > 0) == ("rate_limited", True)
    await do(bob, "report", "lobby", seq=seqs[2], reason="x")


async def test_a_network_address_reports_ten_times_as_many_under_any_names(built: House) -> None:
    built.hub.node.services.current.change({"reports": 1})
    alice = await built.enter("alice")
    await alice.join("lobby")
    path = f"/api/v1/rooms/lobby/messages/{await say(alice, 'lobby', 'hm')}/reports"
    made = [await built.http.post(path, json={"reason": "x"}, params={"username": f"gus{n}"}) for n in range(11)]
    assert [answer.status_code for answer in made] == [201] * 10 + [429]
    refused = await alice.ask({"type": "report", "room": "lobby", "seq": 1, "reason": "x"})
    assert (refused["code"], made[-1].json()["retry_after"] > 0) == ("rate_limited", True)


async def test_who_reports_too_much_takes_nothing_from_others_at_the_same_address(built: House) -> None:
    built.hub.node.services.current.change({"reports": 1})
    alice, bob = await built.enter("alice"), await built.enter("bob")
    for somebody in (alice, bob):
        await somebody.join("lobby")
    seq = await say(alice, "lobby", "hm")
    codes = [
        (await bob.ask({"type": "report", "room": "lobby", "seq": seq, "reason": "x"})).get("code") for _ in range(15)
    ]
    assert codes == [None] + ["rate_limited"] * 14
    await do(alice, "report", "lobby", seq=seq, reason="x")


async def test_closed_reports_are_forgotten_after_a_time_and_open_ones_stay(place: House) -> None:
    alice = await place.enter("alice")
    await alice.join("lobby")
    for text in ("one", "two"):
        await do(alice, "report", "lobby", seq=await say(alice, "lobby", text), reason=text)
    two, one = await reports(place, "boss")
    await close(place, "boss", one["id"])
    database = place.hub.node.database
    assert database is not None

    await database.transact(partial(forget_old_reports, days=1))
    assert [report["id"] for report in await reports(place, "boss", state="closed")] == [one["id"]]
    await database.transact(partial(forget_old_reports, days=-1))
    assert await reports(place, "boss", state="closed") == []
    assert [report["id"] for report in await reports(place, "boss")] == [two["id"]]


async def test_those_who_may_see_a_report_are_told_of_it_and_nobody_else(place: House) -> None:
    alice, bob, carol = await place.enter("alice"), await place.enter("bob"), await place.enter("carol")
    boss, elsewhere, guest = await place.enter("boss"), await place.enter("alice"), await place.enter("gus", guest=True)
    room = await place.private(alice, bob, carol)
    await do(alice, "set_role", room, user="bob", role="moderator")
    await do(carol, "report", room, seq=await say(carol, room, "rude"), reason="x")
    told = [await one.expect("report", room=room) for one in (alice, bob, elsewhere)]
    assert {(event["seq"], event["state"]) for event in told} == {(1, "open")}
    await do(alice, "set_role", room, user="bob", role="member")
    assert (await close(place, "alice", told[0]["id"])).status_code == 200
    await elsewhere.expect("report", room=room, state="closed")

    await carol.join("lobby")
    await do(carol, "report", "lobby", seq=await say(carol, "lobby", "pills"), reason="spam")
    event = await boss.expect("report", room="lobby")
    assert event == {"type": "report", "id": event["id"], "room": "lobby", "seq": 1, "state": "open"}
    for somebody in (alice, bob, carol, guest, boss):
        await somebody.catch_up()
    seen = {
        who.key: [(one["room"], one["state"]) for one in who.of_type("report")] for who in (alice, bob, carol, boss)
    }
    assert seen == {
        "alice": [(room, "open"), (room, "closed")],
        "bob": [(room, "open")],
        "carol": [],
        "boss": [("lobby", "open")],
    }
    assert guest.of_type("report") == []


async def test_an_api_key_of_an_administrator_is_not_told(place: House) -> None:
    alice, boss = await place.enter("alice"), await place.enter("boss")
    await alice.join("lobby")
    (connection,) = place.hub.node.fanout.connections.of_user("boss")
    connection.user = replace(connection.user, scopes=("rooms:read",))
    open_eyes = await place.enter("boss")
    await do(alice, "report", "lobby", seq=await say(alice, "lobby", "hm"), reason="x")
    await open_eyes.expect("report")
    await boss.catch_up()
    assert boss.of_type("report") == []


async def test_the_queue_comes_page_by_page(built: House) -> None:
    alice = await built.enter("alice")
    await alice.join("lobby")
    seq = await say(alice, "lobby", "1")
    for number in range(51):
        made = await built.post(f"/api/v1/rooms/lobby/messages/{seq}/reports", f"u{number}", reason=str(number))
        assert made.status_code == 201, made.text
    first = (await built.get("/api/v1/reports", "boss")).json()
    rest = (await built.get("/api/v1/reports", "boss", before=first["next"])).json()
    assert (len(first["reports"]), len(rest["reports"]), "next" in rest) == (50, 1, False)
    assert len({one["reason"] for one in first["reports"] + rest["reports"]}) == 51
