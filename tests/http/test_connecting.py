"""How often one address may connect, and how fast one user may be."""

from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from hubbub import Settings
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving


async def refusal(server: TestServer, path: str) -> tuple[int, bool]:
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect(path):
            pass
    return refused.value.response.status_code, int(refused.value.response.headers["Retry-After"]) > 0


async def test_an_address_connects_so_often_a_minute(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", guests="on", connects_per_address=2)
    async with serving(create_app(settings)) as server:
        for name in ("alice", "bob"):
            async with server.connect(f"/ws?username={name}") as client:
                await client.expect("welcome")
        assert await refusal(server, "/ws?username=carol") == (429, True)


async def test_handshakes_are_not_counted_where_an_address_may_have_any_number(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", guests="on", connects_per_address=1, connections_per_address=0)
    async with serving(create_app(settings)) as server:
        for name in ("alice", "bob", "carol"):
            async with server.connect(f"/ws?username={name}") as client:
                await client.expect("welcome")


async def test_a_users_connections_have_one_pace_together_and_others_have_their_own(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", guests="on", rate=0.01, burst=10, rate_per_user=1.5)
    async with serving(create_app(settings)) as server, server.connect("/ws?username=alice") as phone:
        secret = (await phone.expect("welcome"))["secret"]
        async with (
            server.connect(f"/ws?secret={secret}") as laptop,
            server.connect("/ws?username=bob") as bob,
        ):
            for number in range(10):
                await phone.send({"type": "ping", "id": str(number)})
                await phone.expect("pong", id=str(number))
            for number in range(6):
                await laptop.send({"type": "ping", "id": str(number)})
                await laptop.expect("pong" if number < 5 else "error", id=str(number))
            for number in range(10):
                await bob.send({"type": "ping", "id": str(number)})
                await bob.expect("pong", id=str(number))
