"""`hubbub`, but SQLite's writer defers whatever may be deferred: what else only many rooms at once bring about."""

from hubbub import cli
from hubbub.store import sqlite

if __name__ == "__main__":
    sqlite.DEFERRED_FROM = 1
    cli.main()
