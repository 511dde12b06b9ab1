"""Cookie or token: either one admits its owner, and the parameters of the address arrive too."""

import pytest
from websockets.exceptions import InvalidStatus

from examples.cookie_or_token import app
from tests.examples.conftest import Start


async def test_a_cookie_or_a_token_admits_its_owner(start: Start) -> None:
    server = await start(app)
    async with (
        server.connect("/items/lamp/ws?q=3", headers={"Cookie": "session=alice-session"}) as alice,
        server.connect("/items/desk/ws?token=bob-token") as bob,
    ):
        await alice.send("hello")
        assert await alice.receive() == "Alice, item lamp, q=3: 'hello'"
        await bob.send("hello")
        assert await bob.receive() == "Bob, item desk, q=None: 'hello'"


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong"])
async def test_without_either_the_handshake_is_refused_with_403(start: Start, query: str) -> None:
    server = await start(app)
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect(f"/items/lamp/ws{query}", headers={"Cookie": "session=wrong"}):
            pass

    assert refused.value.response.status_code == 403


async def test_a_query_parameter_of_the_wrong_type_is_refused(start: Start) -> None:
    server = await start(app)
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect("/items/lamp/ws?token=bob-token&q=many"):
            pass

    assert refused.value.response.status_code == 403
