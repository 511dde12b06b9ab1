"""Applications that mount a hub, for tests that serve them by a foreign ASGI server."""

from fastapi import FastAPI

from hubbub import Hubbub

mounted = FastAPI()
"""Everybody on this machine gets in."""

mounted.include_router(Hubbub(guests="auto", page=False).router)
