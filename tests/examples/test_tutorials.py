"""The tutorials' servers do what the examples do; otherwise the comparison of lines would say nothing."""

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from hubbub.testing.fixtures import Serve
from tests.examples.tutorials import (
    broadcast,
    connection_registry,
    cookie_or_token,
    echo,
    heartbeat,
    host_app,
    jwt_before_accept,
    lifecycle,
    notification_topics,
    numbered_clients,
    presence,
    rate_limit,
    rooms,
    routed_by_type,
    username_chat,
    validated_json,
)
from tests.waiting import eventually


async def test_echo(serve: Serve) -> None:
    server = await serve(echo.app, plain=True)
    async with server.connect("/ws") as alice:
        await alice.send("hello")
        assert await alice.receive() == "echo: hello"
        await alice.send({"answer": 42})
        assert await alice.receive() == {"echo": {"answer": 42}}
        await alice.send(b"\x00")
        assert await alice.receive() == b"\x00"


async def test_lifecycle(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="lifecycle")
    server = await serve(lifecycle.app, plain=True)
    async with server.connect("/ws") as alice, server.connect("/ws") as bob, server.connect("/ws") as carol:
        await alice.send("bye")
        assert await alice.closed() == (1000, "bye")
        await bob.send("crash")
        assert (await bob.closed())[0] == 1011
        await carol.close(1001)
    await eventually(lambda: "disconnected: 1001" in caplog.text)


async def test_broadcast(serve: Serve) -> None:
    server = await serve(broadcast.app, plain=True)
    async with server.connect("/ws") as alice:
        async with server.connect("/ws") as bob:
            await alice.expect("join", online=2)
            await bob.send("hello")
            await alice.expect("message", text="hello")
        await alice.expect("leave", online=1)


async def test_username_chat(serve: Serve) -> None:
    server = await serve(username_chat.app, plain=True)
    async with server.connect("/ws/chat/lobby?username=alice") as alice:
        async with server.connect("/ws/chat/lobby?username=bob") as bob:
            await alice.expect("message", name="SYSTEM", text="bob joined the chat")
            await bob.send({"text": "hello"})
            assert "ts" in await alice.expect("message", name="bob", text="hello")
        await alice.expect("message", name="SYSTEM", text="bob left the chat")
        with pytest.raises(InvalidStatus):
            async with server.connect("/ws/chat/lobby?username=alice"):
                pass


async def test_rooms(serve: Serve) -> None:
    server = await serve(rooms.app, plain=True)
    async with server.connect("/ws/kitchen") as alice, server.connect("/ws/garden") as bob:
        await alice.send("dinner is ready")
        await alice.expect("message", text="dinner is ready")
        await bob.send("the roses bloom")
        assert (await bob.receive())["text"] == "the roses bloom"
        alice.vanish()
        await eventually(lambda: list(rooms.manager.rooms) == ["garden"])


async def test_validated_json(serve: Serve) -> None:
    server = await serve(validated_json.app, plain=True)
    async with server.connect("/ws") as alice:
        await alice.send({"type": "order", "drink": "tea", "cups": 0})
        error = await alice.expect("error", code="invalid")
        assert error["errors"][0]["loc"] == ["cups"]
        await alice.send({"type": "order", "drink": "tea", "cups": 2})
        await alice.expect("ordered", price=5.0)


async def test_routed_by_type(serve: Serve) -> None:
    server = await serve(routed_by_type.app, plain=True)
    async with server.connect("/ws?username=alice") as alice:
        await alice.send({"type": "typing", "active": True})
        await alice.expect("typing", user="alice", active=True)
        await alice.send({"type": "chat", "id": "1", "text": "hello"})
        await alice.expect("message", text="hello")
        await alice.expect("ack", id="1")
        await alice.send({"type": "roll", "sides": 20, "id": "2"})
        await alice.expect("rolled", user="alice")
        await alice.send({"type": "ping", "id": "3"})
        await alice.expect("pong", id="3")
        await alice.send({"type": "roll", "sides": 1})
        await alice.expect("error", code="invalid")


