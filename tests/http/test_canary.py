"""A credential is in no line of the log, at the most talkative level, in whatever way it is shown."""

import asyncio
import json
import time

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.conftest import ServerFactory
from tests.waiting import eventually

SECRET = "the canary's secret, which is long enough"
CANARY = "canary51d0b2"
MARK = "end-of-the-canary"


def token(key: str = SECRET) -> str:
    now = int(time.time())
    return jwt.encode({"sub": "alice", "iss": "hubbub", "aud": "hubbub", "iat": now, "exp": now + 600}, key)


async def test_no_log_shows_a_credential(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug", environment={"HUBBUB_SECRET": SECRET})
    address = server.url.replace("http", "ws", 1)
    good, wrong = token(), token("another secret, which is long enough too")
    shown = [SECRET, good, wrong, CANARY]

    async def connects(path: str = "/ws", *, header: str | None = None, offered: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {header}"} if header is not None else {}
        subprotocols = [Subprotocol("hubbub.v1.json"), *([Subprotocol(offered)] if offered is not None else [])]
        try:
            async with connect(
                address + path, additional_headers=headers, subprotocols=subprotocols, proxy=None
            ) as link:
                welcome = json.loads(await link.recv())
                if "secret" in welcome:
                    shown.append(welcome["secret"])
                await link.send(json.dumps({"type": "auth", "id": "1", "token": CANARY}))
                await link.send(json.dumps({"type": "auth", "id": "2", "token": good}))
                answered = 0
                while answered < 2:
                    answered += json.loads(await link.recv()).get("id") is not None
        except InvalidStatus:
            pass

    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client, asyncio.timeout(60):
        for value in (good, f"hb_{CANARY}"):
            await connects(header=value)
            await connects(offered=f"bearer.{value}")
            await connects(offered=f"secret.{value}")
            for parameter in ("token", "ticket", "secret", "TICKET"):
                await connects(f"/ws?{parameter}={value}&username=bob")
                await connects(f"/ws/nowhere?{parameter}={value}")
                await client.get(f"/ws?{parameter}={value}")
                await client.get(f"/nowhere?{parameter}={value}")
                await client.get(f"/api/v1/rooms/general/messages?{parameter}={value}")
            for path in ("/ws", "/api/v1/rooms/general/messages", "/nowhere"):
                await client.get(path, headers={"Authorization": f"Bearer {value}", "Hubbub-Secret": value})
                await client.get(path, headers={"Cookie": f"hubbub_session={value}"})
            await client.post("/notify/news", headers={"Authorization": f"Bearer {value}"}, json={"title": "Rain"})
        await connects(header=wrong)
        await connects(f"/ws?token={wrong}")
        ticket = (await client.post("/api/v1/tickets", headers={"Authorization": f"Bearer {good}"})).json()["ticket"]
        shown.append(ticket)
        await connects(f"/ws?ticket={ticket}")
        await connects("/ws?username=carol")
        await client.get(f"/{MARK}")
        await eventually(lambda: MARK in server.log)

    assert "token=..." in server.log
    assert [value for value in shown if value in server.log] == []


@pytest.mark.parametrize("name", ["Ticket", "Auth"])
def test_a_model_with_a_credential_does_not_print_it(name: str) -> None:
    from hubbub.features.access.routes import Ticket
    from hubbub.wire.connection import Auth

    made = Ticket(ticket=CANARY, expires_in=1) if name == "Ticket" else Auth(token=CANARY)
    assert CANARY not in repr(made)
