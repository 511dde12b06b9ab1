"""Two nodes of one cluster, on real PostgreSQL and Redis: `hubbub serve`, and a hub mounted under plain uvicorn."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.conftest import ServerFactory, UvicornFactory, start_and_watch
from tests.patient import Patience
from tests.servers import Redis, WebServer, patient_server

Serve = Callable[[dict[str, str]], WebServer]


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


@pytest.fixture(autouse=True)
def patient_nodes(patience: Patience) -> None:
    """Those in the test's process count together, however late Redis is."""


@pytest.fixture
def serve_patiently(tmp_path: Path) -> Iterator[Serve]:
    """Starts such nodes in other processes, with this environment."""
    with ExitStack() as stack:
        yield lambda environment: start_and_watch(patient_server(tmp_path, environment), stack)


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
