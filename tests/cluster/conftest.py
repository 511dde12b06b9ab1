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
    # On a busy machine a Redis that is well may take seconds to answer.
    "HUBBUB_BROKER_TIMEOUT": "20",
}
SOON = {"HUBBUB_BROKER_TIMEOUT": "1"}
"""For tests that take Redis away: that it does not answer is noticed soon."""


@pytest.fixture
def settings() -> dict[str, str]:
    """What the nodes are started with, beside their database and broker."""
    return ENVIRONMENT


@pytest.fixture
def make_nodes(
    postgres: str, redis: Redis, serve: ServerFactory, uvicorn: UvicornFactory, settings: dict[str, str]
) -> MakeNodes:
    """Starts two nodes that share a database and the Redis at an address; the second may have another way there."""

    def start(broker_url: str, second_broker_url: str | None = None) -> tuple[WebServer, WebServer]:
        environment = {**settings, "HUBBUB_DATABASE_URL": postgres, "HUBBUB_BROKER_URL": broker_url}
        serving = serve(environment=environment)
        environment["HUBBUB_BROKER_URL"] = second_broker_url or broker_url
        mounted = uvicorn("tests.server.apps:mounted", environment=environment)
        return serving, mounted

    return start


@pytest.fixture
def nodes(make_nodes: MakeNodes, redis: Redis) -> tuple[WebServer, WebServer]:
    return make_nodes(redis.url)
