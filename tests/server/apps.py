"""Applications that mount a hub, for tests that serve them by a foreign ASGI server."""

from fastapi import FastAPI, Header, HTTPException
from starlette.middleware.cors import CORSMiddleware

from hubbub import Hubbub

mounted = FastAPI()
"""Admits everybody on this machine."""

mounted.include_router(Hubbub(guests="auto", page=False).router)


def current_user(x_user: str | None = Header(None)) -> str:
    if x_user is None:
        raise HTTPException(401, "log in first")
    return x_user


behind_cors = FastAPI()
"""With a login, and a middleware for pages of other origins, as applications have them."""

behind_cors.add_middleware(CORSMiddleware, allow_origins=["https://host.example"], allow_credentials=True)
behind_cors.include_router(Hubbub(authenticate=current_user, page=False).router, prefix="/chat")
