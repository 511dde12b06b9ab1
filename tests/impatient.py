"""`hubbub`, but a stop waits a second for what hangs. Otherwise it waits ten, and five for the database."""

from hubbub import cli
from hubbub.serving import create_app, server
from hubbub.store import database

__all__ = ["create_app"]

server.STOPPING = 2.0
database.STOPPING = 1.0

if __name__ == "__main__":
    cli.main()
