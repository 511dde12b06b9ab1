"""`hubbub`, but SQLite's writer always defers rows; otherwise only commits for many rooms do."""

from hubbub import cli
from hubbub.store import sqlite

if __name__ == "__main__":
    sqlite.DEFERRED_FROM = 1
    cli.main()
