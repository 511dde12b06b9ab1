"""A lease is one node's at a time: it is renewed, runs out, is given back, and is checked where work is written."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from hubbub.store import leases as module
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.leases import Lease, LeaseLost, Leases
from hubbub.store.postgres import Postgres
from hubbub.store.sqlite import SQLite
from tests.fault_proxy import FaultProxy
from tests.store.databases import ADD_USERS, USERS, Opener
from tests.store.test_postgres import port_of
from tests.waiting import eventually

MUCH_LONGER = 20.0
NAME = "retention"
SHORT = 4.0
"""Seconds: a node on a busy machine renews this in time."""


def add(transaction: Transaction, names: Sequence[str]) -> list[str]:
    transaction.run(ADD_USERS, added=[(name,) for name in names])
    return list(names)


def users(transaction: Transaction) -> list[str]:
    return [row[0] for row in transaction.rows(USERS)]


@asynccontextmanager
async def node(database: Database, name: str, *, seconds: float = SHORT) -> AsyncIterator[Leases]:
    """A node that wants the lease, and a second lease that no other node wants. It ends as after a kill: it gives
    nothing back."""
    leases = Leases(database, name, [NAME, f"only {name}'s"], seconds=seconds)
    keeping = asyncio.create_task(leases.keep())
    try:
        # When it has that one, it has tried to take both.
        await held(leases, f"only {name}'s")
        yield leases
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def held(leases: Leases, name: str = NAME) -> Lease:
    await eventually(lambda: leases.held(name) is not None, deadline=MUCH_LONGER)
    lease = leases.held(name)
    assert lease is not None
    return lease


@pytest.fixture
async def one(postgres: str, open_database: Opener) -> Database:
    return await open_database(Postgres(postgres))


@pytest.fixture
async def two(postgres: str, open_database: Opener) -> Database:
    return await open_database(Postgres(postgres))


@pytest.mark.slow(2 * SHORT)
async def test_it_is_one_node_s_for_as_long_as_that_renews_it(one: Database, two: Database) -> None:
    async with node(one, "first") as first, node(two, "second") as second:
        lease = await held(first)
        # The other one tries again and again meanwhile.
        await asyncio.sleep(2 * SHORT)

        assert first.held(NAME) is lease
        assert second.held(NAME) is None


@pytest.mark.slow(SHORT)
async def test_a_dead_node_s_lease_is_taken_when_it_has_run_out_under_the_next_number(
    one: Database, two: Database
) -> None:
    async with AsyncExitStack() as lives:
        first = await lives.enter_async_context(node(one, "first"))
        lease = await held(first)
        async with node(two, "second") as second:
            assert second.held(NAME) is None
            await lives.aclose()

            assert (await held(second)).number == lease.number + 1
            assert lease.is_over


async def test_a_lease_that_is_given_back_is_another_node_s_at_once(one: Database, two: Database) -> None:
    async with node(one, "first", seconds=600) as first:
        await held(first)
        async with node(two, "second") as second:
            assert second.held(NAME) is None
            first.give_back()

            assert (await held(second)).number == 2
            assert first.held(NAME) is None


async def test_what_is_written_under_a_lease_that_another_node_has_is_refused(
    one: Database, two: Database, postgres: str
) -> None:
    async with node(one, "first", seconds=600) as first:
        lease = await held(first)
        await one.write(lease.guard(add), "under the first")
        # As if the first had been frozen for so long; it still believes in its lease.
        with psycopg.connect(postgres) as database:
            database.execute("UPDATE leases SET until = 0")
        async with node(two, "second") as second:
            taken = await held(second)
            assert first.held(NAME) is lease

            refused = await asyncio.gather(
                one.write(lease.guard(add), "too late"), one.write(add, "in the same commit"), return_exceptions=True
            )
            await two.write(taken.guard(add), "under the second")

    assert isinstance(refused[0], LeaseLost)
    assert await one.read(users) == ["in the same commit", "under the first", "under the second"]


async def test_work_that_is_in_its_transaction_keeps_the_lease_and_holds_up_nobody_else_s_writes(
    one: Database, two: Database, postgres: str
) -> None:
    """This is so if a node was frozen at this point."""
    async with node(one, "first", seconds=600) as first:
        lease = await held(first)
    with psycopg.connect(postgres) as frozen, psycopg.connect(postgres, autocommit=True) as database:
        database.execute("UPDATE leases SET until = 0")
        frozen.execute("SELECT 1 FROM leases FOR SHARE")
        async with node(two, "second") as second:
            await two.write(add, "alice")
            assert second.held(NAME) is None
            frozen.commit()

            assert (await held(second)).number == lease.number + 1


@pytest.mark.slow(SHORT)
async def test_the_log_names_another_owner_only_if_there_is_one(
    one: Database, postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with node(one, "first") as first:
        await held(first)
        with psycopg.connect(postgres) as frozen:
            frozen.execute("SELECT 1 FROM leases FOR SHARE")
            await eventually(lambda: first.held(NAME) is None, deadline=MUCH_LONGER)
        assert f"the lease {NAME} could not be renewed" in caplog.text
        await held(first)
        with psycopg.connect(postgres) as database:
            database.execute("UPDATE leases SET owner = 'second', number = 9, until = until + 60000")
        await eventually(lambda: first.held(NAME) is None, deadline=MUCH_LONGER)

    assert f"the lease {NAME} was taken by node second" in caplog.text


@pytest.mark.slow(SHORT)
async def test_a_node_that_cannot_renew_its_lease_ends_its_work_in_time(postgres: str, open_database: Opener) -> None:
    with FaultProxy(port_of(postgres)) as proxy:
        database = await open_database(Postgres(proxy.before(postgres), timeout=5), timeout=5)
        async with node(database, "first") as first:
            lease = await held(first)
            proxy.freeze()

            with pytest.raises(LeaseLost, match="ran out"):
                async with asyncio.timeout(MUCH_LONGER), lease.working():
                    await asyncio.Event().wait()

            assert first.held(NAME) is None
            proxy.thaw()
            assert (await held(first)).number == lease.number
            await database.stop()


async def test_an_error_of_the_database_does_not_end_the_keeping_of_leases(
    one: Database, postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with node(one, "first") as first:
        lease = await held(first)
        with psycopg.connect(postgres) as database:
            database.execute("ALTER TABLE leases RENAME TO hidden")
        await eventually(lambda: "leases could not be renewed" in caplog.text, deadline=MUCH_LONGER)
        with psycopg.connect(postgres) as database:
            database.execute("ALTER TABLE hidden RENAME TO leases")
        await eventually(lambda: first.held(NAME) is not None, deadline=MUCH_LONGER)

        assert (await held(first)).number == lease.number


@pytest.mark.slow(2 * SHORT)
async def test_work_that_takes_longer_than_a_lease_goes_on_while_the_lease_is_renewed(one: Database) -> None:
    async with node(one, "first") as first:
        lease = await held(first)

        async with lease.working():
            await asyncio.sleep(2 * SHORT)

        assert not lease.is_over


async def test_a_database_of_one_process_has_no_rows_for_them(tmp_path: Path, open_database: Opener) -> None:
    database = await open_database(SQLite(tmp_path))
    leases = Leases(None, "the only one", [NAME])
    await leases.keep()

    lease = leases.held(NAME)
    assert lease is not None
    assert await database.write(lease.guard(add), "alice") == "alice"
    assert not lease.is_over


def test_a_dead_node_s_work_is_done_by_another_within_some_seconds() -> None:
    assert module.SECONDS <= 10
