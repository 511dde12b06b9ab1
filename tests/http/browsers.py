"""Browsers with cookies of their own, at a server with accounts."""

from typing import Any

import httpx
from fastapi import FastAPI

from hubbub.testing import TestServer

PASSWORD = "correct horse"
CSRF = {"Hubbub-CSRF": "1"}


class Browser(httpx.AsyncClient):
    """Keeps cookies, and says which page asks, as browsers do."""

    def __init__(self, server: TestServer) -> None:
        super().__init__(
            base_url=f"{server.url}/api/v1", trust_env=False, timeout=60, headers={"Origin": server.url} | CSRF
        )
        self.server = server

    async def sign_up(self, username: str, **fields: Any) -> httpx.Response:
        return await self.post("/accounts", json={"username": username, "password": PASSWORD} | fields)

    async def log_in(self, username: str, password: str = PASSWORD) -> httpx.Response:
        return await self.post("/sessions", json={"username": username, "password": password})

    @property
    def handshake(self) -> dict[str, str]:
        """The headers with which its page opens a WebSocket."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Origin": self.server.url} | ({"Cookie": cookies} if cookies else {})


class Browsers:
    """Opens browsers, each of which has its own cookies."""

    def __init__(self, app: FastAPI, server: TestServer) -> None:
        self._app = app
        self.server = server
        self.opened: list[Browser] = []

    def __call__(self) -> Browser:
        self.opened.append(Browser(self.server))
        return self.opened[-1]

    @property
    def hub(self) -> Any:
        return self._app.state.hub

    async def administrator(self) -> Browser:
        """Somebody who has set the server up."""
        admin = self()
        made = await admin.sign_up("root", setup=self.setup_token)
        assert (made.status_code, made.json()["role"]) == (201, "admin")
        return admin

    @property
    def setup_token(self) -> str:
        fragment = self.hub.accounts.setup_fragment
        assert fragment.startswith("/#/setup/")
        return str(fragment.rpartition("/")[2])
