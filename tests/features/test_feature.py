"""What features add to a hub, and what a hub asks of each."""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import httpx
import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.routing import APIRoute
from websockets.exceptions import InvalidStatus

from hubbub import Action, Command, ConfigurationError, Connection, Feature, Forbidden, Hubbub, User
from hubbub.dispatch.hooks import Hooks
from hubbub.dispatch.registry import Registration, Registry, Unasked
from hubbub.features.built_in import built_in
from hubbub.features.feature import ChannelKind
from hubbub.features.jobs import Job
from hubbub.features.rooms.rooms import channel_of
from hubbub.http.socket_routes import add_socket, check_key
from hubbub.testing import serving
from hubbub.testing.fixtures import Serve, serve
from hubbub.wire.publication import Publication
from tests.lone_node import lone_node
from tests.waiting import eventually

__all__ = ["serve"]


def all_registrations() -> list[Registration]:
    return [registration for feature in built_in(Hooks()) for registration in feature.commands()]


@pytest.mark.parametrize("registration", all_registrations(), ids=lambda one: one.model.__name__)
def test_every_command_names_its_action_or_why_the_policy_is_not_asked(registration: Registration) -> None:
    if isinstance(registration.asks, Unasked):
        assert registration.asks.reason
    else:
        assert registration.place is not None


def test_a_command_with_an_action_must_say_where() -> None:
    with pytest.raises(TypeError, match="says not where"):
        Registration(Wave, lambda connection, command: None, asks=Action.SEND)


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ({"type": "message", "text": "hi"}, Action.SEND),
        ({"type": "edit", "seq": 1, "text": "hi"}, Action.EDIT),
        ({"type": "delete", "seq": 1}, Action.DELETE),
        ({"type": "react", "seq": 1, "emoji": "🎉"}, Action.REACT),
        ({"type": "pin", "seq": 1}, Action.PIN),
        ({"type": "history"}, Action.READ),
        ({"type": "typing"}, Action.TYPE),
        ({"type": "follow", "topic": "news"}, Action.FOLLOW),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else "",
)
async def test_what_the_policy_refuses_is_not_done(serve: Serve, command: dict[str, object], action: Action) -> None:
    asked: list[tuple[Action, str]] = []

    def policy(user: User, asked_for: Action, where: str) -> bool:
        asked.append((asked_for, where))
        return asked_for is Action.JOIN

    app = FastAPI()
    app.include_router(Hubbub(guests="on", policy=policy).router)
    server = await serve(app)
    async with server.connect("/ws/chat/hall") as alice:
        await alice.expect("joined")
        where = {"topic": "news"} if action is Action.FOLLOW else {"room": "hall"}
        await alice.send({**command, **where, "id": "1"})

        await alice.expect("error", id="1", code="forbidden")

    *joining, refused = asked
    # Who joins is asked about again after subscribing.
    assert set(joining) == {(Action.JOIN, "hall")}
    assert refused == (action, "news" if action is Action.FOLLOW else "hall")


def routes_about_places() -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in Hubbub(guests="on").router.routes
        if isinstance(route, APIRoute) and route.param_convertors and not route.path.startswith(("/ws", "/assets/"))
        for method in sorted(route.methods or ())
    ]


def test_the_routes_about_a_room_or_a_topic_are_found() -> None:
    assert {("POST", "/notify/{topic}"), ("GET", "/api/v1/rooms/{room}/messages")} < set(routes_about_places())


@pytest.mark.parametrize(("method", "path"), routes_about_places())
async def test_each_route_about_a_place_asks_the_policy_or_for_an_api_key(serve: Serve, method: str, path: str) -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on", policy=lambda user, action, where: False).router)
    server = await serve(app)
    everything = {"text": "hi", "title": "hi", "user": "bob", "role": "member", "reason": "hi", "state": "closed"}
    filled = re.sub(r"\{\w+\}", "hall", path.replace("{seq}", "1"))
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.request(method, filled, json=everything)

    needs_more = path.startswith(("/api/v1/app/", "/api/v1/bans/", "/api/v1/reports/", "/api/v1/tokens/"))
    assert answer.json()["code"] == ("unauthenticated" if needs_more else "forbidden")


class Wave(Command):
    """Wave at everybody."""

    type: Literal["wave"] = "wave"


class Waving(Feature):
    def __init__(self) -> None:
        self.life: list[str] = []

    def commands(self) -> Iterable[Registration]:
        yield Registration(Wave, self.wave, asks=Unasked("everybody may wave"))

    def wave(self, connection: Connection, command: Wave) -> None:
        if connection.user.key == "mallory":
            raise Forbidden("not you")

    def jobs(self) -> Iterable[Job]:
        yield Job(0.001, self.tick)

    def tick(self) -> None:
        if "tick" not in self.life:
            self.life.append("tick")

    async def start(self) -> None:
        self.life.append("start")

    async def stop(self) -> None:
        self.life.append("stop")

    def connected(self, connection: Connection) -> None:
        self.life.append(f"{connection.user.key} is connected")

    def joined(self, connection: Connection, room: str) -> None:
        self.life.append(f"{connection.user.key} has joined {room}")

    def left(self, connection: Connection, room: str) -> None:
        self.life.append(f"{connection.user.key} has left {room}")

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        self.life.append(f"{connection.user.key} is disconnected")


class Failing(Feature):
    def fail(self, *arguments: object, **named: object) -> None:
        raise RuntimeError("our own mistake")

    connected = joined = left = disconnected = fail


