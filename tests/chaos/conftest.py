"""The options of the chaos: how long it lasts, and its seed. The same seed makes the same decisions."""

import random

import pytest

from tests.servers import REPOSITORY, WebServer

UNLIMITED = {
    "HUBBUB_RATE": "10000",
    "HUBBUB_BURST": "20000",
    "HUBBUB_CONNECTIONS_PER_ADDRESS": "0",
    "PYTHONPATH": str(REPOSITORY),
}
"""Settings for many fast people at one address. The path is for the server that defers everything."""


def start_again(server: WebServer, chance: random.Random) -> None:
    """Restart after a kill: as before, or as a server that defers every row that it may."""
    program = chance.choice(["hubbub.cli", "tests.chaos.deferring"])
    server.command = [*server.command[:2], program, *server.command[3:]]
    server.start()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hubbub")
    group.addoption("--chaos-seconds", type=float, default=60.0, help="How long the server is killed and cut off.")
    group.addoption("--chaos-seed", type=int, help="Make the decisions of an earlier run again.")
    group.addoption("--kills", type=int, default=20, help="How often the server is killed while it stores messages.")


@pytest.fixture
def chaos_seconds(pytestconfig: pytest.Config) -> float:
    # pytest ignores the options of a conftest.py that it reads too late.
    return float(pytestconfig.getoption("--chaos-seconds", 60.0))


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--kills", 20))


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    given = pytestconfig.getoption("--chaos-seed", None)
    seed = random.randrange(2**32) if given is None else int(given)
    print(f"--chaos-seed {seed}")
    return seed
