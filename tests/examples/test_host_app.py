"""The host app: its login counts for the chat, and buyers get only notifications of their own orders."""

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from examples.host_app import app
from hubbub.testing import TestServer
from tests.examples.conftest import Start


async def log_in(server: TestServer, name: str, password: str) -> dict[str, str]:
    """Returns the headers of a browser that is logged in."""
    async with httpx.AsyncClient(base_url=server.url) as browser:
        answer = await browser.post("/login", json={"name": name, "password": password})
        answer.raise_for_status()
        return {"Cookie": f"session={browser.cookies['session']}"}


async def test_people_who_are_logged_in_to_the_app_can_chat(start: Start) -> None:
    server = await start(app)
    as_alice, as_bob = await log_in(server, "alice", "wonderland"), await log_in(server, "bob", "builder")
    async with (
        server.connect("/chat/ws/chat/support", headers=as_alice) as alice,
        server.connect("/chat/ws/chat/support", headers=as_bob) as bob,
    ):
        await alice.expect("join", user="bob")
        await bob.send({"text": "hello"})
        await alice.expect("message", user="bob", text="hello")


@pytest.mark.parametrize("cookie", [{}, {"Cookie": "session=guessed"}], ids=["no session", "a wrong session"])
async def test_nobody_is_admitted_without_the_apps_login(start: Start, cookie: dict[str, str]) -> None:
    server = await start(app)
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect("/chat/ws", headers=cookie):
            pass

    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("route", ["ship", "ship?tonight=true"], ids=["from a route", "from a background task"])
async def test_a_buyer_is_told_that_the_order_has_shipped(start: Start, route: str) -> None:
    server = await start(app)
    as_alice, as_bob = await log_in(server, "alice", "wonderland"), await log_in(server, "bob", "builder")
    async with (
        server.connect("/chat/ws/notify/orders.alice", headers=as_alice) as alice,
        server.connect("/chat/ws/notify/orders.bob", headers=as_bob) as bob,
        httpx.AsyncClient(base_url=server.url) as warehouse,
    ):
        await alice.expect("following")
        await bob.expect("following")
        await warehouse.post(f"/orders/7/{route}")
        await alice.expect("notification", title="Your order 7 has shipped", level="success")
        await warehouse.post(f"/orders/8/{route}")
        await bob.expect("notification", title="Your order 8 has shipped")

    assert not [event for event in bob.seen if event["type"] == "notification"]


@pytest.mark.parametrize("topic", ["orders.alice", "orders.*", "orders.Alice"])
async def test_nobody_follows_the_orders_of_others(start: Start, topic: str) -> None:
    server = await start(app)
    as_bob = await log_in(server, "bob", "builder")
    async with server.connect("/chat/ws", headers=as_bob) as bob:
        await bob.send({"type": "follow", "topic": topic})
        await bob.expect("error", code="forbidden", command="follow")
