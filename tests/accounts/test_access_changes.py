"""Changes of access, as each node hears of them."""

import time
from collections.abc import AsyncIterator

import pytest

from hubbub.accounts.access_changes import TABLES, AccessChange, AccessChanges, AccessKind, changed
from hubbub.broker.memory import MemoryBroker
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.postgres import Postgres
from hubbub.store.statement import Statement


def make_tables(transaction: Transaction) -> None:
    for table in TABLES:
        transaction.run(Statement(table))


@pytest.fixture
async def shared(postgres: str) -> AsyncIterator[Database]:
    database = Database(Postgres(postgres), readers=1)
    await database.start()
    await database.transact(make_tables)
    yield database
    await database.stop()


def test_an_ended_log_in_is_remembered_however_often_rooms_change() -> None:
    changes = AccessChanges(MemoryBroker(), shared=None, clock=time.monotonic)
    heard = changes.number
    changes.tell_of(AccessKind.SESSION, "a log-in")
    for _ in range(3000):
        changes.tell_of(AccessKind.ROOM, "general")

    assert changes.have_ended("a log-in")
    assert [change.subject for change in changes.since(heard) or ()] == ["a log-in"]


async def test_a_node_reads_a_room_once_that_has_changed_often(shared: Database) -> None:
    changes = AccessChanges(MemoryBroker(), shared=shared, clock=time.monotonic)
    await changes.start()
    heard: list[AccessChange] = []
    for kind in (AccessKind.ROOM, AccessKind.USER):
        changes.listen(kind, heard.append)

    def change_often(transaction: Transaction) -> None:
        for _ in range(50):
            changed(transaction, AccessKind.ROOM, "plans")
            changed(transaction, AccessKind.USER, "alice")
        changed(transaction, AccessKind.ROOM, "alice")

    await shared.transact(change_often)
    await changes.poll()
    await changes.poll()

    # In any order: the ids of one millisecond have none.
    assert sorted(change.subject for change in heard if change.kind is AccessKind.ROOM) == ["alice", "plans"]
    assert len(heard) == 52
    await shared.transact(lambda transaction: changed(transaction, AccessKind.ROOM, "plans"))
    await changes.poll()
    assert heard[-1].subject == "plans"
