"""The server under test: once with our own protocol classes, and once on each foreign ASGI server."""

from collections.abc import Callable, Iterator

import pytest

from tests.servers import WebServer, hubbub_server, uvicorn_server, watched

APP = "hubbub.serving:create_app"

ENVIRONMENT = {
    "HUBBUB_LINGER": "0.5",
    "HUBBUB_CONNECTIONS_PER_ADDRESS": "0",
    "HUBBUB_RATE": "1000",
    "HUBBUB_BURST": "1000",
}

SERVERS: dict[str, Callable[..., WebServer]] = {
    "own": lambda folder: hubbub_server(folder, environment=ENVIRONMENT),
    "sansio": lambda folder: uvicorn_server(folder, APP, "--factory", environment=ENVIRONMENT),
    "wsproto": lambda folder: uvicorn_server(
        folder, APP, "--factory", "--http", "h11", ws="wsproto", environment=ENVIRONMENT
    ),
}


@pytest.fixture(scope="session", params=SERVERS)
def chat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server that many tests share: each uses rooms and names of its own."""
    server = SERVERS[request.param](tmp_path_factory.mktemp(request.param))
    server.ready_path = "/health/live"
    yield from watched(server)
