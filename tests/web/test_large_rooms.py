"""The people of a private room with thousands of members: one searches, and reads on by scrolling."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from hubbub import Hubbub, Settings
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving
from tests.conftest import PageFactory
from tests.features.members.crowds import fill

pytestmark = [pytest.mark.anyio, pytest.mark.slow(8)]

MANY = 5_000


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[tuple[Hubbub, TestServer]]:
    app = create_app(Settings(data_dir=tmp_path, sign_up="open"))
    async with serving(app) as server:
        yield app.state.hub, server


async def come_in(server: TestServer, page: Page) -> None:
    answer = await page.context.request.post(
        f"{server.url}/api/v1/accounts",
        headers={"Hubbub-CSRF": "1", "Origin": server.url},
        data={"username": "alice", "password": "correct horse battery", "name": "Alice"},
    )
    assert answer.status == 201, await answer.text()
    await page.goto(server.url)


async def test_one_finds_everybody_in_a_room_of_five_thousand(
    own_server: tuple[Hubbub, TestServer], new_page: PageFactory
) -> None:
    hub, server = own_server
    page = await new_page(reduced_motion="reduce")
    await come_in(server, page)
    room = await hub.rooms.create(title="Everybody")
    await fill(hub, room.key, MANY)
    await room.invite("alice")
    await page.goto(f"{server.url}/#{room.key}")
    await expect(page.get_by_role("heading", name="Everybody", level=1)).to_be_visible()
    people = page.get_by_role("complementary", name="People")

    await expect(people.get_by_role("button", name="Alice")).to_be_visible()
    await people.get_by_role("searchbox").fill("4321")
    await expect(people.get_by_role("button", name="Person 4321")).to_be_visible()
    await expect(people.get_by_role("button", name="Person")).to_have_count(1)
    await people.get_by_role("searchbox").fill("")
    await expect(people.get_by_role("button", name="Person 0050")).to_be_attached()
    await people.locator("[role=region]").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    await expect(people.get_by_role("button", name="Person 0150")).to_be_attached()
    await people.get_by_role("button", name="Person 0150").click()
    await expect(page.get_by_role("dialog", name="Person 0150")).to_be_visible()
