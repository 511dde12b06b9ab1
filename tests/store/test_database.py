"""What both engines promise: durable answers, shared transactions, reads of one snapshot."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from hubbub.errors import Conflict, Unavailable
from hubbub.store.base import Engine, Transaction
from hubbub.store.database import Database
from tests.store.databases import ADD_USERS, USERS, Opener


class Names:
    """Writes users, and records them: one list for each call."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def add(self, transaction: Transaction, names: Sequence[str]) -> list[str | Exception]:
        self.batches.append(list(names))
        welcome = [name for name in names if name != "mallory"]
        transaction.run(ADD_USERS, added=[(name,) for name in welcome])
        return [name.upper() if name in welcome else Conflict("not mallory") for name in names]


def users(transaction: Transaction) -> list[str]:
    return [row[0] for row in transaction.rows(USERS)]


async def test_what_one_turn_of_the_loop_asks_for_is_one_transaction(database: Database) -> None:
    names = Names()

    answers = await asyncio.gather(*(database.write(names.add, f"user{number}") for number in range(20)))

    assert answers == [f"USER{number}" for number in range(20)]
    assert len(names.batches) == 1


async def test_what_comes_during_a_commit_shares_the_next_one(database: Database) -> None:
    names, is_committing, go_on = Names(), threading.Event(), threading.Event()

    def slow(transaction: Transaction, requests: Sequence[str]) -> list[str | Exception]:
        is_committing.set()
        go_on.wait(10)
        return names.add(transaction, requests)

    first = database.write(slow, "alice")
    await asyncio.to_thread(is_committing.wait, 10)
    others = []
    for number in range(5):
        others.append(database.write(names.add, f"user{number}"))
        await asyncio.sleep(0)
    go_on.set()

    await asyncio.gather(first, *others)
    assert names.batches == [["alice"], [f"user{number}" for number in range(5)]]


async def test_a_request_that_breaks_the_batch_fails_nobody_else(database: Database) -> None:
    names = Names()
    await database.write(names.add, "carol")

    answers = await asyncio.gather(
        *(database.write(names.add, name) for name in ("alice", "bob", "carol", "dave", "erin")),
        return_exceptions=True,
    )

    assert [answer for answer in answers if not isinstance(answer, Exception)] == ["ALICE", "BOB", "DAVE", "ERIN"]
    assert "unique" in str(answers[2]).lower()
    assert await database.read(users) == ["alice", "bob", "carol", "dave", "erin"]


async def test_a_refused_request_gets_its_reason_and_the_others_their_answers(database: Database) -> None:
    names = Names()

    answers = await asyncio.gather(
        *(database.write(names.add, name) for name in ("alice", "mallory", "bob")), return_exceptions=True
    )

    assert isinstance(answers[1], Conflict)
    assert answers[::2] == ["ALICE", "BOB"]
    assert len(names.batches) == 1


async def test_more_than_may_wait_is_refused_at_once(new_engine: Callable[[], Engine], open_database: Opener) -> None:
    database, names = await open_database(new_engine(), queued=3), Names()
    waiting = [database.write(names.add, f"user{number}") for number in range(3)]

    with pytest.raises(Unavailable):
        database.write(names.add, "one too many")

    await asyncio.gather(*waiting)
    assert await database.write(names.add, "alice") == "ALICE"


async def test_one_who_stops_waiting_stops_no_other(database: Database) -> None:
    names = Names()
    alice, bob = database.write(names.add, "alice"), database.write(names.add, "bob")

    alice.cancel()

    assert await bob == "BOB"
    assert await database.write(names.add, "carol") == "CAROL"


async def test_stopping_answers_what_was_asked_before(new_engine: Callable[[], Engine], open_database: Opener) -> None:
    database, names = Database(new_engine()), Names()
    await database.start()
    answers = [database.write(names.add, f"user{number}") for number in range(2500)]

    await database.stop()

    assert len(await asyncio.gather(*answers)) == 2500
    with pytest.raises(Unavailable):
        database.write(names.add, "late")
    again = await open_database(new_engine())
    assert len(await again.read(users)) == 2500


async def test_a_reader_sees_one_unmoving_state(database: Database) -> None:
    names, has_read, go_on = Names(), threading.Event(), threading.Event()
    await database.write(names.add, "alice")

    def read_twice(transaction: Transaction) -> tuple[list[str], list[str]]:
        before = users(transaction)
        has_read.set()
        go_on.wait(10)
        return before, users(transaction)

    reading = asyncio.ensure_future(database.read(read_twice))
    await asyncio.to_thread(has_read.wait, 10)
    await database.write(names.add, "bob")
    go_on.set()

    assert await reading == (["alice"], ["alice"])
    assert await database.read(users) == ["alice", "bob"]


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"read-?only"):
        await database.read(lambda transaction: transaction.run(ADD_USERS, added=[("alice",)]))

    assert await database.read(users) == []


async def test_it_is_found_again_after_a_restart(new_engine: Callable[[], Engine], open_database: Opener) -> None:
    database = await open_database(new_engine())
    await database.write(Names().add, "alice")
    await database.stop()

    again = await open_database(new_engine())

    assert await again.read(users) == ["alice"]
