"""Tables of features: SQL scripts, each of which runs once in a database.

How many of a feature's scripts have run stands in `feature_versions`. It changes in the scripts' own transaction, so a
server that is killed meanwhile has done all of them or none. A database without such features has no such table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hubbub.errors import ConfigurationError, Unavailable
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.statement import Statement

# PostgreSQL's nodes do this one after the other; the number is arbitrary. SQLite's writer is alone.
_LOCK_IN_POSTGRES = Statement("SELECT pg_advisory_xact_lock(1752523363)")
# A role without the right to make tables is refused `CREATE TABLE IF NOT EXISTS` also where the table is there.
_EXISTS_IN_POSTGRES = Statement("SELECT to_regclass('feature_versions') IS NOT NULL")
_MAKE = Statement(
    "CREATE TABLE IF NOT EXISTS feature_versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL)",
)
_VERSIONS = Statement("SELECT name, version FROM feature_versions", columns=("name", "version"))
_PUT = Statement(
    """
    INSERT INTO feature_versions (name, version) VALUES (:name, :version)
    ON CONFLICT (name) DO UPDATE SET version = excluded.version
    """
)


@dataclass(frozen=True, slots=True)
class Tables:
    """A feature's name, and its scripts in order: one statement each, for both engines."""

    name: str
    scripts: Sequence[str]


async def bring_up_to_date(database: Database, tables: Sequence[Tables]) -> None:
    """Run the scripts that have not run yet, all in one transaction.

    Raises `ConfigurationError` if one fails, or if the database was written by a newer version of a feature.
    """
    try:
        await database.write(_bring_up_to_date, tables)
    except (ConfigurationError, Unavailable):
        raise
    except Exception as error:
        names = ", ".join(one.name for one in tables)
        raise ConfigurationError(f"the tables of features ({names}) cannot be made: {error}") from error


def _bring_up_to_date(transaction: Transaction, requests: Sequence[Sequence[Tables]]) -> list[None]:
    if not transaction.is_alone:
        transaction.rows(_LOCK_IN_POSTGRES)
    if transaction.is_alone or not transaction.rows(_EXISTS_IN_POSTGRES)[0][0]:
        transaction.run(_MAKE)
    versions: dict[str, int] = {row[0]: row[1] for row in transaction.rows(_VERSIONS)}
    for tables in (one for request in requests for one in request):
        version = versions.get(tables.name, 0)
        if version > len(tables.scripts):
            raise ConfigurationError(
                f"the database was written by a newer version of the feature {tables.name!r} ({version} scripts, here "
                f"are {len(tables.scripts)}): install that one, or restore an older backup"
            )
        for script in tables.scripts[version:]:
            transaction.run(Statement(script.replace("{", "{{").replace("}", "}}")))
        if version < len(tables.scripts):
            transaction.run(_PUT, name=tables.name, version=len(tables.scripts))
    return [None] * len(requests)
