"""Fixtures that open databases: each test that uses them runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest

from hubbub.store import sqlite
from hubbub.store.base import Engine, Transaction
from hubbub.store.database import Database
from hubbub.store.engines import engine_at
from hubbub.store.operations import upgrade
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
from hubbub.store.statement import Statement
from tests.servers import Postgres as PostgresServer

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
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An engine whose database has no schema yet."""
    return engine_at(tmp_path / "data", request.getfixturevalue("postgres") if request.param == "postgresql" else None)


@pytest.fixture(params=["sqlite", "sqlite, deferring", "postgresql"])
def new_engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Engine]:
    """Makes engines of one database that has its schema and no rows. The `deferring` one defers every row that may be
    deferred, even of a single message."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_with_schema")
        return lambda: engine_at(tmp_path, url)
    if request.param == "sqlite, deferring":
        monkeypatch.setattr(sqlite, "DEFERRED_FROM", 1)
    engine = SQLite(tmp_path / "data")
    engine.path.parent.mkdir()
    shutil.copyfile(request.getfixturevalue("sqlite_template"), engine.path)
    return lambda: SQLite(tmp_path / "data")


# The schema is made once, since that takes longer than most of these tests.


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    engine = SQLite(tmp_path_factory.mktemp("template"))
    upgrade(engine)
    return engine.path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.create_database()
    upgrade(Postgres(url))
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def postgres_with_schema(postgres_template: str) -> str:
    with psycopg.connect(postgres_template) as connection:
        connection.execute(
            "TRUNCATE rooms, users, messages, edits, reactions, room_ends, room_settings, room_people RESTART IDENTITY"
        )
    return postgres_template


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