async def test_notification_topics(serve: Serve) -> None:
    server = await serve(notification_topics.app, plain=True)
    async with (
        server.connect("/ws/notify/alerts.*") as alice,
        server.connect("/ws/notify/deploys") as bob,
        httpx.AsyncClient(base_url=server.url) as publisher,
    ):
        await alice.expect("following")
        await bob.expect("following")
        answer = await publisher.post("/notify/alerts.disk", params={"title": "Disk is full", "level": "error"})
        assert answer.json() == {"sent": 1}
        await alice.expect("notification", title="Disk is full", level="error")
        await publisher.post("/deploy/v2")
        await bob.expect("notification", title="v2 is live")


async def test_jwt_before_accept(serve: Serve) -> None:
    server = await serve(jwt_before_accept.app, plain=True)
    async with httpx.AsyncClient(base_url=server.url) as client:
        token = (await client.post("/token/alice")).json()
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect("/ws/chat", headers={"Authorization": "Bearer nonsense"}):
            pass
    assert refused.value.response.status_code == 403
    async with server.connect("/ws/chat", subprotocols=["chat", f"bearer.{token}"]) as alice:
        await alice.send("hello")
        await alice.expect("message", user="alice", text="hello")


async def test_cookie_or_token(serve: Serve) -> None:
    server = await serve(cookie_or_token.app, plain=True)
    async with server.connect("/items/lamp/ws?q=3", headers={"Cookie": "session=alice-session"}) as alice:
        await alice.send("hello")
        assert await alice.receive() == "Alice, item lamp, q=3: 'hello'"
    with pytest.raises(InvalidStatus):
        async with server.connect("/items/lamp/ws?token=wrong"):
            pass


async def test_numbered_clients(serve: Serve) -> None:
    server = await serve(numbered_clients.app, plain=True)
    async with server.connect("/ws") as alice:
        async with server.connect("/ws") as bob:
            await bob.send("hello")
            assert await bob.receive() == "You wrote: hello"
            assert str(await alice.receive()).endswith("says: hello")
        assert str(await alice.receive()).endswith("left the chat")


async def test_heartbeat(serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level("INFO", logger="heartbeat")
    monkeypatch.setattr(heartbeat, "HEARTBEAT", 0.1)
    server = await serve(heartbeat.app, plain=True)
    async with server.connect("/ws?username=alice") as alice:
        await alice.expect("ping")
        await eventually(lambda: "alice is gone: 4408" in caplog.text)


async def test_rate_limit(serve: Serve) -> None:
    server = await serve(rate_limit.app, plain=True)
    async with server.connect("/ws/chat?username=alice") as alice:
        for number in range(11):
            await alice.send(f"message {number}")
        error = await alice.expect("error", code="rate_limited")
        assert "come back in" in error["message"]
        assert len(alice.seen) == 10


async def test_presence(serve: Serve) -> None:
    server = await serve(presence.app, plain=True)
    async with server.connect("/ws/chat/office?username=alice") as alice:
        async with server.connect("/ws/chat/office?username=bob") as bob:
            await bob.expect("joined", users=["alice", "bob"])
            await alice.expect("join", user="bob", online=2)
        await alice.expect("leave", user="bob", online=1)


async def test_connection_registry(serve: Serve) -> None:
    server = await serve(connection_registry.app, plain=True)
    async with server.connect("/ws/chat?user=alice") as older, server.connect("/ws/chat?user=alice") as newer:
        assert await older.closed() == (1000, "replaced by a newer connection")
        await newer.send("hello")
        await newer.expect("message", text="hello")


async def test_host_app(serve: Serve) -> None:
    server = await serve(host_app.app, plain=True)
    async with httpx.AsyncClient(base_url=server.url) as browser:
        await browser.post("/login", json={"name": "alice", "password": "wonderland"})
        headers = {"Cookie": f"session={browser.cookies['session']}"}
        async with server.connect("/ws/chat/support", headers=headers) as alice:
            await alice.send("hello")
            await alice.expect("message", user="alice", text="hello")
            for parameters in ({}, {"tonight": "true"}):
                await browser.post("/orders/7/ship", params=parameters)
                await alice.expect("notification", title="Your order 7 has shipped")
    with pytest.raises(InvalidStatus):
        async with server.connect("/ws/chat/support"):
            pass
