"""A key has one owner, on both engines, in whichever order people come; and the messages of those who come too late are
kept."""

import asyncio
from pathlib import Path

import pytest

from hubbub.accounts.users import is_made_of, made_key
from hubbub.errors import Forbidden
from hubbub.features.messages.log_people import claim_keys
from hubbub.store.database import Database
from hubbub.store.engines import engine_at
from hubbub.store.statement import Statement
from hubbub.wire.identity import User
from hubbub.wire.keys import is_key
from tests.logbook import Logbook
from tests.store.databases import Opener, run_sql

ROOM = "general"
FIRST, SECOND = User("alice", "Alice", identity="first"), User("Alice", "Alice", identity="second")
ACCOUNT = User("alice", "Alice Liddell")
USERS = Statement("SELECT folded, identity FROM users ORDER BY id", columns=("folded", "identity"))


@pytest.fixture
def log(database: Database) -> Logbook:
    return Logbook(database)


async def users_of(log: Logbook) -> list[str]:
    """The authors of the room's messages, in their order."""
    return [message.user for message in (await log.latest(ROOM)).messages]


async def test_the_first_to_speak_owns_the_key_and_the_next_one_gets_a_made_one(log: Logbook) -> None:
    for author in (FIRST, SECOND, FIRST, SECOND):
        await log.send(author, ROOM, "hello")

    first, second, *again = await users_of(log)

    assert first == "alice"
    assert is_made_of(second, "Alice")
    assert again == [first, second]
    with pytest.raises(Forbidden):
        await log.edit(SECOND, ROOM, 1, "not mine")
    assert (await log.edit(SECOND, ROOM, 2, "mine")).event is not None


async def test_of_two_guests_who_first_speak_in_one_commit_one_owns_the_key(log: Logbook) -> None:
    await asyncio.gather(*(log.send(author, ROOM, "hello") for author in (FIRST, SECOND)))

    first, second = await users_of(log)

    assert first == "alice"
    assert is_made_of(second, "Alice")


async def test_the_database_itself_takes_no_second_owner(log: Logbook, database: Database) -> None:
    await log.send(FIRST, ROOM, "hello")

    with pytest.raises(Exception, match=r"(?i)unique"):
        await database.write(
            run_sql, "INSERT INTO users (key, folded, identity, name) VALUES ('alice', 'alice', 'x', '')"
        )


async def test_if_two_nodes_admit_one_name_one_guest_owns_it(
    postgres_with_schema: str, tmp_path: Path, open_database: Opener
) -> None:
    logs = [Logbook(await open_database(engine_at(tmp_path, postgres_with_schema))) for _ in range(3)]
    names = [f"guest{number}" for number in range(20)]

    await asyncio.gather(
        *(
            log.send(User(name, name, identity=f"{name} at {node}"), ROOM, "hello")
            for name in names
            for node, log in enumerate(logs)
        )
    )

    users = await users_of(logs[0]) + [
        message.user for message in (await logs[0].history(ROOM, before=11, limit=50)).messages
    ]
    assert len(users) == len(set(users)) == 60
    assert set(names) <= set(users)


async def test_an_account_gets_its_key_and_the_guests_rows_show_another_one(log: Logbook, database: Database) -> None:
    await log.send(FIRST, ROOM, "of the guest", key="key-00000001")
    await log.react(FIRST, ROOM, 1, "👍")

    await database.write(claim_keys, ACCOUNT)
    await log.send(ACCOUNT, ROOM, "of the account")
    await log.react(ACCOUNT, ROOM, 1, "👍")

    guest, account = await users_of(log)
    (message, _) = (await log.latest(ROOM)).messages
    assert account == "alice"
    assert is_made_of(guest, "alice")
    assert [reaction.users for reaction in message.reactions or []] == [[guest, "alice"]]
    with pytest.raises(Forbidden):
        await log.edit(ACCOUNT, ROOM, 1, "not mine")
    # The guest continues under its present key, whichever key it came with.
    assert (await log.send(FIRST, ROOM, "of the guest", key="key-00000001")).event is None
    await log.react(FIRST, ROOM, 1, "👍", on=False)
    (message, _) = (await log.latest(ROOM)).messages
    assert [reaction.users for reaction in message.reactions or []] == [["alice"]]
    sent = await log.send(FIRST, ROOM, "again")
    assert sent.event is not None
    assert sent.event.user == guest


async def test_an_account_that_was_not_claimed_before_gets_its_key_too(log: Logbook) -> None:
    await log.send(FIRST, ROOM, "of the guest")

    await asyncio.gather(log.send(SECOND, ROOM, "of another"), log.send(ACCOUNT, ROOM, "of the account"))

    guest, other, account = await users_of(log)
    assert account == "alice"
    assert len({guest, other, account}) == 3


def test_a_made_key_is_valid_even_for_a_long_name() -> None:
    for name in ("a", "alice", "x" * 64):
        key = made_key(name)

        assert is_key(key)
        assert is_made_of(key, name)
        assert key != name
    assert not is_made_of("alice", "alice")
    assert not is_made_of("alison-x7k2", "alice")
