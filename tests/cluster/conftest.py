"""Two nodes of one cluster, on real PostgreSQL and Redis: `hubbub serve`, and a hub mounted under plain uvicorn."""

from collections.abc import Callable

import pytest

from tests.conftest import ServerFactory, UvicornFactory
from tests.servers import Redis, WebServer

MakeNodes = Callable[[str], tuple[WebServer, WebServer]]

ENVIRONMENT = {
    "HUBBUB_CONNECTIONS_PER_ADDRESS": "0",
    "HUBBUB_RATE": "1000",
    "HUBBUB_BURST": "1000",
    # Long on one machine, and short for a test that takes Redis away.
    "HUBBUB_BROKER_TIMEOUT": "1",
}


@pytest.fixture
def make_nodes(postgres: str, redis: Redis, serve: ServerFactory, uvicorn: UvicornFactory) -> MakeNodes:
    """Starts two nodes that share a database and the Redis at an address."""

    def start(broker_url: str) -> tuple[WebServer, WebServer]:
        environment = {**ENVIRONMENT, "HUBBUB_DATABASE_URL": postgres, "HUBBUB_BROKER_URL": broker_url}
        serving = serve(environment=environment)
        mounted = uvicorn("tests.server.apps:mounted", environment=environment)
        return serving, mounted

    return start


@pytest.fixture
def nodes(make_nodes: MakeNodes, redis: Redis) -> tuple[WebServer, WebServer]:
    return make_nodes(redis.url)
