"""The database says who owns a key: few queries for many clients, and no endless wait."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hubbub.accounts import key_owners
from hubbub.accounts.key_owners import KeyOwners
from hubbub.errors import Unavailable
from hubbub.features.messages.log_people import claim_keys
from hubbub.store import group_commit
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.sqlite import SQLite
from hubbub.wire.identity import User
from tests.logbook import Logbook
from tests.store.databases import Opener


class CountedDatabase(Database):
    reads = 0

    async def read(self, work: Callable[[Transaction], Any], *, never_deferred: bool = False) -> Any:
        self.reads += 1
        return await super().read(work, never_deferred=never_deferred)


def owners_in(database: Database, *, deadline: float = 20.0) -> KeyOwners:
    def claim(user: User, answered: Callable[[Exception | None], None]) -> None:
        database.submit(claim_keys, User(user.key, user.name, identity=user.identity), answered)

    return KeyOwners(database, claim=claim, deadline=deadline)


async def test_a_key_belongs_to_the_first_who_spoke_under_it(database: Database) -> None:
    await Logbook(database).send(User("Alice", "Alice", identity="first"), "general", "hello")

    owner, of_identity = await owners_in(database).look_up("alice", "first")
    nobody = await owners_in(database).look_up("bob", "second")

    assert owner is not None
    assert (owner.key, owner.identity) == ("Alice", "first")
    assert of_identity == owner
    assert nobody == (None, None)


async def test_two_thousand_clients_at_once_need_a_few_queries(tmp_path: Path) -> None:
    database = CountedDatabase(SQLite(tmp_path / "data"))
    await database.start()
    try:
        await Logbook(database).send(User("user7", "user7", identity="first"), "general", "hello")
        owners = owners_in(database)

        answers = await asyncio.gather(*(owners.look_up(f"user{number}") for number in range(2000)))

        assert [number for number, (owner, _) in enumerate(answers) if owner is not None] == [7]
        assert database.reads <= 2
    finally:
        await database.stop()


async def test_a_query_leaves_deferred_rows_where_they_are(
    tmp_path: Path, open_database: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "IDLE_AFTER", 3600)
    engine = SQLite(tmp_path / "data")
    database = await open_database(engine)
    log = Logbook(database)
    alice = User("alice", "Alice", identity="first")
    await asyncio.gather(*(log.send(alice, f"room{number}", "hello") for number in range(20)))

    owner, _ = await owners_in(database).look_up("alice")
    await owners_in(database).claim(User("bob", "Bob"))

    assert owner is not None
    with closing(sqlite3.connect(f"file:{engine.path}?mode=ro", uri=True)) as beside:
        assert beside.execute("SELECT count(*) > 0 FROM deferred").fetchone() == (1,)


async def test_a_database_that_hangs_is_not_waited_for(tmp_path: Path, open_database: Opener) -> None:
    database = await open_database(SQLite(tmp_path / "data"), readers=1)
    hanging, go_on = threading.Event(), threading.Event()

    def hang(transaction: Transaction) -> None:
        hanging.set()
        go_on.wait(20)

    read = asyncio.ensure_future(database.read(hang))
    await asyncio.to_thread(hanging.wait, 20)
    owners = owners_in(database, deadline=0.05)
    try:
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                await owners.look_up("alice")
            assert caught.value.retry_after
        with pytest.raises(Unavailable):
            await owners.claim(User("alice", "Alice"))
    finally:
        go_on.set()
        await read
    patient = owners_in(database)
    assert await patient.look_up("alice") == (None, None)


async def test_an_account_needs_one_query(tmp_path: Path) -> None:
    database = CountedDatabase(SQLite(tmp_path / "data"))
    await database.start()
    try:
        owners = owners_in(database)

        for _ in range(3):
            await owners.claim(User("alice", "Alice"))

        assert database.reads == 1
        owner, _ = await owners.look_up("alice")
        assert owner is not None
        assert owner.identity == ""
    finally:
        await database.stop()


async def test_a_name_that_was_never_seen_needs_no_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_owners, "_KEYS_PER_READ", 3)
    database = CountedDatabase(SQLite(tmp_path / "data"))
    await database.start()
    try:
        for number in range(7):
            await Logbook(database).send(User(f"user{number}", "", identity=f"identity {number}"), "general", "hello")
        owners = owners_in(database)
        await owners.see_all()
        reads = database.reads

        strangers = [await owners.look_up(f"stranger{number}") for number in range(20)]
        assert strangers == [(None, None)] * 20
        assert database.reads == reads
        known = [(await owners.look_up(f"user{number}"))[0] for number in range(7)]
        assert [person.identity for person in known if person is not None] == [f"identity {n}" for n in range(7)]

        # A guest without an owned key may have spoken since.
        await Logbook(database).send(User("stranger1", "", identity="another"), "general", "hello")
        owner, _ = await owners.look_up("stranger1")
        assert owner is not None

        # An account takes a key, and the guest is given one that was never asked about.
        await owners.claim(User("user3", "An account"))
        moved = (await Logbook(database).latest("general")).messages[3].user
        owner, _ = await owners.look_up(moved)
        assert owner is not None
        assert owner.identity == "identity 3"
    finally:
        await database.stop()
