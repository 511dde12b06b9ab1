"""Two nodes of one cluster, on real PostgreSQL and Redis: `hubbub serve`, and a hub mounted under plain uvicorn."""

from typing import Protocol

import pytest

from tests.conftest import ServerFactory, UvicornFactory
from tests.servers import Redis, WebServer


class MakeNodes(Protocol):
    def __call__(self, broker_url: str, second_broker_url: str | None = None) -> tuple[WebServer, WebServer]: ...


ENVIRONMENT = {
    "HUBBUB_CONNECTIONS_PER_ADDRESS": "0",
    "HUBBUB_RATE": "1000",
    "HUBBUB_BURST": "1000",
    # Long on one machine, and short for a test that takes Redis away.
    "HUBBUB_BROKER_TIMEOUT": "1",
}


@pytest.fixture
def make_nodes(postgres: str, redis: Redis, serve: ServerFactory, uvicorn: UvicornFactory) -> MakeNodes:
    """Starts two nodes that share a database and the Redis at an address; the second may have another way there."""

    def start(broker_url: str, second_broker_url: str | None = None) -> tuple[WebServer, WebServer]:
        environment = {**ENVIRONMENT, "HUBBUB_DATABASE_URL": postgres, "HUBBUB_BROKER_URL": broker_url}
        serving = serve(environment=environment)
        environment["HUBBUB_BROKER_URL"] = second_broker_url or broker_url
        mounted = uvicorn("tests.server.apps:mounted", environment=environment)
        return serving, mounted

    return start


@pytest.fixture
def nodes(make_nodes: MakeNodes, redis: Redis) -> tuple[WebServer, WebServer]:
    return make_nodes(redis.url)
