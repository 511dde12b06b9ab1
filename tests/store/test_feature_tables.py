"""The tables that features bring with them."""

import asyncio

import pytest

from hubbub.errors import ConfigurationError
from hubbub.features.accounts import tables as accounts
from hubbub.store.base import Engine
from hubbub.store.database import Database
from hubbub.store.feature_tables import Tables, bring_up_to_date
from hubbub.store.postgres import Postgres
from hubbub.store.statement import Statement
from tests.store.databases import Opener, run_sql

MAKE = "CREATE TABLE notes (text TEXT NOT NULL)"
GROW = "ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 5"
NOTES = Statement("SELECT text, stars FROM notes", columns=("text", "stars"))
FIRST = Tables("notes", [MAKE])
SECOND = Tables("notes", [MAKE, GROW])


@pytest.fixture
async def database(empty_engine: Engine, open_database: Opener) -> Database:
    """A database of its own: tables that are made here would stay in the template that other tests share."""
    return await open_database(empty_engine)


async def notes_of(database: Database) -> list[list[object]]:
    return [list(row) for row in await database.read(lambda transaction: transaction.rows(NOTES))]


async def test_each_script_runs_once_and_what_is_stored_stays(database: Database) -> None:
    await bring_up_to_date(database, [FIRST])
    await database.write(run_sql, "INSERT INTO notes (text) VALUES ('hello')")

    for _ in range(2):
        await bring_up_to_date(database, [SECOND])

    assert await notes_of(database) == [["hello", 5]]


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    await bring_up_to_date(database, [SECOND])

    with pytest.raises(ConfigurationError, match="newer version of the feature 'notes'"):
        await bring_up_to_date(database, [FIRST])


async def test_a_script_that_fails_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(ConfigurationError, match="notes"):
        await bring_up_to_date(database, [Tables("notes", [MAKE, "this is no SQL"])])

    await bring_up_to_date(database, [SECOND])
    assert await notes_of(database) == []


async def test_nodes_that_start_at_once_wait_for_each_other(postgres: str, open_database: Opener) -> None:
    nodes = [await open_database(Postgres(postgres)) for _ in range(2)]

    await asyncio.gather(*(bring_up_to_date(node, [SECOND]) for node in nodes))

    assert await notes_of(nodes[1]) == []


async def test_the_colours_of_accounts_stay_when_they_move_to_the_users(database: Database) -> None:
    await bring_up_to_date(database, [Tables(accounts.NAME, accounts.SCRIPTS[:7])])
    for insert in (
        "users (id, key, folded, identity, name) VALUES (1, 'a', 'a', '', 'A'), (2, 'b', 'b', '', 'B')",
        "accounts (user_id, login, password, role, color, created) VALUES (1, 'a', '', 'member', '#0b6b5e', 0)",
    ):
        await database.write(run_sql, f"INSERT INTO {insert}")

    await bring_up_to_date(database, [Tables(accounts.NAME, accounts.SCRIPTS)])

    colors = Statement("SELECT key, color FROM users ORDER BY id", columns=("key", "color"))
    found = await database.read(lambda transaction: transaction.rows(colors))
    assert [tuple(row) for row in found] == [("a", "#0b6b5e"), ("b", None)]
