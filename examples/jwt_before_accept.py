"""JWT before accept: without a valid token the handshake is answered with 403, and never upgraded.

You need one more package: `pip install pyjwt`.

The token comes as `Authorization: Bearer …`. A page cannot set headers, so it sends the token in this way:
`new WebSocket("/ws/chat", ["hubbub.v1.json", "bearer." + token])`.
"""

import os
from datetime import UTC, datetime, timedelta

import jwt
from fastapi import FastAPI, HTTPException
from starlette.requests import HTTPConnection

from hubbub import Hubbub, bearer_token, run

SECRET = os.environ.get("JWT_SECRET", "for this example only, so it may be known")


async def user_of_token(connection: HTTPConnection) -> str:
    try:
        claims = jwt.decode(
            bearer_token(connection) or "", SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]}
        )
    except jwt.InvalidTokenError as error:
        raise HTTPException(403, f"token: {error}") from None
    return str(claims["sub"])


hub = Hubbub(authenticate=user_of_token)
app = FastAPI()
app.include_router(hub.router)


@app.post("/token/{user}")
async def token(user: str) -> str:
    """Put your own login here."""
    return jwt.encode({"sub": user, "exp": datetime.now(UTC) + timedelta(minutes=15)}, SECRET, "HS256")


if __name__ == "__main__":
    run(app)
