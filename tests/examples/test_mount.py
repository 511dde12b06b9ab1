"""The chat inside an application with users of its own: the chat uses the application's login."""

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from examples.mount import app
from hubbub.testing import serving


async def test_a_user_who_is_logged_in_chats_under_the_prefix() -> None:
    async with (
        serving(app) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as browser,
    ):
        await browser.post("/login/7")
        cookie = {"Cookie": f"session={browser.cookies['session']}"}
        async with (
            server.connect("/chat/ws/chat/general", headers=cookie) as alice,
            server.connect("/chat/ws/chat/general", headers={"Cookie": "session=8"}) as bob,
        ):
            assert (await alice.expect("welcome"))["name"] == "Alice"
            await alice.expect("joined")
            await bob.expect("joined")

            await alice.send({"text": "Hello Bob!"})
            heard = await bob.expect("message")
            assert (heard["user"], heard["name"], heard["text"]) == ("7", "Alice", "Hello Bob!")
            assert (await browser.post("/deployed/2.0")).status_code == 200
            assert (await bob.expect("message", kind="system"))["text"] == "Alice deployed 2.0"


async def test_a_user_who_is_not_logged_in_is_refused_and_told_why() -> None:
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as browser:
        with pytest.raises(InvalidStatus) as caught:
            async with server.connect("/chat/ws/chat/general"):
                pass
        answer = await browser.get("/chat/ws/chat/general")

    assert caught.value.response.status_code in {401, 403}
    assert answer.status_code == 401
    assert answer.json() == {"detail": "log in first"}


async def test_the_page_is_under_the_prefix() -> None:
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as browser:
        page = await browser.get("/chat/")

    # 503 names the command where the page is not built.
    assert page.status_code == 200 or "npm run build" in page.text
