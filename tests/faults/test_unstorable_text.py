"""U+0000, which PostgreSQL cannot store: it is refused with the name of its field, wherever a client can send it."""

import time
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest
from fastapi import FastAPI

from hubbub import Hubbub, Invalid, Settings, User
from hubbub.http.admission import as_user
from hubbub.testing import serving
from tests.conftest import ServerFactory
from tests.people import Refused, person

NUL = "aaaaaaaa\0b"
HALF = "\ud800"
SECRET = "the secret of a server that is tested"

FRAMES: list[tuple[str, dict[str, Any]]] = [
    ("epoch", {"type": "join", "room": "general", "rev": 1, "epoch": NUL}),
    ("epoch", {"type": "join", "rooms": [{"room": "general", "rev": 1, "epoch": NUL}]}),
    ("room", {"type": "join", "room": NUL}),
    ("room", {"type": "join", "rooms": [{"room": NUL}]}),
    ("room", {"type": "message", "room": NUL, "text": "hello"}),
    ("text", {"type": "message", "room": "general", "text": NUL}),
    ("key", {"type": "message", "room": "general", "text": "hello", "key": NUL}),
    ("data", {"type": "message", "room": "general", "text": "hello", "data": {"a": [{"b": NUL}]}}),
    ("data", {"type": "message", "room": "general", "text": "hello", "data": {NUL: 1}}),
    ("text", {"type": "edit", "room": "general", "seq": 1, "text": NUL}),
    ("room", {"type": "delete", "room": NUL, "seq": 1}),
    ("emoji", {"type": "react", "room": "general", "seq": 1, "emoji": NUL}),
    ("emoji", {"type": "react", "room": "general", "seq": 1, "emoji": "👍\0"}),
    ("room", {"type": "pin", "room": NUL, "seq": 1}),
    ("room", {"type": "leave", "room": NUL}),
    ("room", {"type": "history", "room": NUL}),
    ("room", {"type": "typing", "room": NUL}),
    ("topic", {"type": "follow", "topic": NUL}),
    ("topic", {"type": "unfollow", "topic": NUL}),
    ("id", {"type": "ping", "id": NUL}),
]


@pytest.mark.parametrize("subprotocol", ["hubbub.v1.json", "hubbub.v1.msgpack"])
async def test_each_field_of_each_command_refuses_u0000_before_postgresql_sees_it(
    serve: ServerFactory, postgres: str, subprotocol: str
) -> None:
    server = serve(environment={"HUBBUB_DATABASE_URL": postgres, "HUBBUB_BURST": "1000"})
    async with person(server, "alice", subprotocol=subprotocol) as alice:
        await alice.join("general")
        await alice.say("general", "hello")
        for field, frame in FRAMES:
            await alice.send(frame)
            error = await alice.expect("error")

            assert (error["code"], frame["type"]) == ("invalid", error["command"])
            assert field in error["errors"][0]["loc"], error

        # A text that only looks like it is stored as sent.
        said = await alice.ask({"type": "message", "room": "general", "text": r"\u0000", "data": {"regex": r"\u0000"}})
        assert said["type"] == "ack"


async def test_addresses_and_rest_refuse_u0000_too(serve: ServerFactory, postgres: str) -> None:
    server = serve(environment={"HUBBUB_DATABASE_URL": postgres, "HUBBUB_SECRET": SECRET})
    nul = quote(NUL)
    now = int(time.time())
    claims = {"iss": "hubbub", "aud": "hubbub", "sub": "root", "role": "admin", "iat": now, "exp": now + 3600}
    account = {"Authorization": f"Bearer {jwt.encode(claims, SECRET)}"}
    for path in (f"/ws/chat/general?username=bob&rev=1&epoch={nul}", f"/ws/chat/{nul}", f"/ws?username={nul}"):
        with pytest.raises(Refused) as refused:
            async with person(server, path=path):
                pass
        assert (refused.value.status, refused.value.body["code"]) == (400, "invalid")

    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        for answer in (
            await client.get(f"/api/v1/rooms/{nul}/messages"),
            await client.get(f"/api/v1/rooms/general/messages?before={nul}"),
            await client.post(f"/notify/{nul}", json={"title": "hello"}),
            await client.post("/notify/orders", json={"title": NUL}),
            await client.post("/notify/orders", json={"title": "hello", "data": {"a": NUL}}),
            await client.delete(f"/api/v1/invitations/{nul}", headers=account),
            await client.patch("/api/v1/me", json={"email": f"{NUL}@example.com"}, headers=account),
            await client.patch(f"/api/v1/accounts/{nul}", json={"deactivated": True}, headers=account),
            await client.get(f"/api/v1/accounts?q={nul}", headers=account),
            await client.get(f"/api/v1/audit?before={nul}", headers=account),
        ):
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.request.url
        said = await client.post("/api/v1/rooms/general/messages", json={"text": "still here"})
        assert said.status_code == 201


async def test_an_application_cannot_send_half_of_a_surrogate_pair() -> None:
    app = FastAPI()
    hub = Hubbub(guests="on", settings=Settings())
    app.include_router(hub.router)
    async with serving(app):
        room = hub.rooms("general")
        with pytest.raises(Invalid):
            await room.send(HALF)
        for text in (HALF, NUL):
            with pytest.raises(Invalid):
                await room.send("hello", data={"a": text})


def test_a_user_whose_name_cannot_be_stored_is_shown_by_the_key() -> None:
    assert as_user(User("alice", NUL)) == as_user(User("alice", HALF)) == User("alice", "alice")
