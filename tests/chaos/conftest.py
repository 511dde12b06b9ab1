"""Settings and servers of the chaos."""

import random

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
