"""Routing by type: the built-in commands and the application's own, side by side."""

import httpx

from examples.routed_by_type import app
from tests.examples.conftest import Start

TABLE = "/ws/chat/table?username="


async def test_each_type_does_what_it_says(start: Start) -> None:
    server = await start(app)
    async with server.connect(TABLE + "alice") as alice, server.connect(TABLE + "bob") as bob:
        await alice.expect("join", user="bob")
        await bob.send({"type": "typing", "active": True})
        await alice.expect("typing", user="bob", active=True)
        await bob.send({"type": "chat", "id": "m1", "text": "my turn"})
        await bob.expect("ack", id="m1")
        await alice.expect("message", user="bob", text="my turn")
        await bob.send({"type": "ping", "id": "p1"})
        await bob.expect("pong", id="p1")


async def test_the_applications_command_is_acked_and_its_event_reaches_the_room(start: Start) -> None:
    server = await start(app)
    async with server.connect(TABLE + "alice") as alice, server.connect(TABLE + "bob") as bob:
        await alice.expect("join", user="bob")
        await bob.send({"type": "roll", "id": "r1", "sides": 20})
        await bob.expect("ack", id="r1")
        rolled = await alice.expect("rolled", room="table", user="bob", sides=20)
        assert 1 <= rolled["result"] <= 20


async def test_the_applications_command_is_validated_and_obeys_the_rooms_rules(start: Start) -> None:
    server = await start(app)
    async with server.connect(TABLE + "alice") as alice:
        await alice.send({"type": "roll", "sides": 1})
        error = await alice.expect("error", code="invalid", command="roll")
        assert error["errors"][0]["loc"] == ["sides"]
        await alice.send({"type": "roll", "room": "elsewhere"})
        await alice.expect("error", code="forbidden", command="roll", room="elsewhere")


async def test_the_schema_has_the_applications_types_in_the_built_in_unions(start: Start) -> None:
    server = await start(app)
    async with httpx.AsyncClient(base_url=server.url) as client:
        schema = (await client.get("/schema.json")).json()["$defs"]

    assert schema["Command"]["discriminator"]["mapping"]["roll"] == "#/$defs/Roll"
    assert schema["Command"]["discriminator"]["mapping"]["message"] == "#/$defs/SendMessage"
    assert schema["Event"]["discriminator"]["mapping"]["rolled"] == "#/$defs/Rolled"
    assert schema["Roll"]["description"] == "Roll a die. Answered by `ack`."
