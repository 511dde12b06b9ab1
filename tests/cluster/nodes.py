"""Nodes in this process: each is a hub behind a real server, and starts in a tenth of the time of a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from hubbub import Hubbub
from hubbub.accounts.policies import Membership
from hubbub.settings import Settings
from hubbub.testing import TestServer, serving

SECRET = "one secret for all nodes of this test"


@dataclass(frozen=True)
class Node:
    hub: Hubbub
    server: TestServer

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)


async def login(connection: HTTPConnection) -> str:
    return connection.query_params["user"]


@asynccontextmanager
async def node(
    broker: str,
    *,
    database: str = "none",
    accounts: bool = False,
    membership: Membership | None = None,
    **options: Any,
) -> AsyncIterator[Node]:
    """It admits guests, or with `accounts` whoever names themselves as `user`; `membership` is such an application's.
    `options` are settings."""
    common = {"secret": SecretStr(SECRET), "connections_per_address": 0, "rate": 1000, "burst": 1000}
    places = {"database_url": SecretStr(database), "broker_url": SecretStr(broker)}
    settings = Settings(**{**common, **places, **options})
    if accounts:
        hub = Hubbub(authenticate=login, membership=membership, page=False, settings=settings)
    else:
        hub = Hubbub(guests="on", page=False, settings=settings)
    app = FastAPI()
    app.include_router(hub.router)
    async with serving(app) as server:
        yield Node(hub, server)