async def test_an_applications_own_feature_lives_as_the_built_in_ones_do() -> None:
    waving = Waving()
    hub = Hubbub(guests="on", features=[waving])
    app = FastAPI()
    app.include_router(hub.router)
    async with serving(app) as server, server.connect("/ws?username=alice") as alice:
        await alice.expect("welcome")
        await alice.send({"type": "wave", "id": "1"})
        await alice.expect("ack", id="1")

    assert "wave" in str(hub.schema())
    assert waving.life[0] == "start"
    assert waving.life[-1] == "stop"


async def test_features_are_told_who_comes_joins_leaves_and_goes(serve: Serve) -> None:
    waving = Waving()
    app = FastAPI()
    app.include_router(Hubbub(guests="on", features=[waving]).router)
    server = await serve(app)
    async with server.connect("/ws/chat/hall?username=alice") as alice:
        await alice.expect("joined", room="hall")
        await alice.send({"type": "join", "room": "kitchen", "id": "1"})
        await alice.expect("joined", room="kitchen")
        await alice.send({"type": "leave", "room": "hall", "id": "2"})
        await alice.expect("ack", id="2")
    await eventually(lambda: "alice is disconnected" in waving.life)

    assert [moment for moment in waving.life if moment.startswith("alice")] == [
        "alice is connected",
        "alice has joined hall",
        "alice has joined kitchen",
        "alice has left hall",
        "alice has left kitchen",
        "alice is disconnected",
    ]


class Doors(Feature):
    """Has a WebSocket address of its own."""

    def routes(self, router: APIRouter, hub: Any) -> None:
        async def knock(websocket: WebSocket, account: Any) -> None:
            await hub.serve(websocket, account, room=f"door:{websocket.path_params['door']}")

        add_socket(router, hub, "/ws/door/{door}", knock, check=lambda connection: check_key(connection, "door"))


async def test_a_feature_has_a_websocket_address_that_says_why_it_refuses(serve: Serve) -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on", features=[Doors()]).router)
    server = await serve(app)
    async with server.connect("/ws/door/front") as alice:
        await alice.expect("joined", room="door:front")
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/ws/door/front")).status_code == 426
        why = await client.get("/ws/door/-")

    assert (why.status_code, why.json()["code"]) == (400, "invalid")
    with pytest.raises(InvalidStatus, match="400"):
        async with server.connect("/ws/door/-"):
            pass


async def test_a_mistyped_address_of_a_feature_is_answered_with_the_right_one(serve: Serve) -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on", features=[Doors()]).router)
    server = await serve(app)
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.get("/ws/doors/2/front")

    assert answer.status_code == 404
    assert "is /ws/door/front meant?" in answer.json()["message"]


async def test_a_feature_that_fails_harms_no_connection(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    hub = Hubbub(guests="on", features=[Failing()])
    app = FastAPI()
    app.include_router(hub.router)
    server = await serve(app)
    with caplog.at_level(logging.ERROR, "hubbub"):
        async with server.connect("/ws/chat/hall?username=alice") as alice:
            await alice.expect("joined", room="hall")
        await eventually(lambda: not hub.connections)
        async with server.connect("/ws/chat/hall?username=alice") as alice:
            await alice.expect("joined", room="hall", online=1)

    assert "Failing.fail failed" in caplog.text


async def test_a_gap_in_a_channel_that_no_feature_knows_is_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    node = lone_node(features=built_in(Hooks()))
    with caplog.at_level(logging.ERROR, "hubbub"):
        assert await node._fetch("poll:1", 3) == []

    assert "'poll:1'" in caplog.text


class Counting(Feature):
    """Has channels of its own, and says where they are."""

    def __init__(self) -> None:
        self.fetched = asyncio.Event()

    def channels(self) -> Iterable[ChannelKind]:
        yield ChannelKind("count:", heads=self.heads, fetch=self.fetch)
        yield ChannelKind("passing:")

    async def heads(self, channels: Sequence[str]) -> list[Publication]:
        return [Publication.head(channel, 9) for channel in channels]

    async def fetch(self, channel: str, position: int) -> list[Publication]:
        if (channel, position) == ("count:1", 7):
            self.fetched.set()
        return [Publication(channel, {"type": "counted"}, position=9, since=position)]


async def test_a_gap_in_a_feature_s_own_channel_is_filled_as_the_feature_says() -> None:
    counting = Counting()
    node = lone_node(features=[*built_in(Hooks()), counting])
    await node.start()
    try:
        node.sequencer.follow("count:1")
        node.sequencer.was_told_up_to("count:1", 7)

        node.gaps.missed(["count:1", "passing:1", "unknown:1", "room:hall"])

        async with asyncio.timeout(20):
            await counting.fetched.wait()
    finally:
        await node.stop()


def test_two_features_cannot_do_the_same_command() -> None:
    registry = Registry(channel_of)
    (wave,) = Waving().commands()
    registry.add(wave)

    with pytest.raises(ValueError, match="registered already"):
        registry.add(wave)


class OfHubbub(Feature):
    name = "hubbub_reading"
    scripts = ("CREATE TABLE reading (id INTEGER PRIMARY KEY)",)


class Nameless(Feature):
    scripts = ("CREATE TABLE nameless (id INTEGER PRIMARY KEY)",)


@pytest.mark.parametrize(
    ("features", "told"),
    [
        (Waving(), "a list"),
        ([Waving], "the class Waving"),
        ([Nameless()], "needs a name of its own"),
        ([OfHubbub()], "begin with 'hubbub'"),
        ([Waving(), Waving()], "twice"),
    ],
)
def test_features_that_cannot_work_are_told_when_the_hub_is_made(features: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Hubbub(guests="on", features=features)
