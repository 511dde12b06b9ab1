"""Programs that use the packed TypeScript client in Node.js, with real servers that die, refuse and admit them."""

from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException
from starlette.requests import HTTPConnection

from hubbub import Hubbub, bearer_token
from hubbub.testing import serving
from tests.client.node_program import driven
from tests.conftest import ServerFactory
from tests.people import person

CODECS = ["json", "msgpack"]


@pytest.mark.parametrize("codec", CODECS)
async def test_a_killed_server_costs_a_program_nothing(folder: Path, serve: ServerFactory, codec: str) -> None:
    server = serve()
    async with driven(folder, f"{server.ws_url}/ws?username=alice", codec) as alice:
        await alice.do("open")
        await alice.do("join", "general")
        await alice.do("send", "general", "before")
        server.kill()
        await alice.expect(state="waiting")
        alice.tell("send", "general", "meanwhile")

        server.start()

        joined = await alice.expect(type="joined")
        assert (joined["recovered"], joined["online"]) == (True, 1)
        await alice.expect(type="message", text="meanwhile", user="alice", seq=2)
        await alice.do("send", "general", "after")
        await alice.do("ask", {"type": "ping"})
        assert await alice.do("shown") == {"texts": ["before", "meanwhile", "after"], "people": ["alice"]}


@pytest.mark.parametrize("codec", CODECS)
async def test_a_program_reads_history_and_sees_who_comes_types_and_goes(
    folder: Path, serve: ServerFactory, codec: str
) -> None:
    server = serve()
    async with driven(folder, f"{server.ws_url}/ws?username=alice", codec) as alice:
        await alice.do("open")
        await alice.do("join", "general")
        for text in ("one", "two", "three"):
            await alice.do("send", "general", text)
        page = await alice.do("history", "general", {"before": 3, "limit": 1})
        assert ([row["text"] for row in page["messages"]], page["more"]) == (["two"], True)

        async with person(server, "bob") as bob:
            await bob.join("general")
            await alice.expect(type="join", user="bob", online=2)
            assert (await alice.do("shown"))["people"] == ["alice", "bob"]
            await bob.send({"type": "typing", "room": "general"})
            await alice.expect(type="typing", user="bob", active=True)
            assert await alice.do("typing", "general") is True
            await bob.expect("typing", user="alice", active=True)
            await bob.ask({"type": "edit", "room": "general", "seq": 1, "text": "not mine"})

        await alice.expect(type="leave", user="bob", online=1)
        assert await alice.do("shown") == {"texts": ["one", "two", "three"], "people": ["alice"]}
        alice.tell("close")
        assert alice.process.stdin is not None
        alice.process.stdin.close()
        assert await alice.ended() == 0


async def test_a_token_opens_and_a_wrong_one_is_refused_with_the_applications_reason(folder: Path) -> None:
    def user_of_token(connection: HTTPConnection) -> str:
        if bearer_token(connection) != "eyJhbGciOi.J9.alice":
            raise HTTPException(403, "log in first")
        return "alice"

    app = FastAPI()
    app.include_router(Hubbub(authenticate=user_of_token).router, prefix="/chat")
    async with serving(app) as server:
        address = f"{server.url.replace('http', 'ws', 1)}/chat/ws"
        async with driven(folder, address, "json", "eyJhbGciOi.J9.alice") as alice:
            await alice.do("open")
            await alice.do("join", "general")
            await alice.expect(type="joined")
            assert (await alice.do("rooms"))["rooms"][0]["room"] == "general"
        async with driven(folder, address, "json", "of-yesterday") as eve:
            eve.tell("open")
            refused = await eve.expect(error="CommandRefused")
            assert refused["failure"] == {"code": "forbidden", "message": "log in first"}
