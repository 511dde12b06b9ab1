"""Who has a role in a room is listed page by page."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hubbub.client import Client
from tests.features.members.crowds import fill
from tests.features.members.house import House, do, house

MANY = 450


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    at = {"database_url": SecretStr(request.getfixturevalue("postgres"))} if request.param == "postgresql" else {}
    async with house(tmp_path, at) as built:
        yield built


async def test_a_large_room_is_listed_page_by_page_and_searched(place: House) -> None:
    alice, bob = await place.enter("alice"), await place.enter("bob")
    room = (await alice.ask({"type": "create", "kind": "private", "title": "Plans"}))["room"]
    await fill(place.hub, room, MANY)
    await do(alice, "invite", room, user="bob")
    await do(alice, "ban", room, user="u7")

    async def page(**query: Any) -> dict[str, Any]:
        answer = await place.get(f"/api/v1/rooms/{room}/members", "alice", **query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    pages = [await page()]
    while "next" in pages[-1]:
        pages.append(await page(after=pages[-1]["next"], limit=200))
    assert [len(one["members"]) for one in pages] == [50, 200, 200, 2]
    names = [one["name"] for found in pages for one in found["members"]]
    assert names == ["Alice", "Bob", *(f"Person {number:04d}" for number in range(MANY))]
    assert {(one["title"], one["kind"], one["rev"]) for one in pages} == {("Plans", "private", pages[0]["rev"])}

    found = await page(q="PERSON 0007")
    assert [(one["user"], one["banned"]) for one in found["members"]] == [("u7", "for_ever")]
    assert [one["user"] for one in (await page(q="u44", limit=3))["members"]] == ["u44", "u440", "u441"]
    for wrong in ({"limit": 0}, {"limit": 201}, {"after": "x" * 1000}):
        assert (await place.get(f"/api/v1/rooms/{room}/members", "alice", **wrong)).status_code == 400
    made = await place.post("/api/v1/direct", "alice", users=["bob"])
    assert "next" not in made.json()
    assert (await place.get(f"/api/v1/rooms/{room}/members", "mallory", q="u7")).status_code == 403
    await bob.expect("invited", room=room)


async def test_the_python_client_reads_all_pages(place: House) -> None:
    alice = await place.enter("alice")
    room = (await alice.ask({"type": "create", "kind": "private"}))["room"]
    await fill(place.hub, room, MANY)
    async with Client(place.ws_url + "/ws", headers={"X-User": "alice"}) as client:
        joined = await client.join(room)
        first = await client.members(room, "person", limit=10)
        joined.view.members.learn(first, q="person")
        assert (joined.view.members.list, len(first.members), first.next is not None) == (None, 10, True)
        assert joined.view.members.of("u0") is not None

        assert len(await joined.members()) == MANY + 1
        assert (len(joined.view.members.list or []), joined.view.members.next) == (MANY + 1, None)
