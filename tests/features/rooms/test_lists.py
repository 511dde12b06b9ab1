"""Lists of rooms and of who is online: on SQLite, on PostgreSQL, and where nothing is stored."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Settings, User
from hubbub.features.rooms import lists
from hubbub.testing import TestServer, serving

ROOMS = ["Alpha", "beta", "B_2", "b-1", "beta.eu", "Zeta"]
IN_ORDER = ["Alpha", "b-1", "B_2", "beta", "beta.eu", "Zeta"]


async def login(connection: HTTPConnection) -> str | None:
    return connection.headers.get("x-user") or connection.query_params.get("user")


def policy(user: User, action: str, where: str) -> bool:
    return not where.lower().startswith("secret") or user.key.startswith("boss")


class Town:
    """A server with rooms, and people in them."""

    def __init__(self, server: TestServer, client: httpx.AsyncClient, stack: AsyncExitStack) -> None:
        self._server = server
        self.client = client
        self._stack = stack

    async def say(self, *rooms: str) -> None:
        for room in rooms:
            answer = await self.client.post(f"/api/v1/rooms/{room}/messages", json={"text": "hi"}, headers=BOSS)
            assert answer.status_code == 201

    async def enter(self, room: str, *users: str) -> None:
        for user in users:
            connection = self._server.connect(f"/ws/chat/{room}?user={user}")
            entered = await self._stack.enter_async_context(connection)
            assert [(await entered.receive())["type"] for _ in range(2)] == ["welcome", "joined"]

    async def rooms(self, user: str = "alice", **query: Any) -> dict[str, Any]:
        return await self._get("/api/v1/rooms", user, query)

    async def keys(self, user: str = "alice", **query: Any) -> list[str]:
        return [listed["room"] for listed in (await self.rooms(user, **query))["rooms"]]

    async def online(self, room: str, user: str = "alice", **query: Any) -> dict[str, Any]:
        return await self._get(f"/api/v1/rooms/{room}/online", user, query)

    async def _get(self, path: str, user: str, query: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.get(path, params=query, headers={"X-User": user})
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page


BOSS = {"X-User": "boss"}


@asynccontextmanager
async def town_with(settings: Settings) -> AsyncIterator[Town]:
    app = FastAPI()
    app.include_router(Hubbub(authenticate=login, policy=policy, page=False, settings=settings).router)
    async with (
        serving(app) as server,
        httpx.AsyncClient(base_url=server.url) as client,
        AsyncExitStack() as stack,
    ):
        yield Town(server, client, stack)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    if request.param == "SQLite":
        settings = Settings(data_dir=tmp_path)
    else:
        settings = Settings(database_url=SecretStr(request.getfixturevalue("postgres")))
    async with town_with(settings) as town:
        yield town


@pytest.fixture
async def town_without_memory() -> AsyncIterator[Town]:
    async with town_with(Settings(database_url=SecretStr("none"))) as town:
        yield town


async def every_page(town: Town, limit: int, user: str = "alice", **query: Any) -> list[list[str]]:
    pages, after = [], ""
    while True:
        page = await town.rooms(user, limit=limit, after=after, **query)
        pages.append([listed["room"] for listed in page["rooms"]])
        if "next" not in page:
            return pages
        after = page["next"]


async def test_rooms_are_listed_in_order_with_who_is_online(town: Town) -> None:
    await town.say(*ROOMS)
    await town.enter("beta", "alice", "bob")
    await town.enter("quiet", "alice")

    page = await town.rooms()

    online = {"beta": 2, "quiet": 1}
    keys = ["Alpha", "b-1", "B_2", "beta", "beta.eu", "quiet", "Zeta"]
    assert page == {"rooms": [{"room": key, "name": key, "online": online.get(key, 0)} for key in keys]}


@pytest.mark.parametrize("limit", [1, 2, 3, 6])
async def test_pages_have_each_room_once(town: Town, limit: int) -> None:
    await town.say(*ROOMS)
    await town.enter("beta", "alice")
    await town.enter("c", "alice")

    pages = await every_page(town, limit)

    assert [key for page in pages for key in page] == sorted([*IN_ORDER, "c"], key=str.lower)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1]


@pytest.mark.parametrize(
    ("part", "found"),
    [("BETA", ["beta", "beta.eu"]), ("_", ["B_2"]), ("%", []), ("eta", ["beta", "beta.eu", "Zeta"]), ("!", [])],
)
async def test_a_part_of_the_key_finds_rooms(town: Town, part: str, found: list[str]) -> None:
    await town.say(*ROOMS)

    assert await town.keys(q=part) == found
    assert await every_page(town, 1, q=part) == ([[key] for key in found] or [[]])


async def test_a_room_that_one_may_not_join_shows_nowhere(town: Town) -> None:
    await town.say("secret-1", "secret-2", "Secret-3", "town", "secret-4")
    await town.enter("secret-plan", "boss")

    assert await town.rooms(limit=1) == {"rooms": [{"room": "town", "name": "town", "online": 0}]}
    assert await town.rooms(q="secret") == {"rooms": []}
    assert await town.keys("boss", q="secret") == ["secret-1", "secret-2", "Secret-3", "secret-4", "secret-plan"]
    refused = await town.client.get("/api/v1/rooms/secret-plan/online", headers={"X-User": "alice"})
    assert refused.status_code == 403


async def test_a_search_reads_on_until_its_page_is_full(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "READ", 2)
    monkeypatch.setattr(lists, "WALKED", 3)
    await town.say(*(f"room-{number:02}" for number in range(20)), *(f"secret-{number}" for number in range(9)))
    await town.enter("room-a", "alice")
    await town.enter("t-live", "alice")

    assert await town.keys(q="5") == ["room-05", "room-15"]
    assert await town.keys(q="live") == ["t-live"]
    assert await town.keys(after="room-19", limit=3) == ["room-a", "t-live"]


async def test_a_user_who_reads_too_much_gets_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "READ", 2)
    async with town_with(Settings(data_dir=tmp_path, request_rate=0.01, request_burst=20)) as town:
        for number in range(50):
            boss = {"X-User": f"boss-{number}"}
            await town.client.post(f"/api/v1/rooms/secret-{number:02}/messages", json={"text": "hi"}, headers=boss)
        await town.enter("hall", "alice")

        page = await town.rooms(limit=10)
        refused = await town.client.get("/api/v1/rooms?after=hall", headers={"X-User": "alice"})

    assert [listed["room"] for listed in page["rooms"]] == ["hall"]
    assert page["next"] == "hall"
    assert refused.status_code == 429


async def test_live_rooms_are_listed_where_nothing_is_stored(town_without_memory: Town) -> None:
    town = town_without_memory
    await town.enter("Kitchen", "alice", "bob")
    await town.enter("hall", "bob")
    await town.enter("secret-plan", "boss")

    assert await every_page(town, 1) == [["hall"], ["Kitchen"]]
    assert (await town.rooms(q="KIT"))["rooms"] == [{"room": "Kitchen", "name": "Kitchen", "online": 2}]


async def test_the_people_of_a_room_are_listed_by_name(town_without_memory: Town) -> None:
    town = town_without_memory
    people = [f"user-{number:02}" for number in range(12)]
    await town.enter("Hall", *reversed(people))

    async def names(**query: Any) -> list[str]:
        return [user["name"] for user in (await town.online("hall", **query))["users"]]

    first = await town.online("hall", limit=5)
    assert [user["user"] for user in first["users"]] == people[:5]
    assert (first["room"], first["online"]) == ("Hall", 12)
    assert await names(limit=100, after=first["next"]) == people[5:]
    assert await names(q="USER-1") == people[10:]
    assert await names(q="nobody") == []


async def test_who_has_left_is_listed_no_longer(town_without_memory: Town) -> None:
    town = town_without_memory
    await town.enter("hall", "alice")
    async with AsyncExitStack() as stack:
        guests = Town(town._server, town.client, stack)
        await guests.enter("hall", "bob", "carol")
        await guests.enter("cellar", "bob")
        assert [user["user"] for user in (await town.online("hall"))["users"]] == ["alice", "bob", "carol"]

    while len((await town.online("hall"))["users"]) > 1 or await town.keys() != ["hall"]:
        pass


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "q=" + "x" * 65, "after=%00", "q=%00"])
@pytest.mark.parametrize("path", ["/api/v1/rooms", "/api/v1/rooms/hall/online"])
async def test_a_wrong_parameter_is_invalid(town_without_memory: Town, path: str, query: str) -> None:
    answer = await town_without_memory.client.get(f"{path}?{query}", headers=BOSS)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["loc"] == [query.partition("=")[0]]
