"""Private, direct and public rooms with people who have roles in them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hubbub import Conflict, NotFound
from hubbub.accounts.audit import audit_lines
from hubbub.features.messages.catching_up import FRAME_BYTES
from hubbub.features.rooms import lists
from hubbub.features.rooms.access_rows import OwnRoom, read_rooms_of
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.store.base import Transaction
from hubbub.wire.keys import TEXT_LENGTH
from tests.features.members.house import House, code_of, do, house
from tests.waiting import eventually


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    at: dict[str, Any] = {}
    if request.param == "postgresql":
        at["database_url"] = SecretStr(request.getfixturevalue("postgres"))
    async with house(tmp_path, at) as built:
        yield built


async def test_only_who_is_invited_may_join_a_private_room(place: House) -> None:
    alice, bob, mallory = await place.enter("alice"), await place.enter("bob"), await place.enter("mallory")

    created = await alice.ask({"type": "create", "kind": "private", "title": "Plans", "users": ["bob"]})
    room = created["room"]
    invited = await bob.expect("invited")
    joined = await bob.join(room)

    assert (created["type"], created["name"], created["kind"], created["role"]) == (
        "joined",
        "Plans",
        "private",
        "owner",
    )
    assert (invited["room"], invited["title"], invited["by"]) == (room, "Plans", "alice")
    assert (joined["kind"], joined["title"], joined["role"]) == ("private", "Plans", "member")
    assert await code_of(mallory, "join", room) == "forbidden"


async def test_a_removed_member_is_told_and_gets_nothing_more(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    other_tab = await place.enter("bob")
    room = await place.private(alice, bob)
    await other_tab.join(room)

    await do(alice, "remove", room, user="bob")
    await do(alice, "message", room, text="gone?")
    told = [await one.expect("removed", room=room) for one in (bob, other_tab)]
    for one in (bob, other_tab):
        await one.catch_up()

    assert [event["reason"] for event in told] == ["removed", "removed"]
    assert bob.texts == other_tab.texts == []
    assert await code_of(bob, "message", room, text="still here") == "forbidden"
    (event,) = [one for one in alice.of_type("room") if one["members"][0].get("out")]
    assert (event["by"], event["members"][0]["user"], event["members"][0]["role"]) == ("alice", "bob", "nobody")
    await do(alice, "invite", room, user="bob")
    assert (await bob.join(room))["type"] == "joined"


async def test_the_room_events_are_in_the_log_with_the_messages(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    room = await place.private(alice, bob)
    epoch = bob.of_type("joined")[0]["epoch"]
    await do(bob, "leave", room)

    await do(alice, "message", room, text="one")
    changed = await do(alice, "change_room", room, title="Secret plans", slow=5)
    joined = await bob.ask({"type": "join", "room": room, "rev": changed["rev"] - 2, "epoch": epoch})

    assert (joined["recovered"], joined["rev"], joined["title"], joined["slow"]) == (
        True,
        changed["rev"],
        "Secret plans",
        5,
    )
    assert [row["text"] for row in joined["messages"]] == ["one"]
    await alice.catch_up()
    revs = [event["rev"] for event in alice.seen if event["type"] in {"message", "room"}]
    assert revs == sorted(set(revs))


async def test_roles_decide_who_may_do_what(place: House) -> None:
    alice, bob, carol = await place.enter("alice"), await place.enter("bob"), await place.enter("carol")
    room = await place.private(alice, bob, carol)

    assert await code_of(bob, "invite", room, user="mallory") == "forbidden"
    assert await code_of(bob, "change_room", room, title="mine") == "forbidden"
    await do(alice, "set_role", room, user="bob", role="moderator")
    await do(bob, "change_room", room, description="what we do")
    assert await code_of(bob, "change_room", room, archived=True) == "forbidden"
    assert await code_of(bob, "set_role", room, user="carol", role="moderator") == "forbidden"
    assert await code_of(bob, "remove", room, user="alice") == "forbidden"
    await do(bob, "remove", room, user="carol")


async def test_an_owner_leaves_only_after_a_transfer(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    room = await place.private(alice, bob)

    assert await code_of(alice, "leave_room", room) == "conflict"
    await do(alice, "set_role", room, user="bob", role="owner")
    await do(alice, "leave_room", room)
    (gone,) = await alice.gather("removed", 1)

    assert gone["reason"] == "left"
    page = (await place.get(f"/api/v1/rooms/{room}/members", "bob")).json()
    assert [(one["user"], one["role"]) for one in page["members"]] == [("bob", "owner")]


async def test_nothing_is_said_in_an_archived_room_until_it_is_opened_again(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    room = await place.private(alice, bob)

    await do(alice, "change_room", room, archived=True)
    assert await code_of(bob, "message", room, text="anybody?") == "forbidden"
    await do(alice, "change_room", room, archived=False)
    await do(bob, "message", room, text="here again")


async def test_two_people_find_the_same_direct_room(place: House) -> None:
    alice, bob, mallory = await place.enter("alice"), await place.enter("bob"), await place.enter("mallory")

    first = await alice.ask({"type": "direct", "users": ["bob"]})
    told = await bob.expect("invited", kind="direct")
    second = await bob.ask({"type": "direct", "users": ["Alice", "bob"]})

    assert first["room"] == second["room"] == told["room"]
    assert {one["user"] for one in second["members"]} == {"alice", "bob"}
    assert await code_of(mallory, "join", first["room"]) == "forbidden"
    assert await code_of(alice, "invite", first["room"], user="mallory") == "forbidden"
    assert await code_of(alice, "leave_room", first["room"]) == "forbidden"
    assert (await alice.ask({"type": "direct", "users": ["nobody-yet"]}))["code"] == "not_found"


async def test_a_public_room_that_somebody_made_has_an_owner(place: House) -> None:
    alice, bob, gus = await place.enter("alice"), await place.enter("bob"), await place.enter("gus", guest=True)

    made = await alice.ask({"type": "create", "kind": "public", "room": "garden", "title": "The garden"})
    again = await bob.ask({"type": "create", "kind": "public", "room": "Garden"})

    assert (made["room"], made["role"], again["code"]) == ("garden", "owner", "conflict")
    assert [(await one.join("garden"))["role"] for one in (bob, gus)] == ["member", "guest"]
    assert (await gus.ask({"type": "create", "kind": "private"}))["code"] == "forbidden"
    assert await code_of(bob, "kick", "garden", user="alice") == "forbidden"


async def test_a_kick_lets_a_guest_come_again_and_a_ban_does_not(place: House) -> None:
    alice, gus = await place.enter("alice"), await place.enter("gus", guest=True)
    await alice.ask({"type": "create", "kind": "public", "room": "garden"})
    await gus.join("garden")

    await do(alice, "kick", "garden", user=gus.key)
    assert (await gus.gather("removed", 1))[0]["reason"] == "kicked"
    assert (await gus.join("garden"))["type"] == "joined"
    await do(alice, "ban", "garden", user=gus.key)
    assert (await gus.gather("removed", 2))[1]["reason"] == "banned"
    assert await code_of(gus, "join", "garden") == "forbidden"
    await do(alice, "ban", "garden", user=gus.key, on=False)
    assert (await gus.join("garden"))["type"] == "joined"


async def test_an_end_that_no_calendar_has_is_invalid(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    room = await place.private(alice, bob)

    for until in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "tomorrow", "2026-11-22T12:00:00"):
        for verb in ("mute", "ban"):
            assert await code_of(alice, verb, room, user="bob", until=until) == "invalid", until


async def test_a_moderator_keeps_no_administrator_out(place: House) -> None:
    alice, boss, bob = await place.enter("alice"), await place.enter("boss"), await place.enter("bob")
    await alice.ask({"type": "create", "kind": "public", "room": "club"})
    for somebody in (boss, bob):
        await somebody.join("club")
        await do(somebody, "message", "club", text="hello")
    await do(alice, "set_role", "club", user="bob", role="moderator")

    await do(bob, "ban", "club", user="boss")
    await do(bob, "mute", "club", user="boss")

    assert (await boss.join("club"))["type"] == "joined"
    await do(boss, "ban", "club", user="bob")
    assert await code_of(bob, "join", "club") == "forbidden"


async def test_nobody_makes_a_room_by_leaving_it(place: House) -> None:
    answer = await place.post("/api/v1/rooms/spam/leave_room", "mallory")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await place.get("/api/v1/rooms", "mallory")).json()["rooms"] == []


async def test_who_is_muted_reads_and_does_not_write(place: House) -> None:
    boss, bob = await place.enter("boss"), await place.enter("bob")
    for one in (boss, bob):
        await one.join("lobby")

    await do(boss, "mute", "lobby", user="bob", until="2099-01-01T00:00:00Z")
    assert await code_of(bob, "message", "lobby", text="let me") == "forbidden"
    # The room had no settings before. Typing asks the node's memory alone, which reads them now.
    await eventually(lambda: place.hub.node.feature(RoomsFeature).rooms.access.at("lobby") is not None)
    assert await code_of(bob, "typing", "lobby") == "forbidden"
    await do(boss, "message", "lobby", text="listen")
    assert (await bob.hear(1)) == ["listen"]
    await do(boss, "mute", "lobby", user="bob", on=False)
    await do(bob, "message", "lobby", text="thanks")


async def test_slow_mode_lets_each_user_speak_once_in_a_while(place: House) -> None:
    boss, bob = await place.enter("boss"), await place.enter("bob")
    for one in (boss, bob):
        await one.join("lobby")
    await do(boss, "change_room", "lobby", slow=3600)
    first = {"type": "message", "room": "lobby", "text": "one", "key": "key-of-bob"}

    answers = [await bob.ask(first), await bob.ask(first), await bob.ask({**first, "key": "another-key"})]

    assert [answer["type"] for answer in answers] == ["ack", "ack", "error"]
    assert answers[2]["code"] == "rate_limited"
    assert 3_000_000 < answers[2]["retry_after"] <= 3_600_000
    for text in ("not", "slowed"):
        await do(boss, "message", "lobby", text=text)


async def test_the_list_of_rooms_has_ones_own_private_rooms_and_no_others(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    room = await place.private(alice, bob, title="Zebra plans")
    await alice.join("aaa")
    await alice.join("zzz")

    async def listed(user: str, **query: str) -> list[tuple[str, str]]:
        pages = (await place.get("/api/v1/rooms", user, **query)).json()
        return [(one["room"], one["name"]) for one in pages["rooms"]]

    assert await listed("bob") == [("aaa", "aaa"), (room, "Zebra plans"), ("zzz", "zzz")]
    assert await listed("bob", q="zebra") == [(room, "Zebra plans")]
    assert await listed("mallory") == [("aaa", "aaa"), ("zzz", "zzz")]
    assert await listed("bob", after="aaa", limit="1") == [(room, "Zebra plans")]
    assert await listed("bob", after=room, limit="1") == [("zzz", "zzz")]


async def test_a_page_of_the_list_reads_no_more_of_ones_own_rooms_than_it_shows(
    place: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    titles = [f"Plans {number}" for number in range(5)]
    rooms = {await place.private(alice, bob, title=title) for title in titles}
    for room in ("about", "zoo"):
        await alice.join(room)
    read: list[int] = []

    def counting(transaction: Transaction, *arguments: Any, **named: Any) -> dict[str, OwnRoom]:
        found = read_rooms_of(transaction, *arguments, **named)
        read.append(len(found))
        return found

    monkeypatch.setattr(lists, "read_rooms_of", counting)
    pages: list[list[str]] = []
    after = ""
    while len(pages) < 10:
        page = (await place.get("/api/v1/rooms", "bob", limit=2, after=after)).json()
        pages.append([room["room"] for room in page["rooms"]])
        if (after := page.get("next", "")) == "":
            break
    found = [room for page in pages for room in page]

    assert (found, max(read)) == (["about", *sorted(rooms), "zoo"], 3)
    some = (await place.get("/api/v1/rooms", "bob", limit=2, q="plans 4")).json()["rooms"]
    assert [room["name"] for room in some] == ["Plans 4"]


async def test_requests_do_what_the_commands_do(place: House) -> None:
    bob = await place.enter("bob")

    made = (await place.post("/api/v1/rooms", "alice", kind="private", title="Plans")).json()
    room = made["room"]
    answers = [
        await place.post(f"/api/v1/rooms/{room}/invite", "alice", user="bob"),
        await place.post(f"/api/v1/rooms/{room}/set_role", "alice", user="bob", role="moderator"),
        await place.post(f"/api/v1/rooms/{room}/change_room", "bob", title="Our plans"),
        await place.post(f"/api/v1/rooms/{room}/messages", "bob", text="hello"),
    ]
    joined = await bob.join(room)
    direct = (await place.post("/api/v1/direct", "alice", users=["bob"])).json()

    assert [answer.status_code for answer in answers] == [200, 200, 200, 201]
    assert (joined["title"], joined["role"]) == ("Our plans", "moderator")
    assert [one["user"] for one in direct["members"]] == ["alice", "bob"]
    assert (await place.post(f"/api/v1/rooms/{room}/remove", "mallory", user="bob")).status_code == 403


async def test_an_application_makes_a_private_room_and_says_who_is_in_it(place: House) -> None:
    room = await place.hub.rooms.create(title="Order 42", users=["alice"])
    await room.invite("bob")
    await room.set_role("alice", "owner")
    alice, bob = await place.enter("alice"), await place.enter("bob")
    joined = [await one.join(room.key) for one in (alice, bob)]

    await room.remove("bob")
    await room.send("It has shipped")
    (gone,) = await bob.gather("removed", 1)
    await bob.catch_up()

    assert [(one["name"], one["role"]) for one in joined] == [("Order 42", "owner"), ("Order 42", "member")]
    assert (gone["reason"], bob.texts) == ("removed", [])
    assert await alice.hear(1) == ["It has shipped"]
    with pytest.raises(Conflict):
        await place.hub.rooms("lobby").invite("bob")
    with pytest.raises(NotFound):
        await place.hub.rooms("private:aaaaaaaaaaaaaaaa").invite("bob")


async def test_the_audit_log_says_who_did_what_to_whom_in_public_rooms(place: House) -> None:
    boss, bob = await place.enter("boss"), await place.enter("bob")
    for one in (boss, bob):
        await one.join("lobby")
    await do(bob, "message", "lobby", text="spam")
    await do(boss, "delete", "lobby", seq=1)
    await do(boss, "mute", "lobby", user="bob", until="2099-01-01T00:00:00Z")
    await do(boss, "ban", "lobby", user="bob")
    await do(boss, "change_room", "lobby", slow=5)
    private = await place.private(boss, bob)
    await do(boss, "remove", private, user="bob")
    assert await code_of(bob, "join", "lobby") == "forbidden"

    database = place.hub.node.database
    assert database is not None
    lines = [(one.actor, one.action, one.target, one.detail) for one in await database.read(audit_lines)]

    assert lines[::-1] == [
        ("boss", "message.delete", "bob", {"room": "lobby", "seq": 1}),
        ("boss", "room.mute", "bob", {"until": "2099-01-01T00:00:00.000Z", "room": "lobby"}),
        ("boss", "room.ban", "bob", {"until": "for_ever", "room": "lobby"}),
        ("boss", "room.change_room", "lobby", {"slow": 5}),
    ]


async def test_a_user_owns_so_many_rooms_and_makes_so_many_an_hour(place: House) -> None:
    place.hub.node.services.current.change({"rooms_per_user": 2, "rooms_made": 4})
    alice, bob = await place.enter("alice"), await place.enter("bob")
    rooms = [await place.private(alice) for _ in range(2)]
    refused = await alice.ask({"type": "create", "kind": "public", "room": "third"})
    assert (refused["type"], refused["code"]) == ("error", "too_large")

    await do(alice, "change_room", rooms[0], archived=True)
    assert (await alice.ask({"type": "create", "kind": "public", "room": "third"}))["type"] == "joined"
    refused = await alice.ask({"type": "direct", "users": ["bob"]})
    assert (refused["code"], refused["retry_after"] > 0) == ("rate_limited", True)
    direct = await bob.ask({"type": "direct", "users": ["alice"]})
    assert (await alice.ask({"type": "direct", "users": ["bob"]}))["room"] == direct["room"]


async def test_whoever_is_removed_hears_of_it_on_devices_that_have_not_joined(place: House) -> None:
    alice, bob, phone = await place.enter("alice"), await place.enter("bob"), await place.enter("bob")
    room = await place.private(alice, bob)

    for _ in range(2):
        await do(alice, "remove", room, user="bob")
        for device in (bob, phone):
            await device.catch_up()
        await do(alice, "invite", room, user="bob")

    assert [event["reason"] for event in bob.of_type("removed")] == ["removed"] * 2
    assert [event["reason"] for event in phone.of_type("removed")] == ["removed"] * 2
    await phone.gather("invited", 3)
    assert alice.of_type("removed") == []


async def test_the_list_says_what_one_is_in_private_rooms_and_who_is_in_direct_ones(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    gus = await place.enter("gus", guest=True)
    plans = await place.private(alice, bob)
    direct = (await bob.ask({"type": "direct", "users": [alice.key, gus.key]}))["room"]
    await do(alice, "message", plans, text="hello")

    listed = {one["room"]: one for one in (await place.get("/api/v1/rooms", "bob")).json()["rooms"]}

    assert set(listed) == {plans, direct}
    assert (listed[plans]["kind"], listed[plans]["title"], listed[plans]["role"]) == ("private", "Plans", "member")
    assert (listed[direct]["kind"], listed[direct]["role"]) == ("direct", "member")
    assert "title" not in listed[direct]
    assert [one["user"] for one in listed[direct]["users"]] == ["alice", "bob", gus.key]
    found = (await place.get("/api/v1/rooms", "bob", q="gus")).json()["rooms"]
    assert [one["room"] for one in found] == [direct]
    assert (await place.get("/api/v1/rooms", "mallory")).json()["rooms"] == []


async def test_each_part_of_a_long_recovery_says_what_the_room_is(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    room = await place.private(alice, bob)
    before = await bob.ask({"type": "join", "room": room})
    await bob.send({"type": "leave", "room": room})
    await bob.catch_up()
    number = FRAME_BYTES // (3 * TEXT_LENGTH) + 1
    for _ in range(number):
        await do(alice, "message", room, text="x" * TEXT_LENGTH)

    joined = await bob.ask({"type": "join", "room": room, "rev": before["rev"], "epoch": before["epoch"]})
    sync = await bob.expect("sync")

    assert joined["recovered"]
    assert len(joined["messages"]) + len(sync["messages"]) == number
    assert [(event["kind"], event["title"]) for event in (joined, sync)] == [("private", "Plans")] * 2
