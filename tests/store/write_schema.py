"""Writes the schema for new SQLite files from the migrations: `python -m tests.store.write_schema`."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from hubbub.store import migrate

FILE = migrate.SCRIPTS / "sqlite.sql"
HEAD = """\
-- What the migrations make of an empty SQLite file, so that a first start need not run them one by one.
-- A test holds the two equal; after a new migration, write this file again: python -m tests.store.write_schema
"""


def migrated(path: Path, scripts: Path = migrate.SCRIPTS) -> Path:
    """An empty SQLite file after all migrations."""
    migrate.upgrade_in_child(path, scripts).check_returncode()
    return path


def schema_of(path: Path) -> list[str]:
    """The statements that made a file's tables and indexes."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
        return [sql.replace("\t", "    ") for (sql,) in rows]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        statements = schema_of(migrated(Path(folder) / "empty.db"))
    FILE.write_text("\n".join([HEAD, *(f"{statement};\n" for statement in statements)]))
