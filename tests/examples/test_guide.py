"""The guide from the tutorial's ConnectionManager: each step's program does what the guide says."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from hubbub.testing.fixtures import Serve
from tests.examples.conftest import Start
from tests.servers import REPOSITORY

GUIDE = (REPOSITORY / "docs/from-connection-manager.md").read_text()
AS_ALICE, AS_BOB = {"Cookie": "session=s3cret"}, {"Cookie": "session=s4cret"}


def program(title: str) -> dict[str, Any]:
    """The names that the program under a heading defines."""
    section = GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    [source] = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    module = ModuleType("step")
    exec(compile(source, title, "exec"), module.__dict__)
    return vars(module)


@pytest.mark.parametrize("title", ["Where you are", "1. The hub keeps the list"])
async def test_the_first_step_changes_nothing_that_a_client_sees(start: Start, title: str) -> None:
    server = await start(program(title)["app"])
    async with server.connect("/ws/7") as alice:
        async with server.connect("/ws/8") as bob:
            await bob.send("hello")
            assert await bob.receive() == "You wrote: hello"
            assert await bob.receive() == "Client #8 says: hello"
            assert await alice.receive() == "Client #8 says: hello"
        assert await alice.receive() == "Client #8 left the chat"


async def test_a_login_names_people_and_refuses_everybody_without_a_session(start: Start) -> None:
    server = await start(program("2. Your login")["app"])
    async with server.connect("/ws", headers=AS_ALICE) as alice, server.connect("/ws", headers=AS_BOB) as bob:
        await bob.send("hello")
        assert await bob.receive() == "You wrote: hello"
        assert await alice.receive() == "Bob says: hello"
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect("/ws"):
            pass

    assert refused.value.response.status_code == 403


async def test_rooms_tell_who_is_here_and_take_plain_text(start: Start) -> None:
    server = await start(program("3. Rooms")["app"])
    async with (
        server.connect("/ws/kitchen", headers=AS_ALICE) as alice,
        server.connect("/ws/kitchen", headers=AS_BOB) as bob,
    ):
        await alice.expect("join", user="2", name="Bob", online=2)
        await bob.send("dinner is ready")
        await alice.expect("message", name="Bob", text="dinner is ready", room="kitchen")


async def test_the_router_adds_the_addresses_and_says_why_it_refuses(start: Start) -> None:
    server = await start(program("4. The router")["app"])
    async with server.connect("/chat/ws/chat/kitchen", headers=AS_ALICE) as alice:
        await alice.expect("joined", room="kitchen", online=1)
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/chat/ws/chat/kitchen")).status_code == 403
        assert (await client.get("/chat/ws/chat/kitchen", headers=AS_ALICE)).status_code == 426


async def test_a_route_and_a_task_send_to_rooms_and_topics(start: Start) -> None:
    server = await start(program("5. Send from anywhere")["app"])
    async with (
        server.connect("/chat/ws/chat/general", headers=AS_ALICE) as alice,
        server.connect("/chat/ws/notify/deploys", headers=AS_BOB) as bob,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        await alice.expect("joined")
        await bob.expect("following")
        assert (await client.post("/deploys/v2")).json() == {"online": 1}
        await alice.expect("message", kind="system", text="v2 is live")
        await bob.expect("notification", title="v2 is live", level="success")


async def test_rules_apply_to_each_command(start: Start) -> None:
    server = await start(program("6. Your rules")["app"])
    async with server.connect("/chat/ws", headers=AS_BOB) as bob:
        await bob.send({"type": "join", "room": "Staff"})
        await bob.expect("error", code="forbidden", room="Staff")
        await bob.send({"type": "join", "room": "general"})
        for _ in range(10):
            await bob.send({"type": "message", "room": "general", "text": "  hello  "})
            await bob.expect("message", text="hello")
        await bob.send({"type": "message", "room": "general", "text": "one too many"})
        await bob.expect("error", code="rate_limited")


async def test_own_messages_are_validated_and_part_of_the_schema(start: Start) -> None:
    server = await start(program("7. Your own messages")["app"])
    async with server.connect("/chat/ws/chat/films", headers=AS_ALICE) as alice:
        await alice.send({"type": "vote", "stars": 6})
        assert (await alice.expect("error", code="invalid"))["errors"][0]["loc"] == ["stars"]
        await alice.send({"type": "vote", "stars": 5})
        await alice.expect("voted", room="films", user="1", stars=5)
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert {"Vote", "Voted"} <= (await client.get("/chat/schema.json")).json()["$defs"].keys()


async def test_messages_are_stored_for_people_who_come_later(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = await serve(program("8. Keep the messages")["app"])
    async with server.connect("/chat/ws/chat/general", headers=AS_ALICE) as alice:
        await alice.send({"text": "hello", "id": "1"})
        await alice.expect("ack", id="1", seq=1)
    async with server.connect("/chat/ws/chat/general", headers=AS_BOB) as bob:
        joined = await bob.expect("joined")

    assert [message["text"] for message in joined["messages"]] == ["hello"]


def test_the_program_that_is_run_is_an_application() -> None:
    assert callable(program("9. Run it")["app"])


async def test_the_test_that_is_shown_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    step = ModuleType("step")
    vars(step).update(program("4. The router"))
    monkeypatch.setitem(sys.modules, "step", step)

    await program("10. Test it")["test_a_message_reaches_the_room"]()
