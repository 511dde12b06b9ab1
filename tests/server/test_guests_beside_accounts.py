"""Guests in an application that has accounts: nobody gets an account's key by choosing a name."""

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Settings, User
from hubbub.testing import serving


def current_user(connection: HTTPConnection) -> User | None:
    key = connection.cookies.get("session")
    return User(key, "Alice") if key is not None else None


async def test_a_guest_named_like_an_account_gets_another_key() -> None:
    hub = Hubbub(authenticate=current_user, guests="auto", page=False, settings=Settings())
    app = FastAPI()
    app.include_router(hub.router)
    async with (
        serving(app) as server,
        server.connect("/ws", headers={"Cookie": "session=7"}) as alice,
        server.connect("/ws?username=7") as mallory,
    ):
        await alice.expect("welcome")
        welcome = await mallory.expect("welcome")

        assert [connection.user.name for connection in hub.users("7").connections] == ["Alice"]

    assert welcome["name"] == "7"
    assert welcome["user"].startswith("guest-")
    assert welcome["guest"] is True
