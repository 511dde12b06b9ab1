"""`POST /api/v1/rooms/{room}/messages`: the command `message` without a connection."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Header

from hubbub import Action, Draft, Forbidden, Hubbub, MessageEvent, Settings, User
from hubbub.features.typing.feature import TypingFeature
from hubbub.testing import TestServer, serving

MESSAGES = "/api/v1/rooms/general/messages"


class Host:
    def __init__(self, folder: Path) -> None:
        self.heard: list[str] = []
        settings = Settings(request_rate=0.1, request_burst=30)
        data = folder / "data"
        self.hub = Hubbub(authenticate=login, guests="on", policy=policy, data_dir=data, settings=settings)
        self.app = FastAPI()
        self.app.include_router(self.hub.router)
        self.hub.before_message(self.revise)
        self.hub.on_message(self.note)

    async def revise(self, draft: Draft) -> None:
        if draft.text == "spam":
            raise Forbidden(f"{draft.user.name} may not say that")
        draft.text = draft.text.replace("damn", "****")

    def note(self, event: MessageEvent) -> None:
        self.heard.append(event.text)


def login(x_user: str | None = Header(None)) -> User | None:
    return User(x_user, x_user.title()) if x_user else None


def policy(user: User, action: Action, room: str) -> bool:
    return not (room == "news" and action is Action.SEND)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
async def server(host: Host) -> AsyncIterator[TestServer]:
    async with serving(host.app) as server:
        yield server


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, headers={"X-User": "alice"}) as client:
        yield client


async def test_a_posted_message_is_delivered_and_stored(
    server: TestServer, client: httpx.AsyncClient, host: Host
) -> None:
    async with server.connect("/ws/chat/general", headers={"X-User": "bob"}) as bob:
        await bob.expect("joined")
        answer = await client.post(MESSAGES, json={"text": "damn, hello", "data": {"n": 1}, "key": "key-00001"})
        heard = await bob.expect("message")

    assert answer.status_code == 201
    posted = answer.json()
    assert posted == {"room": "general", "seq": 1, "rev": 1, "ts": heard["ts"], "user": "alice"}
    assert (heard["user"], heard["name"], heard["text"], heard["data"]) == ("alice", "Alice", "****, hello", {"n": 1})
    assert host.heard == ["****, hello"]
    assert (await client.get(MESSAGES)).json()["messages"][0]["text"] == "****, hello"


async def test_a_repeat_under_the_same_key_gets_the_first_answer(client: httpx.AsyncClient) -> None:
    answers = [await client.post(MESSAGES, json={"text": "hello", "key": "key-00001"}) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    other = await client.post(MESSAGES, json={"text": "other", "key": "key-00001"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        (MESSAGES, {"text": 5}, 400, "invalid", "text"),
        (MESSAGES, {"text": " "}, 400, "invalid", None),
        (MESSAGES, {"text": "a\0b"}, 400, "invalid", "text"),
        (MESSAGES, {}, 400, "invalid", "text"),
        (MESSAGES, ["text"], 400, "invalid", None),
        (MESSAGES, {"text": "hello", "key": "short"}, 400, "invalid", "key"),
        (MESSAGES, {"text": "hello", "reply_to": 99}, 404, "not_found", None),
        (MESSAGES, {"text": "spam"}, 403, "forbidden", None),
        (MESSAGES, {"text": "x" * 70_000}, 413, "too_large", None),
        ("/api/v1/rooms/news/messages", {"text": "hello"}, 403, "forbidden", None),
        ("/api/v1/rooms/-/messages", {"text": "hello"}, 400, "invalid", "room"),
    ],
)
async def test_errors_are_those_of_the_command(
    client: httpx.AsyncClient, path: str, body: Any, status: int, code: str, field: str | None
) -> None:
    answer = await client.post(path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if field is not None:
        assert answer.json()["errors"][0]["loc"] == [field]


@pytest.mark.parametrize("body", ["", "text=hello", "{", '["text"]'])
async def test_the_error_for_a_body_that_is_not_a_json_object_shows_one(client: httpx.AsyncClient, body: str) -> None:
    answer = await client.post(MESSAGES, content=body)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith('the body must be one JSON object, such as {"text": "hello"}')


async def test_a_foreign_page_may_not_post(client: httpx.AsyncClient) -> None:
    answer = await client.post(MESSAGES, json={"text": "hello"}, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403


async def test_posting_too_much_is_refused_with_a_time_to_retry(client: httpx.AsyncClient) -> None:
    answers = [await client.post(MESSAGES, json={"text": "hello"}) for _ in range(32)]

    assert answers[0].status_code == 201
    answer = answers[-1]
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.json()["retry_after"] > 0


async def test_a_guest_with_the_secret_posts_as_the_same_guest(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on", data_dir=tmp_path / "data", settings=Settings()).router)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        first = (await client.post(f"{MESSAGES}?username=Zoe", json={"text": "hello"})).json()
        secret = base64.urlsafe_b64encode(first["secret"].encode()).decode().rstrip("=")
        again = await client.post(f"{MESSAGES}?username=Zoe", json={"text": "me"}, headers={"Hubbub-Secret": secret})
        stranger = await client.post(f"{MESSAGES}?username=Zoe", json={"text": "not me"})

    assert first["user"] == again.json()["user"] == "Zoe"
    assert stranger.status_code == 201
    assert stranger.json()["user"] != "Zoe"


async def test_openapi_names_the_fields_and_all_answers(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()["paths"][MESSAGES.replace("general", "{room}")]["post"]

    schema = described["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"].keys() == {"text", "key", "reply_to", "data"}
    assert {"201", "400", "401", "403", "404", "409", "413", "429", "503"} <= described["responses"].keys()


async def test_a_posted_message_ends_its_senders_indicator(
    host: Host, server: TestServer, client: httpx.AsyncClient
) -> None:
    indicators = host.hub.node.feature(TypingFeature).indicators
    async with server.connect("/ws/chat/general", headers={"X-User": "alice"}) as alice:
        await alice.expect("joined")
        await alice.send({"type": "typing", "room": "general", "active": True})
        await alice.expect("typing", active=True)
        assert indicators.are_shown

        await client.post(MESSAGES, json={"text": "hello"})
        await alice.expect("message", text="hello")

        assert not indicators.are_shown
