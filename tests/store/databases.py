"""Fixtures that open databases: each test that uses them runs on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hubbub.store.base import Engine, Transaction
from hubbub.store.database import Database
from hubbub.store.engines import engine_at
from hubbub.store.statement import Statement

Opener = Callable[..., Awaitable[Database]]

ADD_USERS = Statement(
    "INSERT INTO users (key, folded, identity, name) SELECT key, key, '', key FROM {added} AS added",
    tables={"added": {"key": str}},
)
USERS = Statement("SELECT key FROM users ORDER BY key", columns=("key",))


def run_sql(transaction: Transaction, texts: Sequence[str]) -> list[None]:
    """An operation whose requests are SQL."""
    for text in texts:
        transaction.run(Statement(text))
    return [None] * len(texts)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Engine]:
    """Makes engines of one new, empty database."""
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return lambda: engine_at(tmp_path / "data", url)


@pytest.fixture
async def open_database() -> AsyncIterator[Opener]:
    """Opens databases that are closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one(engine: Engine, **limits: int) -> Database:
            database = Database(engine, **limits)
            await database.start()
            stack.push_async_callback(database.stop)
            return database

        yield open_one


@pytest.fixture
async def database(new_engine: Callable[[], Engine], open_database: Opener) -> Database:
    return await open_database(new_engine())
