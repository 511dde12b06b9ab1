"""JWT before accept: a client without a valid token is refused before the upgrade."""

from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from websockets.exceptions import InvalidStatus

from examples.jwt_before_accept import SECRET, app
from tests.examples.conftest import Start

SOON = datetime.now(UTC) + timedelta(minutes=5)
PAST = datetime.now(UTC) - timedelta(seconds=1)

BAD_TOKENS = {
    "expired": jwt.encode({"sub": "alice", "exp": PAST}, SECRET, "HS256"),
    "of another secret": jwt.encode({"sub": "alice", "exp": SOON}, "somebody else's secret, long enough", "HS256"),
    "unsigned": jwt.encode({"sub": "alice", "exp": SOON}, "", "none"),
    "without an end": jwt.encode({"sub": "alice"}, SECRET, "HS256"),
    "without a user": jwt.encode({"exp": SOON}, SECRET, "HS256"),
    "no JWT": "nonsense",
}


@pytest.mark.parametrize(
    "headers",
    [{}] + [{"Authorization": f"Bearer {token}"} for token in BAD_TOKENS.values()],
    ids=["missing", *BAD_TOKENS],
)
async def test_a_missing_bad_or_expired_token_is_refused_with_403(start: Start, headers: dict[str, str]) -> None:
    server = await start(app)
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect("/ws/chat", headers=headers):
            pass

    assert refused.value.response.status_code == 403
    assert b"token: " in (refused.value.response.body or b"")


async def test_a_valid_token_names_the_user_in_a_header_or_a_subprotocol(start: Start) -> None:
    server = await start(app)
    async with httpx.AsyncClient(base_url=server.url) as client:
        token = (await client.post("/token/alice")).json()

    async with server.connect("/ws/chat", headers={"Authorization": f"Bearer {token}"}) as program:
        await program.expect("welcome", user="alice")
    async with server.connect("/ws/chat", subprotocols=["hubbub.v1.json", f"bearer.{token}"]) as page:
        await page.expect("welcome", user="alice")
