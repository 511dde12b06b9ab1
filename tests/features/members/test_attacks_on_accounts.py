"""The attacks of `test_attacks.py` by HTTP at a hub with accounts, which has routes that others have not."""

import re
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from pydantic import SecretStr

from hubbub import Settings
from hubbub.accounts.policies import ROUTES
from hubbub.serving.app import create_app
from hubbub.testing import serving
from tests.features.members.test_attacks import NO_ROOM, OTHERS, TITLE, WORDS, assert_nothing_leaks, without

SECRET = "the secret of the server in this test"


def shown(user: str | None) -> dict[str, str]:
    if user is None:
        return {}
    now = int(time.time())
    role = "admin" if user == "boss" else "member"
    claims = {"iss": "hubbub", "aud": "hubbub", "sub": user, "role": role, "iat": now, "exp": now + 600}
    return {"Authorization": f"Bearer {jwt.encode(claims, SECRET)}"}


@pytest.mark.parametrize("attacker", ["stranger", "boss", None])
async def test_no_route_of_a_hub_with_accounts_tells_anything_of_a_private_room(
    tmp_path: Path, attacker: str | None
) -> None:
    settings = Settings(data_dir=tmp_path, secret=SecretStr(SECRET), guests="on", request_burst=10_000)
    async with serving(create_app(settings)) as server, httpx.AsyncClient(base_url=server.url) as http:

        async def alice(path: str, **body: Any) -> dict[str, Any]:
            answer = await http.post(f"/api/v1/rooms{path}", json=body, headers=shown("alice"))
            assert answer.is_success, answer.text
            found: dict[str, Any] = answer.json()
            return found

        async with server.connect("/ws", headers=shown(OTHERS)) as carol:
            await carol.expect("welcome")
        room = (await alice("", kind="private", title=TITLE))["room"]
        await alice(f"/{room}/invite", user=OTHERS)
        await alice(f"/{room}/messages", text=WORDS)

        async def answer_to(method: str, path: str, asked: str) -> tuple[int, str]:
            filled = path.replace("{room}", asked).replace("{topic}", asked).replace("{seq}", "1")
            filled = re.sub(r"\{\w+\}", "nobody", filled)
            body = {"text": "x", "user": "nobody", "role": "member", "reason": "x", "state": "closed", "room": asked}
            given = None if method == "GET" else body
            answer = await http.request(method, filled, headers=shown(attacker), json=given)
            return answer.status_code, without(answer.text, asked)

        for route in ROUTES:
            method, path = route.split(" ")
            (status, said), (other_status, other_said) = (
                await answer_to(method, path, room),
                await answer_to(method, path, NO_ROOM),
            )
            assert status == other_status, route
            if "{room}" in path:
                assert said == other_said, route
                assert status in {400, 401, 403}, route
            assert_nothing_leaks(said, room)
