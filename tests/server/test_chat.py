"""People chat through a real server: on our own protocol classes and, with the same outcome, on others."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from tests.people import Person, person
from tests.servers import WebServer


async def test_bob_reads_what_alice_says(chat: WebServer) -> None:
    async with person(chat, "alice-1") as alice, person(chat, "bob-1") as bob:
        await alice.join("talk")
        await bob.join("talk")

        ack = await alice.say("talk", "Hello Bob!")

        message = await bob.expect("message")
        assert message == {
            "type": "message",
            "room": "talk",
            "seq": ack["seq"],
            "rev": ack["rev"],
            "user": "alice-1",
            "name": "alice-1",
            "kind": "text",
            "text": "Hello Bob!",
            "ts": ack["ts"],
        }
        assert await alice.hear(1) == ["Hello Bob!"]


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "Hello Bob!"}',
        '{"type": "message", "text": "Hello Bob!"}',
        '{"type": "msg", "text": "Hello Bob!"}',
        '{"type": "chat", "text": "Hello Bob!"}',
        "Hello Bob!",
    ],
)
async def test_a_line_typed_in_wscat_arrives_as_a_message(chat: WebServer, line: str) -> None:
    async with (
        person(chat, "alice-2", path="/ws/chat/room1") as alice,
        person(chat, "bob-2", path="/ws/chat/room1") as bob,
    ):
        await alice.expect("joined")
        await bob.expect("joined")

        await alice.type(line)

        message = await bob.expect("message")
        assert (message["user"], message["text"], message["room"]) == (alice.key, "Hello Bob!", "room1")


async def test_a_rooms_address_welcomes_and_joins(chat: WebServer) -> None:
    async with person(chat, "alice-3", path="/ws/chat/hall") as alice:
        joined = await alice.next()

    welcome = alice.seen[0]
    assert welcome["room"] == "hall"
    assert welcome["online"] == 0
    assert joined["type"] == "joined"
    assert joined["room"] == joined["name"] == "hall"
    assert joined["users"] == [{"user": "alice-3", "name": "alice-3", "guest": True}]
    assert joined["online"] == 1
    assert joined["recovered"] is False
    assert joined["epoch"] == welcome["epoch"]


async def test_the_address_without_a_room_means_the_default_room(chat: WebServer) -> None:
    async with person(chat, path="/ws/chat") as alice:
        assert (await alice.expect("joined"))["room"] == "general"


async def test_a_welcome_names_the_user_and_the_limits(chat: WebServer) -> None:
    async with person(chat, "alice-4") as alice:
        welcome = alice.seen[0]

    assert welcome["user"] == welcome["name"] == "alice-4"
    assert welcome["guest"] is True
    assert welcome["secret"]
    assert welcome["heartbeat"] == 25_000
    assert welcome["limits"] == {"frame": 65_536, "text": 4000, "unanswered": 64, "rate": 1000.0, "burst": 1000}


async def test_the_strict_address_wants_a_type_and_a_room(chat: WebServer) -> None:
    async with person(chat, "alice-5") as alice:
        await alice.type('{"text": "hi"}')
        assert (await alice.expect("error"))["errors"][0]["loc"] == ["type"]
        await alice.type("hi")
        assert (await alice.expect("error"))["code"] == "invalid"
        await alice.type('{"type": "message", "text": "hi"}')
        assert (await alice.expect("error"))["errors"][0]["loc"] == ["room"]


async def test_several_rooms_are_joined_at_once_and_each_is_answered(chat: WebServer) -> None:
    async with person(chat, "alice-6") as alice:
        await alice.send({"type": "join", "id": "j1", "rooms": [{"room": "red"}, {"room": "green"}, {"room": "blue"}]})
        answers = [await alice.expect("joined", id="j1") for _ in range(3)]

        assert [answer["room"] for answer in answers] == ["red", "green", "blue"]
        assert (await alice.say("green", "grass"))["room"] == "green"


async def test_commands_after_a_join_wait_until_it_is_done(chat: WebServer) -> None:
    async with person(chat, "alice-7") as alice:
        await alice.send({"type": "join", "id": "1", "room": "queue"})
        for number in range(2, 6):
            await alice.send({"type": "message", "id": str(number), "room": "queue", "text": str(number)})
        assert await alice.hear(4) == ["2", "3", "4", "5"]
        acks = await alice.gather("ack", 4)

    assert [event["id"] for event in acks] == ["2", "3", "4", "5"]
    assert not alice.of_type("error")


async def test_a_second_join_is_answered_and_not_announced(chat: WebServer) -> None:
    async with person(chat, "alice-8") as alice, person(chat, "bob-8") as bob:
        await alice.join("again")
        await bob.join("again")
        assert (await bob.join("Again"))["online"] == 2

        await alice.say("again", "hi")
        await alice.catch_up()
        await bob.catch_up()

    assert [event["user"] for event in alice.of_type("join")] == ["alice-8", "bob-8"]
    assert bob.texts == ["hi"]


async def test_speaking_and_leaving_take_joining_first(chat: WebServer) -> None:
    async with person(chat, "alice-9") as alice:
        for frame in (
            {"type": "message", "room": "closed", "text": "hi"},
            {"type": "typing", "room": "closed"},
            {"type": "leave", "room": "closed"},
        ):
            answer = await alice.ask(frame)
            assert (answer["type"], answer["code"], answer["room"]) == ("error", "forbidden", "closed")
            assert answer["command"] == frame["type"]


async def test_a_user_who_left_gets_nothing_more(chat: WebServer) -> None:
    async with person(chat, "alice-10") as alice, person(chat, "bob-10") as bob:
        await alice.join("ears")
        await bob.join("ears")

        assert (await bob.ask({"type": "leave", "room": "ears"}))["type"] == "ack"
        left = await alice.expect("leave")
        await alice.say("ears", "alone")
        await bob.catch_up()

    assert (left["user"], left["online"]) == ("bob-10", 1)
    assert bob.texts == []


async def test_only_a_command_with_an_id_is_acknowledged(chat: WebServer) -> None:
    async with person(chat, "alice-11") as alice:
        await alice.join("ids")
        await alice.send({"type": "message", "room": "ids", "text": "without"})
        await alice.send({"type": "message", "id": "with", "room": "ids", "text": "with"})
        await alice.send({"type": "typing", "id": "t", "room": "ids", "active": True})
        await alice.send({"type": "typing", "room": "ids", "active": False})
        assert await alice.hear(2) == ["without", "with"]
        await alice.gather("ack", 2)
        await alice.catch_up()

    assert {event["id"] for event in alice.of_type("ack")} == {"with", "t"}
    assert len(alice.of_type("ack")) == 2


async def test_a_ping_is_answered_with_the_time_and_a_pong_with_nothing(chat: WebServer) -> None:
    async with person(chat, "alice-12") as alice:
        pong = await alice.ask({"type": "ping"})
        before = len(alice.seen)
        await alice.send({"type": "pong"})
        await alice.catch_up()

    assert pong["type"] == "pong"
    assert pong["ts"].endswith("Z")
    assert [event["type"] for event in alice.seen[before:]] == ["pong", "pong"]


async def test_typing_is_shown_and_ends_with_the_message_or_on_its_own(chat: WebServer) -> None:
    async with person(chat, "alice-13") as alice, person(chat, "bob-13") as bob:
        await alice.join("desk")
        await bob.join("desk")

        await alice.send({"type": "typing", "room": "desk", "active": True})
        shown = await bob.expect("typing")
        await alice.send({"type": "typing", "room": "desk", "active": False})
        hidden = await bob.expect("typing")

    assert (shown["user"], shown["active"]) == ("alice-13", True)
    assert (hidden["user"], hidden["active"]) == ("alice-13", False)


@pytest.mark.parametrize("leaves", ["by command", "by closing"])
async def test_typing_ends_when_its_user_has_left_with_all_tabs(chat: WebServer, leaves: str) -> None:
    desk = f"desk-{leaves[3:]}"
    async with person(chat, f"alice-{leaves[3:]}") as alice, person(chat) as bob:
        async with person(chat, secret=alice.seen[0]["secret"]) as other_tab:
            for one in (alice, other_tab, bob):
                await one.join(desk)
            await alice.send({"type": "typing", "room": desk, "active": True})
            await bob.expect("typing", active=True)
        await alice.say(desk, "still here")
        await bob.expect("message", text="still here")
        assert len(bob.of_type("typing")) == 1
        await alice.send({"type": "typing", "room": desk, "active": True})
        await bob.expect("typing", active=True)
        if leaves == "by command":
            await alice.ask({"type": "leave", "room": desk})
        else:
            await alice.link.close()

        await bob.expect("typing", active=False)


async def test_a_user_with_three_tabs_joins_and_leaves_once(chat: WebServer) -> None:
    async with person(chat, "alice-14") as alice:
        await alice.join("tabs")
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(person(chat, "bob-14"))
            secret = first.seen[0]["secret"]
            tabs = [first] + [await stack.enter_async_context(person(chat, secret=secret)) for _ in range(2)]
            for tab in tabs:
                assert (await tab.join("tabs"))["online"] == 2
            await alice.say("tabs", "to all tabs")
            for tab in tabs:
                await tab.expect("message", text="to all tabs")
            await tabs[0].ask({"type": "leave", "room": "tabs"})
            await tabs[1].link.close()
            await alice.catch_up()
            assert not alice.of_type("leave")

        await alice.expect("leave", user="bob-14", online=1)
    assert [event["user"] for event in alice.of_type("join")] == ["alice-14", "bob-14"]
    assert len(alice.of_type("leave")) == 1


async def test_a_closed_connection_leaves_at_once_and_a_broken_one_later(chat: WebServer) -> None:
    async with person(chat, "alice-15") as alice:
        await alice.join("door")
        async with person(chat, "bob-15") as bob:
            await bob.join("door")
        assert (await alice.expect("leave"))["user"] == "bob-15"
        async with person(chat, "carol-15") as carol:
            await carol.join("door")
            carol.vanish()
        assert (await alice.expect("leave"))["user"] == "carol-15"


async def test_above_a_hundred_a_count_replaces_the_names(chat: WebServer) -> None:
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(person(chat, "alice-16"))
        await alice.join("stadium")

        async def enter(number: int) -> Person:
            somebody = await stack.enter_async_context(person(chat, f"fan-{number}"))
            joined = await somebody.join("stadium")
            assert len(joined["users"]) <= 100
            return somebody

        fans = [await enter(number) for number in range(110)]
        await alice.expect("online", online=111)
        for fan in fans[:3]:
            await fan.ask({"type": "leave", "room": "stadium"})
        await alice.expect("online", online=108)

    assert len(alice.of_type("join")) == 100
    assert not alice.of_type("leave")
    # At most one a second. One for each join and leave would save nothing.
    assert len(alice.of_type("online")) < 13


async def test_users_of_messagepack_and_json_share_a_room(chat: WebServer) -> None:
    async with (
        person(chat, "alice-17") as alice,
        person(chat, "bob-17", subprotocol="hubbub.v1.msgpack") as bob,
    ):
        await alice.join("babel")
        assert bob.link.subprotocol == "hubbub.v1.msgpack"
        assert (await bob.join("babel"))["online"] == 2

        data = {"n": 2**64 - 1, "half": 0.5, "deep": [{"ü": None}]}
        await alice.ask({"type": "message", "room": "babel", "text": "née ✓", "data": data})
        heard = await bob.expect("message")
        await bob.ask({"type": "message", "room": "babel", "text": "back", "data": data})
        answer = await alice.expect("message", text="back")

    assert heard["text"] == "née ✓"
    assert heard["data"] == answer["data"] == data


async def test_json_is_the_default_subprotocol(chat: WebServer) -> None:
    async with person(chat, "alice-18", subprotocol="hubbub.v1.json") as alice:
        assert alice.link.subprotocol == "hubbub.v1.json"
    async with person(chat, "alice-19") as alice:
        assert alice.link.subprotocol is None


async def test_a_binary_frame_on_a_json_connection_is_invalid(chat: WebServer) -> None:
    async with person(chat, "alice-20") as alice:
        await alice.link.send(b'{"type": "ping"}')

        assert (await alice.expect("error"))["code"] == "invalid"
        await alice.catch_up()


async def test_a_text_frame_on_a_messagepack_connection_is_invalid(chat: WebServer) -> None:
    async with person(chat, "alice-21", subprotocol="hubbub.v1.msgpack") as alice:
        await alice.link.send('{"type": "ping"}')

        assert (await alice.expect("error"))["code"] == "invalid"
        await alice.catch_up()


async def test_compressed_frames_of_a_client_are_understood(chat: WebServer) -> None:
    text = "again and again " * 200
    async with (
        person(chat, "alice-22", compression="deflate") as alice,
        person(chat, "bob-22", compression="deflate") as bob,
        person(chat, "carol-22") as carol,
    ):
        for somebody in (alice, bob, carol):
            await somebody.join("zip")
        await alice.say("zip", text)
        await bob.expect("message", text=text)
        await carol.expect("message", text=text)


async def test_a_message_in_fragments_is_one_message(chat: WebServer) -> None:
    async with person(chat, "alice-23") as alice:
        frame = json.dumps({"type": "ping", "id": "whole"})
        await alice.link.send([frame[:5], frame[5:10], frame[10:]])

        await alice.expect("pong", id="whole")


@pytest.mark.parametrize(
    ("line", "code", "loc"),
    [
        ("{", "invalid", None),
        ("[]", "invalid", None),
        ("null", "invalid", None),
        ('{"type": []}', "invalid", ["type"]),
        ('{"type": {}}', "invalid", ["type"]),
        ('{"type": "shout"}', "unknown_type", None),
        ('{"type": "message", "text": "hi"}', "invalid", ["room"]),
        ('{"type": "message", "room": "x"}', "invalid", ["text"]),
        ('{"type": "message", "room": 1, "text": "hi"}', "invalid", ["room"]),
        ('{"type": "message", "room": "x", "text": "\\ud800"}', "invalid", None),
        ('{"type": "message", "room": "x", "text": "\\u0000"}', "invalid", ["text"]),
        ('{"type": "message", "room": "x", "text": "hi", "data": {"a": 1e400}}', "invalid", ["data"]),
        ('{"type": "join", "room": "x", "rev": ' + "9" * 400 + "}", "invalid", ["rev"]),
        ('{"type": "join", "room": "x", "rev": ' + "9" * 5000 + "}", "invalid", None),
        (
            '{"type": "message", "room": "x", "text": "hi", "data": ' + '{"a":' * 100 + "1" + "}" * 101,
            "invalid",
            ["data"],
        ),
        ("[" * 30_000, "invalid", None),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else None,
)
async def test_a_wrong_frame_gets_an_error_that_names_the_field_and_the_connection_lives(
    chat: WebServer, line: str, code: str, loc: list[str] | None
) -> None:
    async with person(chat) as alice:
        await alice.type(line)

        error = await alice.expect("error")
        assert error["code"] == code
        if loc is not None:
            assert error["errors"][0]["loc"] == loc
        await alice.catch_up()


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u3000", "\u200b\ufe0f", "\u2800"])
async def test_a_blank_text_is_refused_in_messages_and_edits(chat: WebServer, text: str) -> None:
    async with person(chat) as alice:
        await alice.join("blank")
        said = await alice.say("blank", ".")

        for command in ({"type": "message"}, {"type": "edit", "seq": said["seq"]}):
            error = await alice.ask({**command, "room": "blank", "text": text})
            assert (error["type"], error["code"]) == ("error", "invalid")
            assert error["errors"][0]["loc"] == ["text"]


async def test_a_message_with_data_needs_no_text(chat: WebServer) -> None:
    async with person(chat) as alice:
        await alice.join("blank")

        answer = await alice.ask({"type": "message", "room": "blank", "text": "", "data": {"card": 7}})

        assert answer["type"] == "ack"


async def test_an_error_carries_the_id_the_type_and_the_room_of_its_command(chat: WebServer) -> None:
    async with person(chat) as alice:
        answer = await alice.ask({"type": "message", "room": "nowhere"})

    assert (answer["type"], answer["command"], answer["room"]) == ("error", "message", "nowhere")


async def test_a_conversation_of_many_at_once_loses_and_doubles_nothing(chat: WebServer) -> None:
    names = [f"talker-{number}" for number in range(8)]
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(person(chat, name)) for name in names]
        for somebody in people:
            await somebody.join("chatter")

        async def talk(somebody: Person, name: str) -> None:
            for number in range(25):
                await somebody.send({"type": "message", "room": "chatter", "text": f"{name} {number}"})

        await asyncio.gather(*map(talk, people, names))
        for somebody in people:
            await somebody.hear(200)

    orders = {tuple(somebody.texts) for somebody in people}
    assert len(orders) == 1, "everybody sees the same order"
    order = orders.pop()
    for name in names:
        assert [text for text in order if text.startswith(f"{name} ")] == [f"{name} {number}" for number in range(25)]
